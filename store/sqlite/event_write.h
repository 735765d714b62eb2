/* store/sqlite/event_write.h - how a change of a job becomes an event in the same transaction.
 *
 * Internal to store/sqlite/. A statement that changes a job says so with CHANGE among its SETs,
 * and is run by sq_change(). In CHANGE is a function of ours: SQLite hands it the columns of
 * the old row, which it has at hand anyway; to look them up before would cost a search for
 * every change.
 */
#ifndef JOBD_STORE_SQLITE_EVENT_WRITE_H
#define JOBD_STORE_SQLITE_EVENT_WRITE_H

#include "domain/event.h"
#include "store/sqlite/sq.h"
#include "store/sqlite/stmt.h"

#define CHANGE                                                                                 \
    "version = version + 1,"                                                                   \
    " change_seq = jobd_change(id, id_rand, state, version, change_seq, attempt, queue,"       \
    " function, tenant, reason, batch_key, batch_rand, worker_id, worker_pid)"

/* For sq_change.state: the row keeps the state that it has. */
#define SQ_STATE_AS_IT_IS JOB_STATE_MAX_
/* For sq_change.reason, compared by address: the reason that the row has. */
extern const char SQ_REASON_OF_THE_JOB[];

/* What a change is, beyond what the row tells. */
struct sq_change {
    enum event_kind kind;
    enum job_state state; /* after it */
    usec_t at_us;
    const char *reason; /* of the event; NULL: none */
    int attempts;       /* by how much the attempt's number rises */
    int progress_ppm;   /* with EVENT_JOB_PROGRESS only */
};

/* Once, before the first change. */
int sq_events_init(struct sq *sq, struct errinfo *e);

/* The number of the next change. */
static inline int64_t sq_next_seq(const struct sq *sq)
{
    return sq->ledger.change_seq + 1;
}

/* Step a statement with CHANGE that changes one row at most, and add its event. ERR_NOT_FOUND:
 * it has changed none (expected: no text). */
int sq_change(struct sq *sq, struct stmt *s, const struct sq_change *change, struct errinfo *e);

/* The worker in the row that sq_change() has changed last, as it was. */
struct sq_owner sq_changed_owner(const struct sq *sq);

/* Add an event whose row the caller has written, with sq_next_seq() as its change_seq: all but
 * seq is the caller's. */
int sq_event_add(struct sq *sq, const struct event *ev, struct errinfo *e);

/* Write what is not in a row yet: before the commit. */
int sq_events_flush(struct sq *sq, struct errinfo *e);

#endif
