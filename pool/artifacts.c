#include "pool/artifacts.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/sys.h"
#include "base/text.h"
#include "domain/inputs.h"

#define TIME_MAX_US  (2 * USEC_PER_SEC) /* to look at names */
#define SYNC_ONE_MAX 64                 /* beyond it all at once is quicker */

/* A directory on the way down. */
struct level {
    DIR *from;
    int to_fd; /* -1: not made yet, for nothing is in it */
    char name[NAME_MAX + 1];
};

struct taking {
    const struct artifacts_bounds *bounds;
    struct artifacts_count *count;
    int parent_fd;
    usec_t deadline_us;
    size_t path_len; /* of all names on the way, with a slash each */
    size_t depth;    /* of levels */
    struct level levels[ARTIFACTS_DEPTH_MAX + 1];
};

static bool name_is_fine(const char *name, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = text_utf8_len(name + at, len - at);

        if (n == 0 || (unsigned char)name[at] < 0x20 || name[at] == 0x7f)
            return false;
        at += n;
    }
    return true;
}

/* Make the directories that lead to the current one. Returns its descriptor, or -1. */
static int make_target(struct taking *t)
{
    for (size_t i = 0; i < t->depth; i++) {
        struct level *l = &t->levels[i];
        int above = i == 0 ? t->parent_fd : t->levels[i - 1].to_fd;

        if (l->to_fd >= 0)
            continue;
        if (mkdirat(above, l->name, 0700) < 0)
            return -1;
        l->to_fd = beneath_open_dir(above, l->name);
        if (l->to_fd < 0)
            return -1;
    }
    return t->levels[t->depth - 1].to_fd;
}

/* Of the file that has just been moved there. */
static int sync_file(int dir_fd, const char *name)
{
    AUTO_FINI(fd) int fd = beneath_open(dir_fd, name, O_RDONLY | O_NONBLOCK, 0);

    return fd >= 0 ? sys.fsync(fd) : -1;
}

static bool take_file(struct taking *t, const char *name, const struct stat *st)
{
    struct artifacts_count *c = t->count;
    int from_fd = dirfd(t->levels[t->depth - 1].from);
    int to_fd;

    if (c->files >= t->bounds->max_files || st->st_size > t->bounds->max_bytes - c->bytes)
        return false;
    if ((st->st_mode & 0400) == 0 && fchmodat(from_fd, name, 0600, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    to_fd = make_target(t);
    if (to_fd < 0 || renameat(from_fd, name, to_fd, name) < 0)
        return false;
    c->files++;
    c->bytes += st->st_size;
    return c->files > SYNC_ONE_MAX || sync_file(to_fd, name) == 0;
}

static bool enter(struct taking *t, int dir_fd, const char *name)
{
    struct level *l = &t->levels[t->depth];
    AUTO_FINI(fd) int fd = -1;

    if (t->depth > ARTIFACTS_DEPTH_MAX)
        return false;
    fd = beneath_open_dir(dir_fd, name);
    if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
        fd = beneath_open_dir(dir_fd, name);
    if (fd < 0)
        return false;
    (void)fchmod(fd, 0700); /* or nothing can be taken out of it; then that fails */
    *l = (struct level){ .from = fdopendir(fd), .to_fd = -1 };
    if (!l->from)
        return false;
    (void)fd_take(&fd);
    (void)text_copy(l->name, sizeof l->name, name);
    t->path_len += strlen(name) + 1;
    t->depth++;
    return true;
}

static void leave(struct taking *t)
{
    struct level *l = &t->levels[--t->depth];

    t->path_len -= strlen(l->name) + 1;
    (void)closedir(l->from);
    if (l->to_fd >= 0)
        (void)sys.fsync(l->to_fd); /* what fails here fails for the file system, too */
    fd_fini(&l->to_fd);
}

static bool take_entry(struct taking *t, const char *name)
{
    int from_fd = dirfd(t->levels[t->depth - 1].from);
    size_t len = strlen(name);
    struct stat st;

    if (!name_is_fine(name, len) || t->path_len + len > INPUT_PATH_MAX_BYTES ||
        fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    if (S_ISDIR(st.st_mode))
        return enter(t, from_fd, name);
    return S_ISREG(st.st_mode) && take_file(t, name, &st);
}

static bool is_dots(const char *name)
{
    return text_equal(name, ".") || text_equal(name, "..");
}

/* Depth first; the levels are the stack. */
static void take_all(struct taking *t)
{
    while (t->depth > 0) {
        DIR *from = t->levels[t->depth - 1].from;
        const struct dirent *entry = readdir(from); /* NOLINT(concurrency-mt-unsafe): own */

        if (!entry) {
            leave(t);
            continue;
        }
        if (is_dots(entry->d_name))
            continue;
        if (clock_mono_us() >= t->deadline_us || !take_entry(t, entry->d_name))
            t->count->left_out++;
        if (clock_mono_us() >= t->deadline_us)
            break;
    }
    while (t->depth > 0)
        leave(t);
}

int artifacts_take(int from_fd, int parent_fd, const char *name,
                   const struct artifacts_bounds *bounds, struct artifacts_count *ret_count,
                   struct errinfo *e)
{
    struct taking t = {
        .bounds = bounds,
        .count = ret_count,
        .parent_fd = parent_fd,
        .deadline_us = clock_mono_us() + TIME_MAX_US,
    };

    *ret_count = (struct artifacts_count){ 0 };
    if (!enter(&t, from_fd, "."))
        return err_sys(e, "open the directory of artifacts");
    (void)text_copy(t.levels[0].name, sizeof t.levels[0].name, name);
    t.path_len = 0;
    take_all(&t);
    if (ret_count->files > SYNC_ONE_MAX && syncfs(parent_fd) < 0)
        return err_sys(e, "sync artifacts");
    return 0;
}
