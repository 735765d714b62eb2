#include "engine/artifact_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "domain/inputs.h"
#include "pool/artifacts.h"
#include "pool/paths.h"

#define NAME_SIZE 64

/* The directory of all artifacts, and in room the name of the attempt's in it. */
static int open_root(const char *data_dir, struct uuid7 job_id, int attempt,
                     char room[NAME_SIZE])
{
    char path[PATHS_SIZE], id[UUID7_TEXT_SIZE];

    (void)snprintf(room, NAME_SIZE, "%s.%d", uuid7_format(job_id, id), attempt);
    return open(paths_artifacts_dir(data_dir, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* ---- the list -----------------------------------------------------------------------------
 */

static void add(struct artifact_list *list, const char *path, int64_t size_bytes)
{
    if ((list->count & (list->count - 1)) == 0) /* a power of two: full */
        list->items =
            mem_resize(list->items, list->count ? list->count * 2 : 1, sizeof *list->items);
    list->items[list->count++] = (struct artifact){ mem_str(path), size_bytes };
}

/* All files below dir_fd. The tree is our own: at most ARTIFACTS_DEPTH_MAX deep. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static int walk(int dir_fd, const char *prefix, int depth, struct artifact_list *list,
                struct errinfo *e)
{
    AUTO_FINI(fd) int fd = beneath_open_dir(dir_fd, ".");
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    int r = 0;

    if (!stream)
        return err_sys(e, "read a directory of artifacts");
    (void)fd_take(&fd);
    while (r == 0 &&
           (entry = readdir(stream)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own stream */
        AUTO(mem) char *path = mem_printf("%s%s", prefix, entry->d_name);
        struct stat st;

        if (text_equal(entry->d_name, ".") || text_equal(entry->d_name, "..") ||
            fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISREG(st.st_mode))
            add(list, path, st.st_size);
        if (S_ISDIR(st.st_mode) && depth < ARTIFACTS_DEPTH_MAX) {
            AUTO(mem) char *below = mem_printf("%s/", path);
            AUTO_FINI(fd) int sub = beneath_open_dir(dirfd(stream), entry->d_name);

            r = sub >= 0 ? walk(sub, below, depth + 1, list, e)
                         : err_sys(e, "open a directory of artifacts");
        }
    }
    (void)closedir(stream);
    return r;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct artifact *)a)->path, ((const struct artifact *)b)->path);
}

static void read_left_out(int root_fd, const char *name, int64_t *ret_count)
{
    AUTO(mem) char *path = mem_printf("%s.left_out", name);
    AUTO_FINI(fd) int fd = beneath_open(root_fd, path, O_RDONLY, 0);
    char text[32] = "";

    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    (void)text_to_i64(text, 0, INT64_MAX, ret_count);
}

int artifact_files_list(const char *data_dir, struct uuid7 job_id, int attempt,
                        struct artifact_list *ret_list, struct errinfo *e)
{
    char name[NAME_SIZE];
    AUTO_FINI(fd) int root = open_root(data_dir, job_id, attempt, name);
    AUTO_FINI(fd) int dir = -1;
    int r;

    *ret_list = (struct artifact_list){ 0 };
    if (root < 0)
        return err_sys(e, "open the directory of artifacts");
    read_left_out(root, name, &ret_list->left_out);
    dir = beneath_open_dir(root, name);
    if (dir < 0 && errno == ENOENT)
        return 0;
    if (dir < 0)
        return err_sys(e, "open the artifacts of an attempt");
    r = walk(dir, "", 0, ret_list, e);
    if (r < 0)
        artifact_list_fini(ret_list);
    else if (ret_list->count > 0)
        qsort(ret_list->items, ret_list->count, sizeof *ret_list->items, by_path);
    return r;
}

void artifact_list_fini(struct artifact_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].path);
    free(list->items);
    *list = (struct artifact_list){ 0 };
}

/* ---- one file -----------------------------------------------------------------------------
 */

static int not_found(struct errinfo *e)
{
    return err_set(e, ERR_ARTIFACT_NOT_FOUND, "the attempt has left no file of this name");
}

int artifact_files_open(const char *data_dir, struct uuid7 job_id, int attempt,
                        const char *path, struct artifact_file *ret_file, struct errinfo *e)
{
    char name[NAME_SIZE];
    AUTO_FINI(fd) int root = -1;
    AUTO_FINI(fd) int dir = -1;
    AUTO_FINI(fd) int fd = -1;
    struct stat st;

    if (input_path_fault(path, strlen(path)))
        return not_found(e);
    root = open_root(data_dir, job_id, attempt, name);
    if (root < 0)
        return err_sys(e, "open the directory of artifacts");
    dir = beneath_open_dir(root, name);
    if (dir >= 0)
        fd = beneath_open(dir, path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == EIO))
        return err_sys(e, "open an artifact");
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return not_found(e);
    *ret_file = (struct artifact_file){
        .size_bytes = st.st_size,
        .changed_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
    };
    ret_file->fd = fd_take(&fd);
    return 0;
}
