/* POST /v1/jobs:batchCreate (batchCreateJobs): many jobs in one request and one transaction.
 *
 * The body is walked part by part (domain/json_items.h), so that what it takes in memory is the
 * body, the jobs, and one job as JSON. Atomic: one fault refuses all. Else each job has an item
 * in the answer, with its id or its problem; the problems are written down while the body is
 * read.
 */
#include "handlers/handlers.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/json_digest.h"
#include "domain/json_items.h"
#include "domain/json_text.h"
#include "domain/suggest.h"
#include "handlers/common.h"
#include "handlers/submit_many.h"

/* -- one job --------------------------------------------------------------------------------
 */

/* The faults of job `index` with their places in the whole body: those of rs. */
static void move_faults(struct http_resp *rs, const struct faults *faults, size_t index)
{
    for (size_t i = 0; i < faults->count; i++) {
        AUTO(mem)
        char *pointer = mem_printf("#/jobs/%zu%s", index, faults->items[i].pointer + 1);

        faults_add(&rs->faults, pointer, faults->items[i].code, "%s", faults->items[i].detail);
    }
    rs->faults.total += faults->total - faults->count;
}

/* Returns 0 when the others are to be looked at, else the error for all. */
static int refuse_all(struct http_resp *rs, int code, const struct faults *faults, size_t index,
                      const struct errinfo *why)
{
    move_faults(rs, faults, index);
    if (code == ERR_VALIDATION)
        return 0;
    (void)err_set(&rs->err, code, "jobs/%zu: %s", index, why->text);
    return why->fact_name ? err_fact(&rs->err, code, why->fact_name, why->fact) : code;
}

/* What cannot be digested as JSON: its bytes. */
static void add_text(struct sha256 *digest, const struct json_part *part)
{
    sha256_add_text(digest, "no JSON");
    sha256_add(digest, part->text, part->len);
    sha256_add_text(digest, "");
}

static int parse_job(struct many *m, const struct json_part *part, struct sha256 *digest,
                     struct faults *faults, struct errinfo *e)
{
    AUTO(json) json_t *json = NULL;
    size_t max = common_service(m->submission.rq)->max_body_bytes;
    int r;

    if (part->len > max) {
        add_text(digest, part);
        faults_add(faults, "#", "too-long", "a job must have at most %zu bytes", max);
        return faults_judge(faults, 0, e);
    }
    r = json_text_parse(part->text, part->len, &json, e);
    if (r < 0) {
        add_text(digest, part);
        return r;
    }
    if (m->idempotency.flight)
        json_digest_add(digest, json);
    return submission_decode(&m->submission, json, &m->request.jobs[m->request.count], faults,
                             e);
}

static struct many_item *next_item(struct many *m)
{
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? m->capacity * 2 : 64;
        m->items = mem_resize(m->items, m->capacity, sizeof *m->items);
        m->request.jobs = mem_resize(m->request.jobs, m->capacity, sizeof *m->request.jobs);
    }
    m->items[m->count] = (struct many_item){ .kind = MANY_ACCEPTED };
    return &m->items[m->count++];
}

static int add_job(struct many *m, struct http_resp *rs, const struct json_part *part,
                   struct sha256 *digest)
{
    AUTO_FINI(faults) struct faults faults = { 0 };
    struct many_item *item = next_item(m);
    struct errinfo e = { 0 };
    int r;

    r = parse_job(m, part, digest, &faults, &e);
    if (r == 0) {
        item->job = m->request.count++;
        return 0;
    }
    item->kind = MANY_REFUSED;
    if (m->atomic)
        return refuse_all(rs, r, &faults, m->count - 1, &e);
    many_refuse(m, item, r, &faults, &e);
    return 0;
}

static int check_count(const struct many *m, struct http_resp *rs, const char *pointer)
{
    size_t max = common_service(m->submission.rq)->max_batch_jobs;

    if (m->count > 0 && m->count <= max)
        return 0;
    faults_add(&rs->faults, pointer, m->count ? "too-long" : "too-short",
               "there must be from 1 to %zu jobs", max);
    return faults_judge(&rs->faults, 0, &rs->err);
}

/* All of them, and what they say together. */
static int add_jobs(struct many *m, struct http_resp *rs, struct json_items *items,
                    const char *pointer)
{
    size_t max = common_service(m->submission.rq)->max_batch_jobs;
    struct json_part part;
    struct sha256 digest;
    int r;

    sha256_init(&digest);
    sha256_add_text(&digest, m->atomic ? "atomic" : "single");
    while ((r = json_items_next(items, &part, &rs->err)) > 0) {
        if (m->count == max) {
            m->count++; /* one too many: the others need not be looked at */
            break;
        }
        r = add_job(m, rs, &part, &digest);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return r;
    sha256_end(&digest, m->idempotency.engine.record.fingerprint);
    return check_count(m, rs, pointer);
}

/* -- the body -------------------------------------------------------------------------------
 */

static void unknown_member(struct http_resp *rs, const char *name)
{
    struct suggestion s = { .word = name };
    AUTO(mem) char *pointer = faults_pointer("#", name);

    suggest_consider(&s, "jobs");
    suggest_consider(&s, "atomic");
    if (s.nearest)
        faults_add(&rs->faults, pointer, "unknown-field",
                   "there is no such field; did you mean %s?", s.nearest);
    else
        faults_add(&rs->faults, pointer, "unknown-field", "there is no such field");
}

static bool is_word(const struct json_part *value, const char *word)
{
    return value->len == strlen(word) && memcmp(value->text, word, value->len) == 0;
}

static void see_member(struct many *m, struct http_resp *rs, const char *name,
                       const struct json_part *value, struct json_part *ret_jobs)
{
    if (text_equal(name, "jobs")) {
        *ret_jobs = *value;
        if (value->text[0] != '[')
            faults_add(&rs->faults, "#/jobs", "wrong-type", "must be an array of jobs");
    } else if (text_equal(name, "atomic")) {
        m->atomic = is_word(value, "true");
        if (!m->atomic && !is_word(value, "false"))
            faults_add(&rs->faults, "#/atomic", "wrong-type", "must be true or false");
    } else if (!m->submission.rq->lenient) {
        unknown_member(rs, name);
    }
}

static int refuse_twice(struct http_resp *rs, const char *name)
{
    return err_set(&rs->err, ERR_MALFORMED_JSON, "the name %s is there twice", name);
}

/* {"jobs": [...], "atomic": true}: where the jobs are, and whether they are atomic. */
static int read_object(struct many *m, struct http_resp *rs, struct json_part body,
                       struct json_part *ret_jobs)
{
    struct json_part name, value;
    struct json_items members;
    bool seen_atomic = false;
    int r;

    r = json_items_object(body, &members, &rs->err);
    if (r < 0)
        return r;
    while ((r = json_items_member(&members, &name, &value, &rs->err)) > 0) {
        AUTO(json) json_t *text = NULL;
        const char *plain;

        r = json_text_parse(name.text, name.len, &text, &rs->err);
        if (r < 0)
            return r;
        plain = json_string_value(text);
        if ((text_equal(plain, "jobs") && ret_jobs->text) ||
            (text_equal(plain, "atomic") && seen_atomic))
            return refuse_twice(rs, plain);
        seen_atomic = seen_atomic || text_equal(plain, "atomic");
        see_member(m, rs, plain, &value, ret_jobs);
    }
    if (r == 0 && !ret_jobs->text)
        faults_add(&rs->faults, "#/jobs", "missing", "must be an array of jobs");
    return r;
}

static int read_body(struct many *m, struct http_req *rq, struct http_resp *rs)
{
    struct json_part body;
    struct json_part jobs = { 0 };
    struct json_items items;
    int r;

    body.text = http_body(rq, &body.len);
    if (http_body_is_lines(rq)) {
        items = json_items_lines(body.text, body.len);
        return add_jobs(m, rs, &items, "#");
    }
    if (http_query(rq, "atomic", 0))
        return common_bad_parameter(rs, "atomic", "not-applicable",
                                    "is for application/x-ndjson: here it belongs in the body");
    r = read_object(m, rs, body, &jobs);
    if (r == 0)
        r = faults_judge(&rs->faults, 0, &rs->err);
    if (r == 0)
        r = json_items_array(jobs, &items, &rs->err);
    return r < 0 ? r : add_jobs(m, rs, &items, "#/jobs");
}

/* -- the request ----------------------------------------------------------------------------
 */

static int committed(struct http_req *rq, struct http_resp *rs)
{
    struct many *m = rq->state;
    int r = common_outcome(rs, &m->request.rq);

    idempotency_land(&m->idempotency);
    if (r == ERR_DUPLICATE_JOB)
        many_name_duplicates(m, rs);
    return r < 0 ? r : many_answer(m, rs);
}

static int submit(struct http_req *rq, struct http_resp *rs)
{
    struct many *m = rq->state;

    if (m->request.count == 0)
        return many_answer(m, rs); /* not atomic, and none is valid */
    m->request.atomic = m->atomic;
    return common_ask(rq, ENGINE_SUBMIT_MANY, &m->request.rq, committed);
}

int h_batch_create_jobs(struct http_req *rq, struct http_resp *rs)
{
    static const char *const parameters[] = { "atomic", NULL };
    struct many *m = mem_new0(sizeof *m);
    int r;

    rq->state = m;
    rq->state_free = many_free;
    m->atomic = true;
    submission_init(&m->submission, rq);
    r = common_allow(rq, rs, parameters);
    if (r == 0)
        r = common_bool(rq, rs, "atomic", &m->atomic);
    if (r == 0)
        r = idempotency_enter(&m->idempotency, rq, rs);
    if (r == 0)
        r = read_body(m, rq, rs);
    if (r < 0)
        return r;
    r = idempotency_look(&m->idempotency, rq, rs, &m->request.rq, many_remember);
    if (r == IDEMPOTENCY_REPLAYED)
        return many_replay(m, rs);
    if (r < 0)
        return r;
    many_prepare_unique(m, rs);
    r = faults_judge(&rs->faults, 0, &rs->err);
    return r < 0 ? r : submit(rq, rs);
}
