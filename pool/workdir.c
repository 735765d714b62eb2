#include "pool/workdir.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/text.h"
#include "pool/tree_remove.h"

#define DIR_MODE 0700

/* The trash: a portion, the pause after it, when to look for what others have put there, when
 * to try again what cannot be removed, and when to look although nobody has said anything. */
#define SWEEP_PORTION_US (5 * USEC_PER_MS)
#define SWEEP_PAUSE_US   (20 * USEC_PER_MS)
#define SWEEP_SOON_US    (100 * USEC_PER_MS)
#define SWEEP_RETRY_US   (30 * USEC_PER_SEC)
#define SWEEP_LOOK_US    (3600 * USEC_PER_SEC)

/* More than the times of any file system are apart. */
#define SETTLED_US (3 * USEC_PER_SEC)

#define NAME_SIZE 64

static char *name_of(struct uuid7 job_id, int attempt, char room[NAME_SIZE])
{
    char id[UUID7_TEXT_SIZE];

    (void)snprintf(room, NAME_SIZE, "%s.%d", uuid7_format(job_id, id), attempt);
    return room;
}

static char *spare_name(char room[NAME_SIZE])
{
    (void)snprintf(room, NAME_SIZE, "spare.%d", getpid());
    return room;
}

/* ---- the trash ----------------------------------------------------------------------------
 */

static void sweep_in(struct workdirs *w, usec_t us)
{
    loop_set_timer(w->loop, &w->sweep, clock_mono_us() + us);
}

static void on_sweep(void *ctx)
{
    struct workdirs *w = ctx;
    usec_t deadline_us = clock_mono_us() + SWEEP_PORTION_US;

    switch (tree_remove_some(w->trash_fd, deadline_us)) {
    case REMOVAL_MORE:
        sweep_in(w, SWEEP_PAUSE_US);
        break;
    case REMOVAL_STUCK:
        log_warn("trash.stuck", LSTR("data_dir", w->root));
        sweep_in(w, SWEEP_RETRY_US);
        break;
    case REMOVAL_DONE:
        sweep_in(w, SWEEP_LOOK_US);
        break;
    }
}

void workdirs_tidy(struct workdirs *w)
{
    usec_t at_us = clock_mono_us() + SWEEP_SOON_US;

    if (w->loop && (w->sweep.at_us == 0 || w->sweep.at_us > at_us))
        loop_set_timer(w->loop, &w->sweep, at_us);
}

/* In the trash nobody looks at names, but they must differ. */
static int throw_away(int work_fd, const char *name, int trash_fd)
{
    char new_name[NAME_SIZE + 32];

    if (renameat(work_fd, name, trash_fd, name) == 0 || errno == ENOENT)
        return 0;
    (void)snprintf(new_name, sizeof new_name, "%s.%lld", name, (long long)clock_mono_us());
    return renameat(work_fd, name, trash_fd, new_name);
}

static void discard(struct workdirs *w, const char *name)
{
    if (throw_away(w->work_fd, name, w->trash_fd) < 0)
        log_warn("workdir.not_removed", LSTR("name", name), LI64("errno", errno));
    sweep_in(w, SWEEP_PAUSE_US);
}

void workdir_discard(const char *data_dir, struct uuid7 job_id, int attempt)
{
    char path[PATHS_SIZE], name[NAME_SIZE];
    AUTO_FINI(fd) int work_fd = open(paths_work_dir(data_dir, path), O_PATH | O_CLOEXEC);
    AUTO_FINI(fd) int trash_fd = open(paths_trash_dir(data_dir, path), O_PATH | O_CLOEXEC);

    if (work_fd >= 0 && trash_fd >= 0)
        (void)throw_away(work_fd, name_of(job_id, attempt, name), trash_fd);
}

/* ---- one that is used again ---------------------------------------------------------------
 */

static const char *const part_names[WORKDIR_PARTS] = {
    [WORKDIR_CWD] = "cwd",
    [WORKDIR_ARTIFACTS] = "artifacts",
};

static void close_set(struct workdir_set *set)
{
    for (int i = 0; i < WORKDIR_PARTS; i++)
        fd_fini(&set->fds[i]);
}

static bool open_part(struct workdir_set *set, enum workdir_part part, int dir_fd,
                      const char *name)
{
    struct stat st;

    if (mkdirat(dir_fd, name, DIR_MODE) < 0)
        return false;
    set->fds[part] = beneath_open_dir(dir_fd, name);
    if (set->fds[part] < 0 || fstat(set->fds[part], &st) < 0)
        return false;
    set->devices[part] = st.st_dev;
    set->inodes[part] = st.st_ino;
    set->changed[part] = st.st_ctim;
    set->attributes[part] = flistxattr(set->fds[part], NULL, 0);
    return true;
}

static bool make_set(struct workdirs *w, const char *name)
{
    struct workdir_set *set = &w->set;

    close_set(set);
    return open_part(set, WORKDIR_ITSELF, w->work_fd, name) &&
           open_part(set, WORKDIR_CWD, set->fds[WORKDIR_ITSELF], "cwd") &&
           open_part(set, WORKDIR_ARTIFACTS, set->fds[WORKDIR_ITSELF], "artifacts");
}

static bool is_plain(const struct stat *st)
{
    return st->st_mode == (S_IFDIR | DIR_MODE) && st->st_uid == geteuid();
}

/* Whether there are so many entries; from the first on, wherever the descriptor is. */
static bool has_entries(int fd, int want)
{
    _Alignas(struct dirent64) char block[1024];
    ssize_t n;

    if (lseek(fd, 0, SEEK_SET) < 0)
        return false;
    while ((n = getdents64(fd, block, sizeof block)) > 0)
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *entry = (const void *)(block + at);

            want -= !text_equal(entry->d_name, ".") && !text_equal(entry->d_name, "..");
            at += entry->d_reclen;
        }
    return n == 0 && want == 0;
}

/* Whether the directory that is open is as it was made, and empty. */
static bool is_untouched(int fd)
{
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && is_plain(&st) && has_entries(fd, 0);
}

/* Whether that name still is the directory that we made, and no mount or link lies over it. */
static bool is_ours(const struct workdir_set *set, enum workdir_part part, int dir_fd,
                    const char *name, struct stat *ret_st)
{
    return fstatat(dir_fd, name, ret_st, AT_SYMLINK_NOFOLLOW) == 0 && is_plain(ret_st) &&
           ret_st->st_dev == set->devices[part] && ret_st->st_ino == set->inodes[part];
}

/* Every change of a directory, but for what is done in those below it, sets its time of change,
 * which nobody can choose. */
static bool is_part_untouched(struct workdir_set *set, enum workdir_part part)
{
    struct timespec *changed = &set->changed[part];
    struct stat st;

    if (!is_ours(set, part, set->fds[WORKDIR_ITSELF], part_names[part], &st))
        return false;
    if (set->settled && st.st_ctim.tv_sec == changed->tv_sec &&
        st.st_ctim.tv_nsec == changed->tv_nsec)
        return true;
    *changed = st.st_ctim;
    /* An access list that its files would inherit is an attribute. */
    return has_entries(set->fds[part], 0) &&
           flistxattr(set->fds[part], NULL, 0) == set->attributes[part];
}

static bool can_be_spare(struct workdirs *w, const char *name)
{
    struct workdir_set *set = &w->set;
    struct stat st;

    return set->fds[WORKDIR_ITSELF] >= 0 &&
           is_ours(set, WORKDIR_ITSELF, w->work_fd, name, &st) &&
           has_entries(set->fds[WORKDIR_ITSELF], 2) && is_part_untouched(set, WORKDIR_CWD) &&
           is_part_untouched(set, WORKDIR_ARTIFACTS);
}

/* One that was kept may have lain for long, and others clean up: what is old, or is empty. */
static bool is_still_there(const struct workdirs *w, const char *name)
{
    const struct workdir_set *set = &w->set;
    int itself = set->fds[WORKDIR_ITSELF];
    struct stat st;

    return is_ours(set, WORKDIR_ITSELF, w->work_fd, name, &st) &&
           is_ours(set, WORKDIR_CWD, itself, part_names[WORKDIR_CWD], &st) &&
           is_ours(set, WORKDIR_ARTIFACTS, itself, part_names[WORKDIR_ARTIFACTS], &st);
}

/* The one that was kept, if it is of any use, gets this name. */
static bool use_spare(struct workdirs *w, const char *name)
{
    char spare[NAME_SIZE];
    bool kept = w->has_spare;

    w->has_spare = false;
    if (!kept || renameat(w->work_fd, spare_name(spare), w->work_fd, name) < 0)
        return false;
    if (is_still_there(w, name))
        return true;
    discard(w, name);
    return false;
}

static int make_new(struct workdirs *w, const char *name, struct errinfo *e)
{
    int r;

    if (make_set(w, name))
        return 0;
    r = err_sys(e, "make a directory in %s", w->root);
    discard(w, name); /* a part of it */
    return r;
}

/* An attempt begins now. */
static void note_settled(struct workdir_set *set)
{
    usec_t now_us = clock_wall_us();

    set->settled = true;
    for (int i = WORKDIR_CWD; i < WORKDIR_PARTS; i++)
        set->settled =
            set->settled && now_us - set->changed[i].tv_sec * USEC_PER_SEC > SETTLED_US;
}

static void keep_spare(struct workdirs *w, const char *name)
{
    char spare[NAME_SIZE];

    w->has_spare =
        !w->has_spare && renameat(w->work_fd, name, w->work_fd, spare_name(spare)) == 0;
    if (!w->has_spare) {
        close_set(&w->set);
        discard(w, name);
    }
}

/* ---- for the worker -----------------------------------------------------------------------
 */

static int open_dirs(struct workdirs *w, const char *data_dir, struct errinfo *e)
{
    char *root = realpath(data_dir, NULL);
    char path[PATHS_SIZE];

    if (!root || strlen(root) > PATHS_DIR_MAX) {
        free(root);
        return err_set(e, ERR_CONFIG, "the data directory has no usable absolute name");
    }
    (void)text_copy(w->root, sizeof w->root, root);
    free(root);
    w->root_fd = open(w->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w->work_fd = open(paths_work_dir(w->root, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w->trash_fd = open(paths_trash_dir(w->root, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->root_fd < 0 || w->work_fd < 0 || w->trash_fd < 0)
        return err_sys(e, "open the directories for attempts in %s", w->root);
    return 0;
}

int workdirs_open(struct workdirs *w, struct loop *loop, const char *data_dir,
                  const struct artifacts_bounds *bounds, struct errinfo *e)
{
    char name[NAME_SIZE];
    int r;

    *w = (struct workdirs){
        .loop = loop,
        .bounds = *bounds,
        .root_fd = -1,
        .work_fd = -1,
        .trash_fd = -1,
        .set = { .fds = { -1, -1, -1 } },
        .sweep = { .on_due = on_sweep, .ctx = w },
    };
    r = open_dirs(w, data_dir, e);
    if (r < 0)
        return r;
    (void)throw_away(w->work_fd, spare_name(name), w->trash_fd); /* of who had our pid before */
    sweep_in(w, USEC_PER_SEC);
    return 0;
}

void workdirs_close(struct workdirs *w)
{
    char name[NAME_SIZE];

    if (w->has_spare)
        (void)throw_away(w->work_fd, spare_name(name), w->trash_fd);
    if (w->loop)
        loop_clear_timer(w->loop, &w->sweep);
    if (w->trash_fd >= 0 && w->has_spare)
        (void)tree_remove_some(w->trash_fd, clock_mono_us() + SWEEP_PORTION_US);
    close_set(&w->set);
    fd_fini(&w->root_fd);
    fd_fini(&w->work_fd);
    fd_fini(&w->trash_fd);
}

/* ---- inputs -------------------------------------------------------------------------------
 */

/* The directory that holds the last segment of path, made as far as it is missing. The path has
 * been checked. */
static int make_parents(int fd, const char *path, const char **ret_last)
{
    AUTO_FINI(fd) int at = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    const char *slash;

    while (at >= 0 && (slash = strchr(path, '/')) != NULL) {
        char segment[INPUT_SEGMENT_MAX_BYTES + 1];
        size_t len = (size_t)(slash - path);
        int next;

        if (len >= sizeof segment) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(segment, path, len);
        segment[len] = '\0';
        if (mkdirat(at, segment, DIR_MODE) < 0 && errno != EEXIST)
            return -1;
        next = beneath_open_dir(at, segment);
        fd_fini(&at);
        at = next;
        path = slash + 1;
    }
    *ret_last = path;
    return fd_take(&at);
}

static int write_input(int cwd_fd, const struct input *in, struct errinfo *e)
{
    AUTO_FINI(fd) int dir = -1;
    AUTO_FINI(fd) int file = -1;
    const char *last = "";

    dir = make_parents(cwd_fd, in->path, &last);
    if (dir < 0)
        return err_sys(e, "make the directory of input %s", in->path);
    file = beneath_open(dir, last, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (file < 0)
        return err_sys(e, "create input %s", in->path);
    return fd_write_all(file, in->data, in->len, e);
}

static int write_inputs(int dir_fd, const struct inputs *inputs, struct errinfo *e)
{
    AUTO_FINI(fd) int cwd = -1;

    if (inputs->count == 0)
        return 0;
    cwd = beneath_open_dir(dir_fd, "cwd");
    if (cwd < 0)
        return err_sys(e, "open the working directory");
    for (size_t i = 0; i < inputs->count; i++) {
        int r = write_input(cwd, &inputs->items[i], e);

        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- one attempt --------------------------------------------------------------------------
 */

int workdir_make(struct workdirs *w, struct uuid7 job_id, int attempt,
                 const struct inputs *inputs, struct workdir *ret_dir, const char **ret_stage,
                 struct errinfo *e)
{
    char name[NAME_SIZE];
    int r;

    *ret_stage = "directory";
    (void)name_of(job_id, attempt, name);
    r = use_spare(w, name) ? 0 : make_new(w, name, e);
    if (r < 0)
        return r;
    *ret_stage = "inputs";
    r = write_inputs(w->set.fds[WORKDIR_ITSELF], inputs, e);
    if (r < 0) {
        discard(w, name);
        return r;
    }
    note_settled(&w->set);
    *ret_dir = (struct workdir){ .dirs = w, .job_id = job_id, .attempt = attempt };
    (void)snprintf(ret_dir->cwd, PATHS_SIZE, "%.*s/work/%s/cwd", PATHS_DIR_MAX, w->root, name);
    (void)snprintf(ret_dir->artifacts, PATHS_SIZE, "%.*s/work/%s/artifacts", PATHS_DIR_MAX,
                   w->root, name);
    return 0;
}

/* Tell how many were left out, beside the directory of those that were not. */
static int note_left_out(int artifacts_fd, const char *name, int64_t count, struct errinfo *e)
{
    char path[NAME_SIZE + 16], text[32];
    AUTO_FINI(fd) int fd = -1;
    int len = snprintf(text, sizeof text, "%lld\n", (long long)count);

    (void)snprintf(path, sizeof path, "%s.left_out", name);
    fd = beneath_open(artifacts_fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return err_sys(e, "create %s", path);
    return fd_write_all(fd, text, (size_t)len, e);
}

/* They are put together in the attempt's own directory, so that what is seen from outside is
 * complete. */
static int take_artifacts(struct workdirs *w, int dir_fd, const char *name, struct errinfo *e)
{
    AUTO_FINI(fd) int from = beneath_open_dir(dir_fd, "artifacts");
    AUTO_FINI(fd) int to = -1;
    struct artifacts_count count = { 0 };
    int r;

    if (is_untouched(from))
        return 0;
    if (from < 0)
        return err_sys(e, "open the directory of artifacts");
    if (w->on_slow)
        w->on_slow(w->ctx);
    (void)throw_away(dir_fd, "kept", w->trash_fd); /* a job that made one has lost it */
    r = artifacts_take(from, dir_fd, "kept", &w->bounds, &count, e);
    if (r < 0)
        return r;
    to = beneath_open_dir(w->root_fd, "artifacts");
    if (to < 0)
        return err_sys(e, "open the directory of all artifacts");
    if (count.left_out > 0) {
        log_warn("artifacts.left_out", LSTR("name", name), LI64("count", count.left_out));
        r = note_left_out(to, name, count.left_out, e);
    }
    if (r == 0 && count.files > 0 && renameat(dir_fd, "kept", to, name) < 0)
        return err_sys(e, "keep the artifacts");
    if (r == 0 && sys.fsync(to) < 0)
        return err_sys(e, "fsync the directory of all artifacts");
    return r;
}

void workdir_finish(struct workdir *d, bool keep, bool abandoned)
{
    struct workdirs *w = d->dirs;
    struct errinfo e = { 0 };
    AUTO_FINI(fd) int fd = -1;
    char name[NAME_SIZE];

    if (!w)
        return;
    d->dirs = NULL;
    (void)name_of(d->job_id, d->attempt, name);
    if (!abandoned && can_be_spare(w, name)) {
        keep_spare(w, name);
        return;
    }
    close_set(&w->set);
    fd = beneath_open_dir(w->work_fd, name);
    if (fd >= 0 && keep && take_artifacts(w, fd, name, &e) < 0)
        log_error("artifacts.lost", LSTR("name", name), LSTR("reason", e.text));
    discard(w, name);
}
