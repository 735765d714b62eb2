#include "pool/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"
#include "base/text.h"
#include "pool/paths.h"

/* flock(2) has no time limit of its own, and who holds the lock is not our child. */
#define RETRY_MS 20

/* The pid in the file; 0 when it holds none. */
static pid_t read_holder(int fd)
{
    char text[24];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    int64_t pid;

    if (n <= 0)
        return 0;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return text_to_i64(text, 1, INT32_MAX, &pid) ? (pid_t)pid : 0;
}

/* A zombie does not count. Our own number is from another life (PID 1 of a container). */
static bool is_alive(pid_t pid)
{
    AUTO_FINI(fd) int fd = -1;
    struct pollfd end = { .events = POLLIN };

    if (pid == 0 || pid == getpid())
        return false;
    fd = pidfd_open(pid, 0);
    if (fd < 0)
        return errno != ESRCH && errno != EINVAL; /* EINVAL: the number is a thread's now */
    end.fd = fd;
    return poll(&end, 1, 0) == 0;
}

static int refuse(const char *data_dir, pid_t holder, bool alive, struct errinfo *e)
{
    if (alive)
        return err_set(e, ERR_LOCKED,
                       "a jobd with pid %d runs in the data directory already: stop that one"
                       " first (kill %d) or give this one another directory: %s",
                       (int)holder, (int)holder, data_dir);
    return err_set(e, ERR_LOCKED,
                   "the front of a jobd that has ended (pid %d) still holds the data directory:"
                   " try again once it has ended too (see `pgrep -a jobd-front`): %s",
                   (int)holder, data_dir);
}

static int wait_for_lock(int fd, const char *data_dir, usec_t wait_us, struct errinfo *e)
{
    usec_t deadline_us = clock_mono_us() + wait_us;

    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        pid_t holder;
        bool alive;

        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return err_sys(e, "flock %s/jobd.lock", data_dir);
        holder = read_holder(fd);
        alive = is_alive(holder);
        if (alive || clock_mono_us() >= deadline_us)
            return refuse(data_dir, holder, alive, e);
        (void)poll(NULL, 0, RETRY_MS);
    }
    return 0;
}

static int write_holder(int fd, const char *data_dir, struct errinfo *e)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%d\n", (int)getpid());

    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) != len)
        return err_sys(e, "write %s/jobd.lock", data_dir);
    return 0;
}

int lock_take(const char *data_dir, usec_t wait_us, int *ret_fd, struct errinfo *e)
{
    char path[PATHS_SIZE];
    AUTO_FINI(fd) int fd = -1;
    int r;

    fd = sys.open(paths_lock(data_dir, path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, "open %s", path);
    r = wait_for_lock(fd, data_dir, wait_us, e);
    if (r < 0)
        return r;
    r = write_holder(fd, data_dir, e);
    if (r < 0)
        return r;
    *ret_fd = fd_take(&fd);
    return 0;
}
