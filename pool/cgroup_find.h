/* pool/cgroup_find.h - where the control group of this process is, in each tree that there is.
 *
 * From /proc/self/mountinfo and /proc/self/cgroup: unified hosts, hybrid ones (version 2 beside
 * version 1, without controllers), version 1 only, inside and outside of containers.
 */
#ifndef JOBD_POOL_CGROUP_FIND_H
#define JOBD_POOL_CGROUP_FIND_H

#include <stddef.h>

#include "base/err.h"
#include "pool/cgroup.h"

#define CGROUP_PATH_SIZE 4096

/* The directory of a process's group in a tree, from the texts of these two files; "" when
 * there is none. */
char *cgroup_own_path(const char *mountinfo, const char *cgroups, enum cgroup_tree tree,
                      char room[CGROUP_PATH_SIZE]);

/* Open them; -1 where there is none. ERR_NOT_FOUND: no tree at all. */
int cgroup_find_own(int ret_dirs[CGROUP_TREES], struct errinfo *e);

#endif
