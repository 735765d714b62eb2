#include "domain/batch.h"

#include <assert.h>
#include <stdlib.h>

#include "base/text.h"

static const char *const state_names[BATCH_STATE_MAX_] = {
    [BATCH_OPEN] = "open",     [BATCH_RUNNING] = "running",   [BATCH_SUCCEEDED] = "succeeded",
    [BATCH_FAILED] = "failed", [BATCH_CANCELED] = "canceled",
};
static const char *const policy_names[FAILURE_POLICY_MAX_] = {
    [BATCH_CONTINUE] = "continue",
    [BATCH_CANCEL_REMAINING] = "cancel_remaining",
};
static const char *const spec_names[BATCH_SPEC_MAX_] = {
    [BATCH_SPEC_MEMBER] = "member",
    [BATCH_SPEC_COMPLETE] = "on_complete",
    [BATCH_SPEC_SUCCESS] = "on_success",
    [BATCH_SPEC_FAILURE] = "on_failure",
};

static int find(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (text_equal(names[i], name))
            return i;
    return -1;
}

const char *batch_state_name(enum batch_state state)
{
    assert(state < BATCH_STATE_MAX_);
    return state_names[state];
}

int batch_state_parse(const char *name)
{
    return find(state_names, BATCH_STATE_MAX_, name);
}

bool batch_state_is_final(enum batch_state state)
{
    return state >= BATCH_SUCCEEDED;
}

const char *failure_policy_name(enum failure_policy policy)
{
    assert(policy < FAILURE_POLICY_MAX_);
    return policy_names[policy];
}

int failure_policy_parse(const char *name)
{
    return find(policy_names, FAILURE_POLICY_MAX_, name);
}

const char *batch_spec_name(enum batch_spec spec)
{
    assert(spec < BATCH_SPEC_MAX_);
    return spec_names[spec];
}

/* -- numbers --------------------------------------------------------------------------------
 */

int64_t batch_pending(const struct batch *b)
{
    return b->stop == BATCH_GOES_ON ? b->array_size - b->array_made : 0;
}

int64_t batch_skipped(const struct batch *b)
{
    return b->stop == BATCH_GOES_ON ? 0 : b->array_size - b->array_made;
}

int64_t batch_total(const struct batch *b)
{
    int64_t total = b->array_size - b->array_made;

    for (int s = 0; s < JOB_STATE_MAX_; s++)
        total += b->counts[s];
    return total;
}

/* Those that have been made and have not ended. */
static int64_t alive(const struct batch *b)
{
    int64_t count = 0;

    for (int s = 0; s < JOB_STATE_MAX_; s++)
        count += job_state_is_final((enum job_state)s) ? 0 : b->counts[s];
    return count;
}

int64_t batch_active(const struct batch *b)
{
    return batch_pending(b) + alive(b);
}

int64_t batch_may_make(const struct batch *b)
{
    int64_t pending = batch_pending(b);
    int64_t room = b->max_concurrency > 0 ? b->max_concurrency - alive(b) : pending;

    if (room < 0)
        return 0;
    return room < pending ? room : pending;
}

bool batch_has_work(const struct batch *b)
{
    return b->sweeping || batch_may_make(b) > 0;
}

/* -- changes --------------------------------------------------------------------------------
 */

void batch_count(struct batch *b, int from, enum job_state to)
{
    if (from >= 0)
        b->counts[from]--;
    b->counts[to]++;
}

void batch_stop(struct batch *b, enum batch_stop why)
{
    b->stop = why;
    b->closed = true;
    b->sweeping = true;
    b->sweep_key = 0;
}

static enum batch_state state_of(const struct batch *b)
{
    bool canceled = b->counts[JOB_CANCELED] + batch_skipped(b) > 0;

    if (!b->closed)
        return BATCH_OPEN;
    if (batch_active(b) > 0)
        return BATCH_RUNNING;
    if (b->stop == BATCH_STOP_CANCEL && canceled)
        return BATCH_CANCELED;
    if (b->counts[JOB_FAILED] > 0)
        return BATCH_FAILED;
    return canceled ? BATCH_CANCELED : BATCH_SUCCEEDED;
}

static bool has_begun(const struct batch *b)
{
    return b->counts[JOB_RUNNING] + b->counts[JOB_CANCELING] + b->counts[JOB_SUCCEEDED] +
               b->counts[JOB_FAILED] >
           0;
}

/* One that has ended and whose members are tried again runs again. */
static void set_state(struct batch *b, enum batch_state state, usec_t now_us)
{
    bool ended = batch_state_is_final(state);

    if (ended && !batch_state_is_final(b->state))
        b->finished_at_us = now_us;
    if (!ended)
        b->finished_at_us = 0;
    b->state = state;
}

unsigned batch_settle(struct batch *b, usec_t now_us)
{
    unsigned due = 0;

    if (b->started_at_us == 0 && has_begun(b))
        b->started_at_us = now_us;
    set_state(b, state_of(b), now_us);
    b->updated_at_us = now_us;
    if (batch_state_is_final(b->state))
        due |= 1U << BATCH_SPEC_COMPLETE;
    if (b->state == BATCH_SUCCEEDED)
        due |= 1U << BATCH_SPEC_SUCCESS;
    if (b->counts[JOB_FAILED] > 0)
        due |= 1U << BATCH_SPEC_FAILURE;
    due &= b->specs & ~b->called;
    b->called |= due;
    return due;
}

void batch_fini(struct batch *b)
{
    free(b->tenant);
    free(b->created_by);
    free(b->name);
    free(b->labels);
    free(b->reason);
    *b = (struct batch){ 0 };
}
