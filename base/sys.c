#include "base/sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* open(2) and openat(2) are variadic, so their addresses do not fit the table. */
static int real_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

static int real_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
    return openat(dir_fd, path, flags, mode);
}

/* clang-format off */
#define REAL_CALLS            \
    {                         \
        .fsync = fsync,       \
        .write = write,       \
        .open = real_open,    \
        .openat = real_openat,\
        .rename = rename,     \
        .pipe2 = pipe2,       \
        .fork = fork,         \
    }
/* clang-format on */

struct sys_calls sys = REAL_CALLS;

void sys_reset(void)
{
    sys = (struct sys_calls)REAL_CALLS;
}
