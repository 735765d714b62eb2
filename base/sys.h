/* base/sys.h - the system calls whose failure jobd must survive, behind one table.
 *
 * Production code calls sys.fsync(fd); a test replaces one pointer to make the disk full, the
 * process table full or the descriptor table full, and sys_reset() puts the real ones back.
 * Only a test writes to `sys`.
 */
#ifndef JOBD_BASE_SYS_H
#define JOBD_BASE_SYS_H

#include <sys/types.h>

struct sys_calls {
    int (*fsync)(int fd);
    ssize_t (*write)(int fd, const void *block, size_t len);
    int (*open)(const char *path, int flags, mode_t mode);
    int (*openat)(int dir_fd, const char *path, int flags, mode_t mode);
    int (*rename)(const char *from, const char *to);
    int (*pipe2)(int fds[2], int flags);
    pid_t (*fork)(void);
};

extern struct sys_calls sys;

void sys_reset(void);

#endif
