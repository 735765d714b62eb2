#include "handlers/batch_body.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/json_text.h"
#include "domain/suggest.h"
#include "handlers/common.h"
#include "handlers/submission.h"

struct decoding {
    struct submission submission;
    struct http_resp *rs;
    struct batch_create_request *request;
    int worst; /* an error that is no fault of the body: it answers for all */
};

/* -- faults ---------------------------------------------------------------------------------
 */

static void unknown_member(struct decoding *d, const char *name, const char *const *known)
{
    struct suggestion s = { .word = name };
    AUTO(mem) char *pointer = faults_pointer("#", name);

    if (d->submission.rq->lenient)
        return;
    for (; *known; known++)
        suggest_consider(&s, *known);
    faults_add(&d->rs->faults, pointer, "unknown-field", "there is no such field%s%s%s",
               s.nearest ? "; did you mean " : "", s.nearest ? s.nearest : "",
               s.nearest ? "?" : "");
}

static int check_faults(struct decoding *d)
{
    return d->worst < 0 ? d->worst : faults_judge(&d->rs->faults, 0, &d->rs->err);
}

static bool want(struct decoding *d, bool is_right, const char *pointer, const char *what)
{
    if (!is_right)
        faults_add(&d->rs->faults, pointer, "wrong-type", "must be %s", what);
    return is_right;
}

static bool want_number(struct decoding *d, const json_t *value, const char *pointer,
                        int64_t max, int64_t *ret_number)
{
    if (!want(d, json_is_integer(value), pointer, "a whole number"))
        return false;
    if (json_integer_value(value) < 1 || json_integer_value(value) > max) {
        faults_add(&d->rs->faults, pointer, "out-of-range", "must be from 1 to %lld",
                   (long long)max);
        return false;
    }
    *ret_number = json_integer_value(value);
    return true;
}

/* -- jobs -----------------------------------------------------------------------------------
 */

/* One job at this place. Returns whether it is there; ret_job is then the caller's. */
static bool decode_job(struct decoding *d, const json_t *value, const char *at,
                       struct job *ret_job)
{
    struct faults *f = &d->rs->faults;
    size_t before = f->total;
    int r;

    f->at = at;
    r = submission_decode(&d->submission, value, ret_job, f, &d->rs->err);
    if (r == 0 && ret_job->unique)
        faults_add(f, "#/unique", "not-applicable", "a job of a batch is there once anyhow");
    f->at = NULL;
    if (r < 0 && r != ERR_VALIDATION)
        d->worst = r;
    if (r == 0 && f->total > before)
        job_fini(ret_job);
    return r == 0 && f->total == before;
}

static void decode_jobs(struct decoding *d, const json_t *value, struct batch_jobs *jobs)
{
    size_t max = common_service(d->submission.rq)->max_batch_jobs;
    size_t count = json_array_size(value);

    if (!want(d, json_is_array(value), "#/jobs", "an array of jobs"))
        return;
    if (count < 1 || count > max) {
        faults_add(&d->rs->faults, "#/jobs", count ? "too-long" : "too-short",
                   "there must be from 1 to %zu jobs", max);
        return;
    }
    jobs->items = mem_array0(count, sizeof *jobs->items);
    for (size_t i = 0; i < count && d->worst == 0; i++) {
        char at[32];

        (void)snprintf(at, sizeof at, "#/jobs/%zu", i);
        if (decode_job(d, json_array_get(value, i), at, &jobs->items[jobs->count]))
            jobs->count++;
    }
}

void batch_jobs_fini(struct batch_jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++)
        job_fini(&jobs->items[i]);
    free(jobs->items);
    *jobs = (struct batch_jobs){ 0 };
}

/* A job that the batch submits by itself; a delay of it counts from then on. */
static void decode_spec(struct decoding *d, const json_t *value, const char *at,
                        enum batch_spec kind, bool delayed)
{
    struct batch_job *bj = &d->request->specs[kind];

    if (!decode_job(d, value, at, &bj->job))
        return;
    d->request->batch.specs |= 1U << kind;
    if (delayed && json_object_get(value, "delay_seconds") && bj->job.scheduled_at_us > 0) {
        bj->delay_us = bj->job.scheduled_at_us - d->submission.now_us;
        bj->job.scheduled_at_us = 0;
    }
}

static void decode_template(struct decoding *d, const json_t *value)
{
    d->submission.rules.in_array = true;
    decode_spec(d, value, "#/template", BATCH_SPEC_MEMBER, false);
    d->submission.rules.in_array = false;
}

static void decode_array(struct decoding *d, const json_t *value)
{
    const char *name;
    json_t *member;

    if (!want(d, json_is_object(value), "#/array", "an object"))
        return;
    json_object_foreach ((json_t *)(uintptr_t)value, name, member) {
        AUTO(mem) char *pointer = faults_pointer("#/array", name);

        if (text_equal(name, "size"))
            (void)want_number(d, member, pointer, BATCH_ARRAY_MAX,
                              &d->request->batch.array_size);
        else if (!d->submission.rq->lenient)
            faults_add(&d->rs->faults, pointer, "unknown-field", "there is no such field");
    }
    if (!json_object_get(value, "size"))
        faults_add(&d->rs->faults, "#/array", "missing", "must have the member size");
}

static void decode_callbacks(struct decoding *d, const json_t *value)
{
    const char *name;
    json_t *member;

    if (!want(d, json_is_object(value), "#/callbacks", "an object"))
        return;
    json_object_foreach ((json_t *)(uintptr_t)value, name, member) {
        AUTO(mem) char *pointer = faults_pointer("#/callbacks", name);
        int kind = BATCH_SPEC_COMPLETE;

        while (kind < BATCH_SPEC_MAX_ &&
               !text_equal(name, batch_spec_name((enum batch_spec)kind)))
            kind++;
        if (kind < BATCH_SPEC_MAX_)
            decode_spec(d, member, pointer, (enum batch_spec)kind, true);
        else if (!d->submission.rq->lenient)
            faults_add(&d->rs->faults, pointer, "unknown-field",
                       "there are on_complete, on_success and on_failure");
    }
}

/* -- the rest -------------------------------------------------------------------------------
 */

static bool is_length(const char *text, size_t max)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count >= 1 && count <= max;
}

static void decode_name(struct decoding *d, const json_t *value)
{
    const char *text = json_string_value(value);

    if (!want(d, text != NULL, "#/name", "a string"))
        return;
    if (is_length(text, BATCH_NAME_MAX))
        d->request->batch.name = mem_str(text);
    else
        faults_add(&d->rs->faults, "#/name", "too-long", "must have from 1 to %d characters",
                   BATCH_NAME_MAX);
}

static void decode_policy(struct decoding *d, const json_t *value)
{
    const char *text = json_string_value(value);
    int policy = text ? failure_policy_parse(text) : -1;

    if (!want(d, text != NULL, "#/failure_policy", "a string"))
        return;
    if (policy >= 0)
        d->request->batch.failure_policy = (enum failure_policy)policy;
    else
        faults_add(&d->rs->faults, "#/failure_policy", "unknown-value",
                   "must be continue or cancel_remaining");
}

static void decode_closed(struct decoding *d, const json_t *value)
{
    if (want(d, json_is_boolean(value), "#/closed", "true or false"))
        d->request->batch.closed = json_is_true(value);
}

static void decode_concurrency(struct decoding *d, const json_t *value)
{
    (void)want_number(d, value, "#/max_concurrency", BATCH_ARRAY_MAX,
                      &d->request->batch.max_concurrency);
}

static void decode_label(struct decoding *d, const char *name, const json_t *value)
{
    AUTO(mem) char *pointer = faults_pointer("#/labels", name);
    const char *text = json_string_value(value);

    if (!is_length(name, JOB_LABEL_NAME_MAX))
        faults_add(&d->rs->faults, pointer, "invalid-name",
                   "the name must have from 1 to %d characters", JOB_LABEL_NAME_MAX);
    if (!want(d, text != NULL, pointer, "a string"))
        return;
    if (*text && !is_length(text, JOB_LABEL_VALUE_MAX))
        faults_add(&d->rs->faults, pointer, "too-long", "must have at most %d characters",
                   JOB_LABEL_VALUE_MAX);
}

static void decode_labels(struct decoding *d, const json_t *value)
{
    const char *name;
    json_t *label;
    size_t len;

    if (!want(d, json_is_object(value), "#/labels", "an object"))
        return;
    if (json_object_size(value) > JOB_LABELS_MAX) {
        faults_add(&d->rs->faults, "#/labels", "too-long", "must have at most %d members",
                   JOB_LABELS_MAX);
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)value, name, label)
        decode_label(d, name, label);
    d->request->batch.labels = json_text_dump(value, &len);
}

static void decode_members_jobs(struct decoding *d, const json_t *value)
{
    decode_jobs(d, value, &d->request->jobs);
}

static const struct member {
    const char *name;
    void (*decode)(struct decoding *d, const json_t *value);
} members[] = {
    { "name", decode_name },           { "jobs", decode_members_jobs },
    { "template", decode_template },   { "array", decode_array },
    { "callbacks", decode_callbacks }, { "failure_policy", decode_policy },
    { "labels", decode_labels },       { "max_concurrency", decode_concurrency },
    { "closed", decode_closed },
};

static void decode_member(struct decoding *d, const char *name, const json_t *value)
{
    const char *known[COUNT_OF(members) + 1] = { NULL };

    for (size_t i = 0; i < COUNT_OF(members); i++) {
        known[i] = members[i].name;
        if (text_equal(name, members[i].name)) {
            members[i].decode(d, value);
            return;
        }
    }
    unknown_member(d, name, known);
}

/* What the members mean to each other. */
static void check_members(struct decoding *d, const json_t *body)
{
    struct faults *f = &d->rs->faults;
    bool jobs = json_object_get(body, "jobs") != NULL;
    bool template = json_object_get(body, "template") != NULL;
    bool array = json_object_get(body, "array") != NULL;

    if (template != array)
        faults_add(f, template ? "#/template" : "#/array", "missing",
                   "template and array belong together");
    if (!jobs && !template && !array && !json_is_false(json_object_get(body, "closed")))
        faults_add(f, "#", "missing",
                   "a batch has jobs, or a template and an array, or is open: closed is false");
    if (json_object_get(body, "max_concurrency") && !array)
        faults_add(f, "#/max_concurrency", "not-applicable",
                   "only the members of an array are held back");
}

static void decoding_init(struct decoding *d, const struct http_req *rq, struct http_resp *rs)
{
    *d = (struct decoding){ .rs = rs };
    submission_init(&d->submission, rq);
}

int batch_body_decode(const struct http_req *rq, struct http_resp *rs, const json_t *body,
                      struct batch_create_request *request)
{
    struct decoding d;
    const char *name;
    json_t *value;

    decoding_init(&d, rq, rs);
    d.request = request;
    request->batch.closed = true;
    if (want(&d, json_is_object(body), "#", "an object")) {
        json_object_foreach ((json_t *)(uintptr_t)body, name, value)
            decode_member(&d, name, value);
        check_members(&d, body);
    }
    return check_faults(&d);
}

int batch_body_decode_jobs(const struct http_req *rq, struct http_resp *rs, const json_t *body,
                           struct batch_jobs *jobs)
{
    static const char *const known[] = { "jobs", NULL };
    struct decoding d;
    const char *name;
    json_t *value;

    decoding_init(&d, rq, rs);
    if (want(&d, json_is_object(body), "#", "an object")) {
        json_object_foreach ((json_t *)(uintptr_t)body, name, value)
            if (!text_equal(name, "jobs"))
                unknown_member(&d, name, known);
        decode_jobs(&d, json_object_get(body, "jobs"), jobs);
    }
    return check_faults(&d);
}

int batch_body_decode_reason(const struct http_req *rq, struct http_resp *rs,
                             const json_t *body, char **ret_reason)
{
    static const char *const known[] = { "reason", NULL };
    struct decoding d;
    const char *text = json_string_value(json_object_get(body, "reason"));
    const char *name;
    json_t *value;

    decoding_init(&d, rq, rs);
    if (body && want(&d, json_is_object(body), "#", "an object")) {
        json_object_foreach ((json_t *)(uintptr_t)body, name, value)
            if (!text_equal(name, "reason"))
                unknown_member(&d, name, known);
        if (json_object_get(body, "reason") && want(&d, text != NULL, "#/reason", "a string") &&
            !is_length(text, JOB_REASON_MAX))
            faults_add(&rs->faults, "#/reason", "too-long", "must have from 1 to %d characters",
                       JOB_REASON_MAX);
    }
    if (rs->faults.total == 0)
        *ret_reason = mem_str_or_null(text);
    return check_faults(&d);
}
