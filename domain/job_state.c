#include "domain/job_state.h"

#include <assert.h>
#include <string.h>

#define TO(s) (JOB_##s + 1) /* an absent entry is 0: the move is not allowed */

/* clang-format off */
static const unsigned char next_state[JOB_STATE_MAX_][JOB_EVENT_MAX_] = {
    [JOB_SCHEDULED] = { [JOB_EV_DUE]     = TO(QUEUED),    [JOB_EV_CANCEL]  = TO(CANCELED),
                        [JOB_EV_DELAY]   = TO(SCHEDULED), [JOB_EV_PURGE]   = TO(CANCELED) },
    [JOB_QUEUED]    = { [JOB_EV_CLAIM]   = TO(RUNNING),   [JOB_EV_CANCEL]  = TO(CANCELED),
                        [JOB_EV_DELAY]   = TO(SCHEDULED), [JOB_EV_PURGE]   = TO(CANCELED) },
    [JOB_RUNNING]   = { [JOB_EV_SUCCEED] = TO(SUCCEEDED), [JOB_EV_FAIL]    = TO(FAILED),
                        [JOB_EV_RETRY]   = TO(SCHEDULED), [JOB_EV_RELEASE] = TO(QUEUED),
                        [JOB_EV_CANCEL]  = TO(CANCELING), [JOB_EV_PURGE]   = TO(CANCELING) },
    /* Work that was done in spite of the cancel counts; anything else is the end asked for. */
    [JOB_CANCELING] = { [JOB_EV_SUCCEED] = TO(SUCCEEDED), [JOB_EV_FAIL]    = TO(CANCELED),
                        [JOB_EV_RETRY]   = TO(CANCELED),  [JOB_EV_RELEASE] = TO(CANCELED),
                        [JOB_EV_CANCEL]  = TO(CANCELING), [JOB_EV_PURGE]   = TO(CANCELING) },
    /* Final. A purge that does not lead elsewhere removes the record. */
    [JOB_SUCCEEDED] = { [JOB_EV_PURGE]   = TO(SUCCEEDED) },
    [JOB_FAILED]    = { [JOB_EV_REQUEUE] = TO(QUEUED),    [JOB_EV_PURGE]   = TO(FAILED) },
    [JOB_CANCELED]  = { [JOB_EV_REQUEUE] = TO(QUEUED),    [JOB_EV_PURGE]   = TO(CANCELED) },
};
/* clang-format on */

static const char *const state_names[JOB_STATE_MAX_] = {
    [JOB_SCHEDULED] = "scheduled", [JOB_QUEUED] = "queued",       [JOB_RUNNING] = "running",
    [JOB_CANCELING] = "canceling", [JOB_SUCCEEDED] = "succeeded", [JOB_FAILED] = "failed",
    [JOB_CANCELED] = "canceled",
};

static const char *const event_names[JOB_EVENT_MAX_] = {
    [JOB_EV_DUE] = "due",         [JOB_EV_CLAIM] = "claim", [JOB_EV_CANCEL] = "cancel",
    [JOB_EV_SUCCEED] = "succeed", [JOB_EV_FAIL] = "fail",   [JOB_EV_RETRY] = "retry",
    [JOB_EV_RELEASE] = "release", [JOB_EV_DELAY] = "delay", [JOB_EV_REQUEUE] = "requeue",
    [JOB_EV_PURGE] = "purge",
};

int job_next(enum job_state from, enum job_event event)
{
    assert(from < JOB_STATE_MAX_ && event < JOB_EVENT_MAX_);
    return next_state[from][event] - 1;
}

bool job_state_is_final(enum job_state state)
{
    return state == JOB_SUCCEEDED || state == JOB_FAILED || state == JOB_CANCELED;
}

bool job_state_is_owned(enum job_state state)
{
    return state == JOB_RUNNING || state == JOB_CANCELING;
}

const char *job_state_name(enum job_state state)
{
    assert(state < JOB_STATE_MAX_);
    return state_names[state];
}

int job_state_parse(const char *name)
{
    for (int i = 0; i < JOB_STATE_MAX_; i++)
        if (strcmp(name, state_names[i]) == 0)
            return i;
    return -1;
}

const char *job_event_name(enum job_event event)
{
    assert(event < JOB_EVENT_MAX_);
    return event_names[event];
}
