/* domain/job_state.h - the states of a job, and the table that says how they follow each other.
 *
 *     scheduled --due--> queued --claim--> running --succeed--> succeeded
 *         |  ^             |  ^             |  | `--fail------> failed
 *         |  `--retry------|--|-------------'  |
 *         |                |  `---release------'
 *       cancel           cancel              cancel
 *         `-----------------`--> canceled <-- canceling
 *
 * A final state is the end, but for two things that people ask for: `requeue`, from failed or
 * canceled to queued, for one more attempt; and `purge`, which stops what is not final and lets
 * the record of what is be removed.
 *
 * Pure: no I/O, no clock, any thread. Every change of a state in the store goes through
 * job_next().
 */
#ifndef JOBD_DOMAIN_JOB_STATE_H
#define JOBD_DOMAIN_JOB_STATE_H

#include <stdbool.h>

enum job_state {
    JOB_SCHEDULED, /* waits for its time: run_at, or the back-off before a retry */
    JOB_QUEUED,    /* waits for a worker */
    JOB_RUNNING,   /* a worker owns it; the claim is on disk */
    JOB_CANCELING, /* runs, and has been told to stop */
    JOB_SUCCEEDED, /* final, like the two below */
    JOB_FAILED,
    JOB_CANCELED,
    JOB_STATE_MAX_
};

enum job_event {
    JOB_EV_DUE,     /* its time has come */
    JOB_EV_CLAIM,   /* given to a worker */
    JOB_EV_CANCEL,  /* somebody asked for its end */
    JOB_EV_SUCCEED, /* the attempt ended well, and its process tree is empty */
    JOB_EV_FAIL,    /* the attempt ended otherwise, and its process tree is empty */
    JOB_EV_RETRY,   /* the same, and another attempt is due later */
    JOB_EV_RELEASE, /* given back: never started, or stopped so that jobd can stop */
    JOB_EV_DELAY,   /* put off to a time to come */
    JOB_EV_REQUEUE, /* somebody asked for another attempt */
    JOB_EV_PURGE,   /* somebody asked for its removal, or its time is over */
    JOB_EVENT_MAX_
};

/* The state after the event, or -1 when the event is not allowed in this state. */
int job_next(enum job_state from, enum job_event event);
bool job_state_is_final(enum job_state state);
/* Whether a worker owns the job: running or canceling. */
bool job_state_is_owned(enum job_state state);

/* "scheduled" and so on: the name in the API and in the database. */
const char *job_state_name(enum job_state state);
/* The state of that name, or -1. */
int job_state_parse(const char *name);
const char *job_event_name(enum job_event event);

#endif
