/* domain/batch.h - jobs that were submitted together, counted together and end together.
 *
 * A batch is closed when nobody may add members to it; it has ended once it is closed and all
 * its members have. The members of an array are one row until they are made, a piece at a time:
 * they are part of the batch from the start, as `pending` ones. Plain data and pure rules, one
 * thread at a time.
 */
#ifndef JOBD_DOMAIN_BATCH_H
#define JOBD_DOMAIN_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/uuid7.h"
#include "domain/job_state.h"

#define BATCH_JOBS_MAX   10000  /* in one request */
#define BATCH_ARRAY_MAX  100000 /* members of an array */
#define BATCH_NAME_MAX   128
#define BATCH_ERRORS_MAX 1000 /* kinds of failures; all further ones are counted as one */

enum batch_state {
    BATCH_OPEN, /* members may be added */
    BATCH_RUNNING,
    BATCH_SUCCEEDED, /* all members have */
    BATCH_FAILED,    /* all have ended, one has failed */
    BATCH_CANCELED,  /* all have ended after a cancel of the batch, or all those that have not
                        succeeded were canceled */
    BATCH_STATE_MAX_
};

/* What the first failure means to the others. */
enum failure_policy { BATCH_CONTINUE, BATCH_CANCEL_REMAINING, FAILURE_POLICY_MAX_ };

/* What puts an end to a batch before its time. */
enum batch_stop { BATCH_GOES_ON, BATCH_STOP_FAIL_FAST, BATCH_STOP_CANCEL, BATCH_STOP_MAX_ };

/* The jobs that a batch submits: its members, and its callbacks. */
enum batch_spec {
    BATCH_SPEC_MEMBER,   /* each member of the array */
    BATCH_SPEC_COMPLETE, /* once all have ended, however they did */
    BATCH_SPEC_SUCCESS,  /* once all have succeeded */
    BATCH_SPEC_FAILURE,  /* when the first one has failed */
    BATCH_SPEC_MAX_
};

struct batch {
    struct uuid7 id;
    enum batch_state state;
    int64_t version;    /* 1 when created, one more with every transaction that changes it */
    int64_t change_seq; /* the ledger's number of its last event; 0: it has none */
    char *tenant;       /* NULL and "": the default one */
    char *created_by;
    char *name;   /* NULL: none */
    char *labels; /* a JSON object; NULL: none */
    bool closed;
    enum failure_policy failure_policy;
    int64_t max_concurrency; /* members that have been made and have not ended; 0: any number */
    int64_t array_size;      /* 0: no array */
    int64_t array_made;      /* members with a smaller index have been made */
    int64_t counts[JOB_STATE_MAX_]; /* of those that have been made */
    enum batch_stop stop;
    char *reason;      /* that its members are given when it is canceled; NULL: none */
    bool sweeping;     /* members that have not ended are being told to */
    int64_t sweep_key; /* those up to this uuid7_key have been */
    unsigned specs;    /* bit 1 << enum batch_spec: what it submits */
    unsigned called;   /* callbacks that have been: each is submitted once */
    int64_t error_groups;
    usec_t created_at_us;
    usec_t started_at_us;  /* when the first member was */
    usec_t finished_at_us; /* 0 while it has not ended */
    usec_t updated_at_us;
    usec_t cancel_requested_at_us;
};

void batch_fini(struct batch *b);
DEFINE_AUTO_FINI(batch, struct batch)

static inline const char *batch_tenant(const struct batch *b)
{
    return b->tenant ? b->tenant : "";
}

/* Members that are to be made, and that will never be as the batch was stopped first. */
int64_t batch_pending(const struct batch *b);
int64_t batch_skipped(const struct batch *b);
/* All members, and those that have not ended. */
int64_t batch_total(const struct batch *b);
int64_t batch_active(const struct batch *b);
/* How many pending members may be made now. */
int64_t batch_may_make(const struct batch *b);
/* Whether the engine has something to do for it now, other than what its members bring. */
bool batch_has_work(const struct batch *b);

/* A member has gone from one state to another; from < 0: it is new. */
void batch_count(struct batch *b, int from, enum job_state to);
/* Stop it: nobody may add to it, nothing is made any more, members are to be swept. */
void batch_stop(struct batch *b, enum batch_stop why);
/* After a change of the above: what its state is now, and when it began and ended. Returns
 * which callbacks are due (bit 1 << enum batch_spec); they are noted as called. */
unsigned batch_settle(struct batch *b, usec_t now_us);

/* "open" and so on; the enum of that name, or -1. */
const char *batch_state_name(enum batch_state state);
int batch_state_parse(const char *name);
bool batch_state_is_final(enum batch_state state);
/* "continue", "cancel_remaining". */
const char *failure_policy_name(enum failure_policy policy);
int failure_policy_parse(const char *name);
/* "member", "on_complete", "on_success", "on_failure". */
const char *batch_spec_name(enum batch_spec spec);

#endif
