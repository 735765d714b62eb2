#include "domain/job_patch.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/job_spec_members.h"
#include "domain/json_text.h"
#include "domain/merge_patch.h"

/* What may change while the job waits. The rest is what the job is: another one is a clone. */
static const enum job_spec_member changeable[] = {
    SPEC_LABELS, SPEC_NAME,    SPEC_QUEUE, SPEC_PRIORITY, SPEC_DELAY,
    SPEC_RUN_AT, SPEC_TIMEOUT, SPEC_GRACE, SPEC_RETRY,    SPEC_TTL,
};

struct patching {
    const json_t *patch;
    json_t *payload; /* of the job, as it becomes */
    struct job_spec_draft draft;
};

static int find_member(const char *name)
{
    for (int i = 0; i < SPEC_MEMBER_MAX_; i++)
        if (text_equal(job_spec_member_name((enum job_spec_member)i), name))
            return i;
    return -1;
}

static bool is_changeable(int member)
{
    for (size_t i = 0; i < COUNT_OF(changeable); i++)
        if ((int)changeable[i] == member)
            return true;
    return false;
}

static bool has(const struct patching *p, enum job_spec_member member)
{
    return json_object_get(p->patch, job_spec_member_name(member)) != NULL;
}

/* -- decoding -------------------------------------------------------------------------------
 */

/* The members to be decoded: those that the patch sets, objects merged with what there was. */
static json_t *members_of(struct patching *p)
{
    json_t *members = json_object();
    const char *name;
    json_t *value;

    json_object_foreach (json_iterable(p->patch), name, value) {
        int member = find_member(name);

        if (member >= 0 && !is_changeable(member)) {
            AUTO(mem) char *pointer = faults_pointer("#", name);

            faults_add(p->draft.faults, pointer, "not-changeable",
                       "cannot be changed; a clone of the job may have another");
        } else if (!json_is_null(value)) {
            (void)json_object_set_new_nocheck(
                members, name, merge_patch(json_object_get(p->payload, name), value));
        } else if (member < 0) {
            (void)json_object_set_nocheck(members, name, value); /* to be called unknown */
        }
    }
    return members;
}

static int decode(struct patching *p, json_t *members, struct errinfo *e)
{
    struct faults *f = p->draft.faults;

    if (job_spec_want(&p->draft, json_is_object(p->patch), p->patch, "#", "an object"))
        job_spec_members_decode(&p->draft, members);
    if (p->draft.sent[SPEC_DELAY] && p->draft.sent[SPEC_RUN_AT])
        faults_add(f, "#/run_at", "conflict",
                   "at most one of delay_seconds and run_at may be given");
    return faults_judge(f, 0, e);
}

/* -- applying -------------------------------------------------------------------------------
 */

static void replace_text(char **text, char **take_new)
{
    free(*text);
    *text = TAKE(*take_new);
}

static void apply_policy(struct patching *p, struct job *job)
{
    const struct job_spec *spec = p->draft.spec;
    const struct function *fn = spec->fn;

    if (has(p, SPEC_PRIORITY))
        job->priority = spec->priority;
    if (has(p, SPEC_TTL))
        job->ttl_us = spec->ttl_us;
    if (p->draft.sent[SPEC_TIMEOUT])
        job->timeout_us = spec->timeout_us;
    else if (has(p, SPEC_TIMEOUT))
        job->timeout_us = fn ? fn->timeout_us : 0;
    if (p->draft.sent[SPEC_GRACE])
        job->grace_us = spec->grace_us;
    else if (has(p, SPEC_GRACE))
        job->grace_us = fn ? fn->grace_us : JOB_GRACE_DEFAULT_US;
}

static void apply_names(struct patching *p, struct job *job)
{
    struct job_spec *spec = p->draft.spec;

    if (has(p, SPEC_NAME))
        replace_text(&job->name, &spec->name);
    if (!has(p, SPEC_QUEUE))
        return;
    if (!spec->queue)
        spec->queue = mem_str(JOB_QUEUE_DEFAULT);
    replace_text(&job->queue, &spec->queue);
}

/* When it is to run, if that is said; else it waits as it did. */
static void apply_time(struct patching *p, usec_t now_us, struct job *job)
{
    const struct job_spec *spec = p->draft.spec;
    usec_t due_us = spec->delay_us > 0 ? now_us + spec->delay_us : spec->run_at_us;

    if (!has(p, SPEC_DELAY) && !has(p, SPEC_RUN_AT))
        return;
    replace_text(&job->reason, &(char *){ NULL });
    if (due_us > now_us) {
        job->state = JOB_SCHEDULED;
        job->scheduled_at_us = due_us;
        job->queued_at_us = 0;
    } else if (job->state == JOB_SCHEDULED) {
        job->state = JOB_QUEUED;
        job->scheduled_at_us = 0;
        job->queued_at_us = now_us;
    }
}

static void apply_payload(struct patching *p, struct job *job)
{
    struct job_spec *spec = p->draft.spec;
    char *text;

    if (!has(p, SPEC_LABELS) && !has(p, SPEC_RETRY))
        return;
    if (p->draft.sent[SPEC_LABELS])
        (void)json_object_set(p->payload, "labels", json_iterable(p->draft.sent[SPEC_LABELS]));
    else if (has(p, SPEC_LABELS))
        (void)json_object_del(p->payload, "labels");
    if (has(p, SPEC_RETRY)) {
        job_spec_retry_fill(&p->draft);
        if (p->draft.sent[SPEC_RETRY] || spec->retry.max_attempts > 1)
            (void)json_object_set_new(p->payload, "retry", retry_encode(&spec->retry));
        else
            (void)json_object_del(p->payload, "retry");
    }
    text = json_text_dump(p->payload, &job->payload_len);
    replace_text(&job->payload, &text);
}

int job_patch_apply(const json_t *patch, const struct job_spec_rules *rules, usec_t now_us,
                    struct job *job, struct faults *f, struct errinfo *e)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    AUTO(json) json_t *payload = NULL;
    AUTO(json) json_t *members = NULL;
    struct patching p = { .patch = patch,
                          .draft = { .rules = rules, .spec = &spec, .faults = f } };
    int r;

    if (json_text_parse(job->payload, job->payload_len, &payload, NULL) < 0)
        return err_set(e, ERR_DATABASE, "the payload of a job cannot be read");
    p.payload = payload;
    if (job->function)
        spec.fn = function_find(rules->functions, job->function);
    members = members_of(&p);
    r = decode(&p, members, e);
    if (r < 0)
        return r;
    apply_policy(&p, job);
    apply_names(&p, job);
    apply_time(&p, now_us, job);
    apply_payload(&p, job);
    return 0;
}

/* -- the request of a job -------------------------------------------------------------------
 */

static void set(json_t *request, enum job_spec_member member, json_t *take_value)
{
    if (take_value)
        (void)json_object_set_new_nocheck(request, job_spec_member_name(member), take_value);
}

/* Limits hold as they were merged with those of the function; only what is below them is the
 * job's own, and what is above them now is not allowed any more. */
static json_t *own_limits(const json_t *payload, const struct limits *ceiling)
{
    struct limits limits = limits_decode(json_object_get(payload, "limits"));

    for (int i = 0; i < LIMIT_MAX_; i++)
        if (ceiling->values[i] != 0 && limits.values[i] >= ceiling->values[i])
            limits.values[i] = 0;
    return limits_empty(&limits) ? NULL : limits_encode(&limits);
}

static json_t *seconds(usec_t us)
{
    return us % USEC_PER_SEC == 0 ? json_integer(us / USEC_PER_SEC)
                                  : json_real((double)us / (double)USEC_PER_SEC);
}

static void set_scalars(json_t *request, const struct job *job)
{
    set(request, SPEC_FUNCTION, job->function ? json_string(job->function) : NULL);
    set(request, SPEC_NAME, job->name ? json_string(job->name) : NULL);
    set(request, SPEC_QUEUE, json_string(job->queue));
    set(request, SPEC_PRIORITY, json_integer(job->priority));
    set(request, SPEC_TIMEOUT, job->timeout_us > 0 ? seconds(job->timeout_us) : NULL);
    set(request, SPEC_GRACE, seconds(job->grace_us));
    set(request, SPEC_TTL, job->ttl_us > 0 ? seconds(job->ttl_us) : NULL);
}

int job_patch_request(const struct job *job, const struct function *fn,
                      const struct limits *ceiling, json_t **ret_request, struct errinfo *e)
{
    static const enum job_spec_member copied[] = {
        SPEC_COMMAND, SPEC_ARGS,   SPEC_STDIN,    SPEC_ENV,
        SPEC_LABELS,  SPEC_INPUTS, SPEC_LEFTOVER, SPEC_RETRY,
    };
    bool is_program = fn && fn->kind == FUNCTION_PROGRAM;
    AUTO(json) json_t *payload = NULL;
    json_t *request;

    if (json_text_parse(job->payload, job->payload_len, &payload, NULL) < 0)
        return err_set(e, ERR_DATABASE, "the payload of a job cannot be read");
    request = json_object();
    set_scalars(request, job);
    for (size_t i = 0; i < COUNT_OF(copied); i++)
        set(request, copied[i],
            json_incref(json_object_get(payload, job_spec_member_name(copied[i]))));
    if (is_program)
        (void)json_object_del(request, job_spec_member_name(SPEC_LEFTOVER));
    else
        set(request, SPEC_LIMITS, own_limits(payload, ceiling));
    *ret_request = request;
    return 0;
}

/* -- once more ------------------------------------------------------------------------------
 */

void job_patch_wait_again(struct job *job, const struct function *fn, usec_t now_us)
{
    free(job->pool);
    job->pool = mem_str(fn ? function_pool(fn) : "");
    free(job->reason);
    job->reason = NULL;
    job->state = JOB_QUEUED;
    job->scheduled_at_us = 0;
    job->queued_at_us = now_us;
}
