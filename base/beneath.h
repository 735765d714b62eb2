/* base/beneath.h - open what lies below a directory, and nothing else: a path with "..", an
 * absolute one, a symbolic link or a mount point on the way lead nowhere, whoever changes the
 * tree meanwhile. Any thread. */
#ifndef JOBD_BASE_BENEATH_H
#define JOBD_BASE_BENEATH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* openat(2) with O_CLOEXEC and O_NOFOLLOW. path is relative and has no "." or ".." in it.
 * Returns a descriptor, or -1 with errno: ENOENT, ENOTDIR, ELOOP, EXDEV. */
int beneath_open(int dir_fd, const char *path, int flags, mode_t mode);
/* The same for a directory, to be read or written in. */
int beneath_open_dir(int dir_fd, const char *path);

#endif
