/* pool/tree_remove.h - remove what jobs have left, however deep or broad, a little at a time.
 *
 * Nothing is followed: no symbolic link, no mount point. A directory within one that is to go
 * is moved up beside it first, so neither depth nor length of a path matters. One thread;
 * several processes may do it at the same place.
 */
#ifndef JOBD_POOL_TREE_REMOVE_H
#define JOBD_POOL_TREE_REMOVE_H

#include <stdbool.h>

#include "base/clock.h"

enum removal {
    REMOVAL_DONE, /* the directory is empty */
    REMOVAL_MORE, /* the time is over */
    REMOVAL_STUCK /* something in it cannot be removed (immutable, a mount point) */
};

/* Remove what is in the directory dir_fd, and not the directory itself, until deadline_us
 * (monotonic). Names that begin with "deep." in it are for this function's own use. */
enum removal tree_remove_some(int dir_fd, usec_t deadline_us);

#endif
