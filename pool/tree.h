/* pool/tree.h - a process tree below a subreaper: signal it, kill it, prove that it is empty.
 *
 * The caller is a subreaper (tree_become_subreaper()), so whatever daemonises, changes its
 * session or loses its parent becomes the caller's child. Members are signalled through pidfds,
 * never by a number that may have been reaped. "Empty" is the kernel's word: waitpid() says
 * ECHILD. A spared process keeps its whole subtree, and is not reaped. Source: prctl(2)
 * PR_SET_CHILD_SUBREAPER, pidfd_open(2), proc(5). One thread.
 */
#ifndef JOBD_POOL_TREE_H
#define JOBD_POOL_TREE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

int tree_become_subreaper(struct errinfo *e);

/* Send sig (then SIGCONT when it is SIGTERM) to every descendant of this process for which
 * spare() (may be NULL) is false; returns how many got it. */
int tree_signal(int sig, bool (*spare)(void *ctx, pid_t pid), void *ctx);

/* Kill and reap every descendant that is not spared, until none is left. Blocks, as short as
 * the kernel takes. Returns how many were killed. With no spare() the end is proven by ECHILD.
 */
int tree_sweep(bool (*spare)(void *ctx, pid_t pid), void *ctx);

#endif
