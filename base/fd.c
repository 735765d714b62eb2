#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/sys.h"

#define READ_CHUNK 16384

/* The value of a system call, made again as long as a signal interrupts it. */
#define RETRY(call)                                                                            \
    (__extension__({                                                                           \
        __typeof__(call) retry_;                                                               \
        do                                                                                     \
            retry_ = (call);                                                                   \
        while (retry_ < 0 && errno == EINTR);                                                  \
        retry_;                                                                                \
    }))

void fd_fini(int *fd)
{
    int saved_errno = errno;

    if (*fd >= 0)
        (void)close(*fd); /* nothing to do about it; whoever needs the bytes has synced them */
    *fd = -1;
    errno = saved_errno;
}

int fd_take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

int fd_set_nonblocking(int fd, bool on, struct errinfo *e)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return err_sys(e, "fcntl(F_GETFL)");
    flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (fcntl(fd, F_SETFL, flags) < 0)
        return err_sys(e, "fcntl(F_SETFL)");
    return 0;
}

int fd_write_all(int fd, const void *block, size_t len, struct errinfo *e)
{
    const char *next = block;

    while (len > 0) {
        ssize_t n = RETRY(sys.write(fd, next, len));

        if (n < 0)
            return err_sys(e, "write");
        if (n == 0) { /* would never end otherwise */
            errno = EIO;
            return err_sys(e, "write took no bytes");
        }
        next += n;
        len -= (size_t)n;
    }
    return 0;
}

int fd_read_to_end(int fd, size_t max_bytes, struct buf *b, struct errinfo *e)
{
    size_t left = max_bytes;

    for (;;) {
        /* One byte more than allowed tells "exactly full" from "too large". */
        size_t want = left < READ_CHUNK ? left + 1 : READ_CHUNK;
        char *to = buf_reserve(b, want);
        ssize_t n = RETRY(read(fd, to, want));

        if (n < 0)
            return err_sys(e, "read");
        if (n == 0)
            return 0;
        if ((size_t)n > left) {
            buf_commit(b, left);
            return err_set(e, ERR_CONTENT_TOO_LARGE, "more than %zu bytes", max_bytes);
        }
        buf_commit(b, (size_t)n);
        left -= (size_t)n;
    }
}

static int make_dir(const char *path, mode_t mode, struct errinfo *e)
{
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return err_sys(e, "mkdir %s", path);
    return 0;
}

static int check_is_dir(const char *path, struct errinfo *e)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return err_sys(e, "stat %s", path);
    if (!S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        return err_sys(e, "%s", path);
    }
    return 0;
}

int fd_make_dirs(const char *path, mode_t mode, struct errinfo *e)
{
    AUTO(mem) char *part = mem_str(path);
    int r;

    for (char *p = part; *p != '\0'; p++) {
        if (*p != '/' || p == part)
            continue;
        *p = '\0';
        r = make_dir(part, mode, e);
        if (r < 0)
            return r;
        *p = '/';
    }
    r = make_dir(path, mode, e);
    if (r < 0)
        return r;
    return check_is_dir(path, e);
}

int fd_read_file(const char *path, size_t max_bytes, struct buf *b, struct errinfo *e)
{
    AUTO_FINI(fd) int fd = RETRY(sys.open(path, O_RDONLY | O_CLOEXEC, 0));
    struct errinfo cause = { 0 };
    int r;

    if (fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "%s does not exist", path);
    if (fd < 0)
        return err_sys(e, "open %s", path);
    r = fd_read_to_end(fd, max_bytes, b, &cause);
    if (r < 0) {
        (void)err_set(e, r, "%s: %s", path, cause.text);
        if (e)
            e->sys_errno = cause.sys_errno;
    }
    return r;
}

static int write_new_file(const char *path, mode_t mode, const void *block, size_t len,
                          struct errinfo *e)
{
    AUTO_FINI(fd) int fd = RETRY(sys.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    int r;

    if (fd < 0)
        return err_sys(e, "create %s", path);
    r = fd_write_all(fd, block, len, e);
    if (r < 0)
        return r;
    if (RETRY(sys.fsync(fd)) < 0)
        return err_sys(e, "fsync %s", path);
    return 0;
}

static int sync_parent(const char *path, struct errinfo *e)
{
    const char *slash = strrchr(path, '/');
    AUTO(mem) char *dir = NULL;

    if (!slash)
        return fd_sync_dir(".", e);
    if (slash == path)
        return fd_sync_dir("/", e);
    dir = mem_dup(path, (size_t)(slash - path));
    return fd_sync_dir(dir, e);
}

int fd_write_file_atomic(const char *path, mode_t mode, const void *block, size_t len,
                         struct errinfo *e)
{
    /* A name of its own, so that two writers of one path cannot mix their bytes. */
    AUTO(mem) char *temporary = mem_printf("%s.%016" PRIx64 ".tmp", path, random_u64());
    int r;

    r = write_new_file(temporary, mode, block, len, e);
    if (r == 0 && sys.rename(temporary, path) < 0)
        r = err_sys(e, "rename %s", temporary);
    if (r < 0) {
        (void)unlink(temporary); /* it may not exist; the first fault is the one to tell */
        return r;
    }
    return sync_parent(path, e);
}

int fd_sync_dir(const char *path, struct errinfo *e)
{
    AUTO_FINI(fd) int fd = RETRY(sys.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));

    if (fd < 0)
        return err_sys(e, "open %s", path);
    if (RETRY(sys.fsync(fd)) < 0)
        return err_sys(e, "fsync %s", path);
    return 0;
}
