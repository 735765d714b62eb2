/* pool/kin.h - which of two process trees below one worker a process belongs to.
 *
 * While a warm program is being replaced, two of its processes live below the worker. What is
 * still below one of them is its own. What has lost its parent has become the worker's child,
 * and could be of either: it is told by its environment, which it inherited (KIN_NAME).
 * One that has cleared its environment belongs to nobody, and goes with the tree that ends
 * first. One thread.
 */
#ifndef JOBD_POOL_KIN_H
#define JOBD_POOL_KIN_H

#include <stdbool.h>
#include <sys/types.h>

#define KIN_NAME "JOBD_PROGRAM_ID"
#define KIN_SIZE 48

struct kin {
    pid_t pid;           /* of the tree's root; 0: there is none */
    char mark[KIN_SIZE]; /* "JOBD_PROGRAM_ID=...", in the environment of all of them */
};

/* A new mark, for a root that is about to be started. */
void kin_init(struct kin *k);
/* Whether pid, a child of this process, is k's. */
bool kin_has(const struct kin *k, pid_t pid);

#endif
