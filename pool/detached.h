/* pool/detached.h - processes that a job asked to leave alone (`leftover: detach`).
 *
 * They stay children of the worker, and later of the supervisor, so both must know whom to
 * spare: a table in run/detached that every process of jobd maps. A process is spared when it
 * was entered, or when its session is that of one that was entered (so what it forks later is
 * spared too). A daemon that makes itself a new session after it was detached, and whose
 * parents then end, is not known any more: it is killed by a later sweep.
 * Every function accepts NULL, a table without entries. Any process; lock-free.
 */
#ifndef JOBD_POOL_DETACHED_H
#define JOBD_POOL_DETACHED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/clean.h"
#include "base/err.h"
#include "pool/tree.h"

#define DETACHED_MAX 1024

struct detached;

/* Map the table of this data directory; it is made when it is not there. */
int detached_open(const char *data_dir, struct detached **ret_table, struct errinfo *e);
/* Unmaps; the entries stay. Returns NULL. */
struct detached *detached_free(struct detached *d);
DEFINE_AUTO(detached, struct detached)

/* False when the table is full of processes that are alive, or is not there. */
bool detached_add(struct detached *d, const struct tree_process *p);
/* Whether there may be any entry. */
bool detached_any(const struct detached *d);
/* A spare() of pool/tree.h; ctx is the table. */
bool detached_spares(void *ctx, pid_t pid);
/* Forget those that have ended. For the start of jobd: numbers may have been used again. */
void detached_clean(struct detached *d);
/* A new session has this number now: whoever was known by it is gone. */
void detached_forget(struct detached *d, pid_t session);

#endif
