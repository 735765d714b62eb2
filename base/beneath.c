#include "base/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#define SEGMENT_SIZE 256

static bool is_dots(const char *segment, size_t len)
{
    return (len == 1 && segment[0] == '.') || (len == 2 && memcmp(segment, "..", 2) == 0);
}

static bool same_device(int a, int b)
{
    struct stat x, y;

    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev;
}

/* One directory further down. What cannot be seen without openat2(2) is a mount of the same
 * file system. */
static int step(int dir_fd, const char *segment, size_t len)
{
    char name[SEGMENT_SIZE];
    AUTO_FINI(fd) int fd = -1;

    if (len == 0 || len >= sizeof name || is_dots(segment, len)) {
        errno = ENOENT;
        return -1;
    }
    memcpy(name, segment, len);
    name[len] = '\0';
    fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && !same_device(fd, dir_fd)) {
        errno = EXDEV;
        return -1;
    }
    return fd_take(&fd);
}

/* For kernels before 5.6, and where a filter forbids openat2(2). */
static int walk(int dir_fd, const char *path, int flags, mode_t mode)
{
    AUTO_FINI(fd) int at = -1;
    const char *slash;
    int fd;

    if (strcmp(path, ".") == 0)
        return openat(dir_fd, path, flags, mode);
    while ((slash = strchr(path, '/')) != NULL) {
        int next = step(at >= 0 ? at : dir_fd, path, (size_t)(slash - path));

        if (next < 0)
            return -1;
        fd_fini(&at);
        at = next;
        path = slash + 1;
    }
    if (path[0] == '\0' || is_dots(path, strlen(path))) {
        errno = ENOENT;
        return -1;
    }
    fd = openat(at >= 0 ? at : dir_fd, path, flags, mode);
    if (fd >= 0 && !same_device(fd, dir_fd)) {
        fd_fini(&fd);
        errno = EXDEV;
    }
    return fd;
}

int beneath_open(int dir_fd, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    int fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof how);

    if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
        return fd;
    return walk(dir_fd, path, (int)how.flags, mode);
}

int beneath_open_dir(int dir_fd, const char *path)
{
    return beneath_open(dir_fd, path, O_RDONLY | O_DIRECTORY, 0);
}
