#include "pool/worker_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"
#include "pool/paths.h"

/* A worker that was just forked has not signed yet; one that was just killed may share its lock
 * with a child on its way to exec. Both are a matter of microseconds. */
#define SETTLE_US     (5 * USEC_PER_SEC)
#define RETRY_MS      5
#define CONTENT_SIZE  (SUPERVISOR_POOL_MAX + 32)
#define CAPACITY_STEP 16
#define ENDED         "ended\n"

/* ---- one file ---------------------------------------------------------------------------- */

int worker_file_make(const char *data_dir, int64_t worker_id, int *ret_fd, struct errinfo *e)
{
    char path[PATHS_SIZE];
    AUTO_FINI(fd) int fd = -1;

    paths_worker(data_dir, worker_id, path);
    fd = sys.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, "create %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int r = err_sys(e, "flock %s", path);

        (void)unlink(path);
        return r;
    }
    *ret_fd = fd_take(&fd);
    return 0;
}

int worker_file_sign(int fd, const char *pool, struct errinfo *e)
{
    char text[CONTENT_SIZE];
    int len = snprintf(text, sizeof text, "%d %s\n", (int)getpid(), pool);

    if (pwrite(fd, text, (size_t)len, 0) != len)
        return err_sys(e, "write the worker's file");
    return 0;
}

void worker_file_sign_off(int fd)
{
    off_t end = lseek(fd, 0, SEEK_END);

    (void)!pwrite(fd, ENDED, strlen(ENDED), end); /* else it counts as lost */
}

void worker_file_remove(const char *data_dir, int64_t worker_id)
{
    char path[PATHS_SIZE];

    (void)unlink(paths_worker(data_dir, worker_id, path)); /* else the next start does it */
}

/* ---- finding those who live -------------------------------------------------------------- */

static bool read_signature(int fd, struct worker_info *ret_info, bool *ret_signed_off)
{
    char text[CONTENT_SIZE];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    char *blank, *end;
    int64_t pid;

    if (n <= 0)
        return false;
    text[n] = '\0';
    blank = strchr(text, ' ');
    end = strchr(text, '\n');
    if (!blank || !end)
        return false;
    *blank = *end = '\0';
    if (!text_to_i64(text, 1, INT32_MAX, &pid))
        return false;
    *ret_signed_off = text_equal(end + 1, ENDED);
    ret_info->pid = (int)pid;
    (void)text_copy(ret_info->pool, sizeof ret_info->pool, blank + 1);
    return true;
}

static bool is_locked(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) < 0;
}

/* A pidfd of who holds the lock, or -1 for now. As long as the lock is held its holder is not
 * reaped, so the number that it wrote down cannot be anybody else's. */
static int pin_holder(int fd, struct worker_info *info)
{
    AUTO_FINI(fd) int pid_fd = -1;
    struct pollfd end = { .events = POLLIN };
    bool signed_off;

    if (!read_signature(fd, info, &signed_off))
        return -1;
    pid_fd = pidfd_open(info->pid, 0);
    if (pid_fd < 0)
        return -1;
    end.fd = pid_fd;
    if (poll(&end, 1, 0) != 0 || !is_locked(fd))
        return -1;
    return fd_take(&pid_fd);
}

static void add_found(struct worker_census *c, const struct worker_info *info, int take_pid_fd)
{
    if (c->count % CAPACITY_STEP == 0)
        c->items = mem_resize(c->items, c->count + CAPACITY_STEP, sizeof *c->items);
    c->items[c->count++] = (struct worker_found){ *info, take_pid_fd };
}

static int look_at(const char *data_dir, int64_t worker_id, struct worker_census *c,
                   struct errinfo *e)
{
    struct worker_info info = { .worker_id = worker_id };
    usec_t until_us = clock_mono_us() + SETTLE_US;
    char path[PATHS_SIZE];
    AUTO_FINI(fd) int fd = -1;
    bool signed_off;

    paths_worker(data_dir, worker_id, path);
    fd = sys.open(path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, "open %s", path);
    while (is_locked(fd)) {
        int pid_fd = pin_holder(fd, &info);

        if (pid_fd >= 0) {
            add_found(c, &info, pid_fd);
            return 0;
        }
        if (clock_mono_us() >= until_us)
            return err_set(e, ERR_LOCKED,
                           "a worker of an earlier jobd lives, but cannot be seen from here"
                           " (a container that shares the data directory?): %s",
                           path);
        (void)poll(NULL, 0, RETRY_MS);
    }
    if (read_signature(fd, &info, &signed_off) && signed_off) {
        add_found(c, &info, -1);
        return 0;
    }
    (void)unlink(path);
    c->dead_count++;
    return 0;
}

bool worker_file_is_signed_off(const char *data_dir, int64_t worker_id)
{
    struct worker_info info;
    char path[PATHS_SIZE];
    AUTO_FINI(fd) int fd = -1;
    bool signed_off;

    fd = sys.open(paths_worker(data_dir, worker_id, path), O_RDONLY | O_CLOEXEC, 0);
    return fd >= 0 && read_signature(fd, &info, &signed_off) && signed_off;
}

int worker_files_scan(const char *data_dir, struct worker_census *ret_census, struct errinfo *e)
{
    struct worker_census c = { 0 };
    char path[PATHS_SIZE];
    DIR *dir = opendir(paths_worker_dir(data_dir, path));
    const struct dirent *entry;
    int r = 0;

    if (!dir)
        return err_sys(e, "open %s", path);
    while (r == 0 &&
           (entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own stream */
        int64_t worker_id;

        if (!text_to_i64(entry->d_name, 1, INT64_MAX, &worker_id))
            continue;
        if (worker_id > c.highest_worker_id)
            c.highest_worker_id = worker_id;
        r = look_at(data_dir, worker_id, &c, e);
    }
    (void)closedir(dir);
    if (r < 0) {
        worker_census_fini(&c);
        return r;
    }
    *ret_census = c;
    return 0;
}

void worker_census_fini(struct worker_census *c)
{
    for (size_t i = 0; i < c->count; i++)
        fd_fini(&c->items[i].pid_fd);
    free(c->items);
    *c = (struct worker_census){ 0 };
}
