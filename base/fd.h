/* base/fd.h - descriptors and small files. Everything opened here is CLOEXEC.
 *
 * Functions restart on EINTR. Errors: ERR_SYS unless another is named. Any thread.
 */
#ifndef JOBD_BASE_FD_H
#define JOBD_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Close *fd if it is open and set it to -1. AUTO_FINI(fd) int fd = -1; closes at end of scope.
 */
void fd_fini(int *fd);
DEFINE_AUTO_FINI(fd, int)
/* The value of *fd, which becomes -1: lets AUTO_FINI(fd) go. */
int fd_take(int *fd);

int fd_set_nonblocking(int fd, bool on, struct errinfo *e);
/* Write all of it to a blocking descriptor. */
int fd_write_all(int fd, const void *block, size_t len, struct errinfo *e);
/* Append what a descriptor gives until end of file to b; ERR_CONTENT_TOO_LARGE beyond
 * max_bytes. On failure b also holds what came before the fault, at most max_bytes. */
int fd_read_to_end(int fd, size_t max_bytes, struct buf *b, struct errinfo *e);

/* mkdir -p with this mode for the missing parts; an existing directory is fine. */
int fd_make_dirs(const char *path, mode_t mode, struct errinfo *e);
/* Read a whole file. ERR_NOT_FOUND when it does not exist, ERR_CONTENT_TOO_LARGE beyond
 * max_bytes. */
int fd_read_file(const char *path, size_t max_bytes, struct buf *b, struct errinfo *e);
/* Make path hold exactly these bytes, whatever happens in between: temporary file beside it,
 * fsync, rename, fsync of the directory. Goes through base/sys.h. On failure path holds its old
 * bytes, or the new ones when only the directory could not be synced. A crash can leave
 * "<path>.<hex>.tmp". */
int fd_write_file_atomic(const char *path, mode_t mode, const void *block, size_t len,
                         struct errinfo *e);
/* fsync a directory, so that names made or removed in it are durable. */
int fd_sync_dir(const char *path, struct errinfo *e);

#endif
