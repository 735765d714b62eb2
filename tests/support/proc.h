/* tests/support/proc.h - looking at processes through /proc.
 */
#ifndef JOBD_TESTS_SUPPORT_PROC_H
#define JOBD_TESTS_SUPPORT_PROC_H

#include <stddef.h>
#include <sys/types.h>

#include "base/clock.h"

/* The children of parent with this name (comm), at most max. Returns how many. */
size_t proc_children(pid_t parent, const char *name, pid_t *ret_pids, size_t max);
/* The first of them, for which it waits. */
pid_t proc_await_child(pid_t parent, const char *name);
/* What it has used of the CPU. */
usec_t proc_cpu_us(pid_t pid);
/* How many descriptors it has open. */
unsigned proc_open_fds(pid_t pid);

#endif
