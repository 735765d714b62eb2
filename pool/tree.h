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
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* A process; start (ticks since boot) tells it from others that had or will have its number. */
struct tree_process {
    pid_t pid;
    pid_t session;
    long long start;
};

int tree_become_subreaper(struct errinfo *e);

/* Send sig (then SIGCONT when it is SIGTERM) to every descendant of this process for which
 * spare() (may be NULL) is false; returns how many got it. */
int tree_signal(int sig, bool (*spare)(void *ctx, pid_t pid), void *ctx);

/* What is known of a process that is alive; false when there is none of that number. */
bool tree_look(pid_t pid, struct tree_process *ret_process);
/* Call each() (may be NULL) for every descendant that is alive and not spared. Returns how many
 * there are, with those that are dead but not reaped: 0 is proof that there is none, as a child
 * that was there when the look began is still there, dead or alive. */
size_t tree_each(bool (*spare)(void *ctx, pid_t pid), void *ctx,
                 void (*each)(void *each_ctx, const struct tree_process *p), void *each_ctx);
/* How many threads the processes of a user have. */
int64_t tree_user_threads(uid_t user);

/* Kill and reap every descendant that is not spared, until none is left. Blocks, as short as
 * the kernel takes. Returns how many were killed. With no spare() the end is proven by ECHILD.
 */
int tree_sweep(bool (*spare)(void *ctx, pid_t pid), void *ctx);

#endif
