/* pool/artifacts.h - take over the files that an attempt has left in its artifacts directory.
 *
 * Only regular files count, with names that are UTF-8 without control characters, and only as
 * many and as much as the bounds allow; they are moved one by one into a tree that nobody else
 * has ever seen, so that nothing else can come along. All of it takes a bounded time. One
 * thread.
 */
#ifndef JOBD_POOL_ARTIFACTS_H
#define JOBD_POOL_ARTIFACTS_H

#include <stdint.h>

#include "base/err.h"

#define ARTIFACTS_DEPTH_MAX 16 /* directories in one another */

struct artifacts_bounds {
    int64_t max_bytes;
    int64_t max_files;
};

struct artifacts_count {
    int64_t files;
    int64_t bytes;
    int64_t left_out; /* names that were not taken, or more */
};

/* Move them from the directory from_fd into a new directory `name` of parent_fd, which is made
 * when there is at least one, and sync them. */
int artifacts_take(int from_fd, int parent_fd, const char *name,
                   const struct artifacts_bounds *bounds, struct artifacts_count *ret_count,
                   struct errinfo *e);

#endif
