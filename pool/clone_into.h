/* pool/clone_into.h - vfork(2) into a control group: clone3(2) with CLONE_INTO_CGROUP.
 *
 * A process that is moved into a group costs the kernel a grace period of its RCU, which is
 * milliseconds; one that is born there costs nothing. glibc 2.36 has no wrapper that takes a
 * stack and this flag, so this is one, for x86-64 and AArch64.
 */
#ifndef JOBD_POOL_CLONE_INTO_H
#define JOBD_POOL_CLONE_INTO_H

#include <stddef.h>
#include <sys/types.h>

/* Run child(arg) in a new process in the group of this directory, on this stack, in our memory,
 * until it execs or ends (CLONE_VM | CLONE_VFORK): what it returns is its exit code. Returns
 * its pid, or -1 with errno: ENOSYS where it is not known how; also EINVAL, EPERM, EACCES,
 * EOPNOTSUPP, EBUSY, as clone3(2) says: then it can still be moved. */
pid_t clone_into(int group_dir, char *stack, size_t stack_size, int (*child)(void *arg),
                 void *arg);

#endif
