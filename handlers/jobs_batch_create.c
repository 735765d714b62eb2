/* POST /v1/jobs:batchCreate (batchCreateJobs): many jobs in one request and one transaction.
 *
 * The body is walked part by part (domain/json_items.h), so that what it takes in memory is the
 * body, the jobs, and one job as JSON. Atomic: one fault refuses all. Else each job has an item
 * in the answer, with its id or its problem; the problems are written down while the body is
 * read.
 */
#include "handlers/handlers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "domain/json_digest.h"
#include "domain/json_items.h"
#include "domain/json_text.h"
#include "domain/suggest.h"
#include "domain/unique.h"
#include "engine/requests.h"
#include "handlers/common.h"
#include "handlers/idempotency.h"
#include "handlers/submission.h"
#include "server/http/problem.h"

/* Beyond so much text, problems of single jobs do not list their faults. */
#define PROBLEMS_MAX_BYTES ((size_t)4 << 20)
#define ITEM_BYTES_GUESS   128 /* of the answer */
#define ID_ITEM_BYTES      (UUID7_TEXT_SIZE + 2)

/* What became of one job of the batch; the values are in the ledger. */
enum item_kind {
    ITEM_REFUSED = 'p',
    ITEM_ACCEPTED = 'a',
    ITEM_EXISTING = 'e',  /* there is another one like it, which takes its place */
    ITEM_DUPLICATE = 'd', /* there is, and it is in the way: refused */
};

struct item {
    enum item_kind kind;
    size_t job;        /* in request.jobs, unless REFUSED */
    struct uuid7 id;   /* its own, or that of the other one: once it is submitted */
    int status;        /* REFUSED and DUPLICATE */
    size_t problem_at; /* the same: in problems */
    size_t problem_len;
};

struct batch {
    struct submit_many_request request;
    struct idempotency idempotency;
    struct submission submission;
    bool atomic;
    struct item *items;
    size_t count;
    size_t capacity;     /* of items and of request.jobs */
    struct buf problems; /* one after the other */
    bool has_results;    /* what the engine has said is in items */
};

static void batch_free(void *state)
{
    struct batch *b = state;

    idempotency_end(&b->idempotency);
    for (size_t i = 0; i < b->request.count; i++)
        job_fini(&b->request.jobs[i]);
    free(b->request.jobs);
    free(b->request.results);
    free(b->items);
    buf_fini(&b->problems);
    free(b);
}

/* -- the answer -----------------------------------------------------------------------------
 */

static void add_id(struct buf *out, struct uuid7 id)
{
    char *to = buf_reserve(out, ID_ITEM_BYTES);

    to[0] = '"';
    (void)uuid7_format(id, to + 1);
    to[UUID7_TEXT_SIZE] = '"';
    buf_commit(out, UUID7_TEXT_SIZE + 1);
}

static void add_count(struct buf *out, const char *before, size_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%zu", number);

    buf_add_str(out, before);
    buf_add(out, text, (size_t)len);
}

/* The indexes of those that were there before. */
static void add_existing(struct buf *out, const struct batch *b)
{
    bool any = false;

    for (size_t i = 0; i < b->count; i++) {
        if (b->items[i].kind != ITEM_EXISTING)
            continue;
        add_count(out, any ? "," : ",\"existing\":[", i);
        any = true;
    }
    if (any)
        buf_add_char(out, ']');
}

/* {"count":2,"ids":["...","..."],"existing":[1]} */
static int answer_ids(const struct batch *b, struct http_resp *rs)
{
    struct buf out = { 0 };
    size_t len;

    (void)buf_reserve(&out, 64 + b->count * (ID_ITEM_BYTES + 1));
    add_count(&out, "{\"count\":", b->count);
    buf_add_str(&out, ",\"ids\":[");
    for (size_t i = 0; i < b->count; i++) {
        if (i > 0)
            buf_add_char(&out, ',');
        add_id(&out, b->items[i].id);
    }
    buf_add_char(&out, ']');
    add_existing(&out, b);
    buf_add_char(&out, '}');
    len = out.len;
    return http_reply_bytes(rs, 202, "application/json", buf_steal(&out), len);
}

static void add_accepted(struct buf *out, const struct item *item)
{
    buf_add_str(out, item->kind == ITEM_EXISTING ? ",\"status\":200,\"id\":"
                                                 : ",\"status\":202,\"id\":");
    add_id(out, item->id);
    buf_add_str(out, ",\"location\":\"/v1/jobs/");
    (void)uuid7_format(item->id, buf_reserve(out, UUID7_TEXT_SIZE));
    buf_commit(out, UUID7_TEXT_SIZE - 1);
    buf_add_str(out, "\"}");
}

static void add_refused(struct buf *out, const struct batch *b, const struct item *item)
{
    add_count(out, ",\"status\":", (size_t)item->status);
    buf_add_str(out, ",\"problem\":");
    buf_add(out, b->problems.data + item->problem_at, item->problem_len);
    buf_add_char(out, '}');
}

/* {"items":[{"index":0,"status":202,"id":"...","location":"..."}, ...]} */
static int answer_items(const struct batch *b, struct http_resp *rs)
{
    struct buf out = { 0 };
    size_t len;

    (void)buf_reserve(&out, 64 + b->count * ITEM_BYTES_GUESS + b->problems.len);
    buf_add_str(&out, "{\"items\":[");
    for (size_t i = 0; i < b->count; i++) {
        add_count(&out, i > 0 ? ",{\"index\":" : "{\"index\":", i);
        if (b->items[i].problem_len > 0)
            add_refused(&out, b, &b->items[i]);
        else
            add_accepted(&out, &b->items[i]);
    }
    buf_add_str(&out, "]}");
    len = out.len;
    return http_reply_bytes(rs, 207, "application/json", buf_steal(&out), len);
}

static int answer(const struct batch *b, struct http_resp *rs)
{
    idempotency_set_replayed(&b->idempotency, rs);
    return b->atomic ? answer_ids(b, rs) : answer_items(b, rs);
}

/* Write down what is wrong with one job. */
static void refuse_one(struct batch *b, struct item *item, int code,
                       const struct faults *faults, const struct errinfo *why)
{
    AUTO(json) json_t *members = NULL;
    struct problem p = { .code = code,
                         .detail = why->text,
                         .request_id = b->submission.rq->request_id,
                         .faults = b->problems.len < PROBLEMS_MAX_BYTES ? faults : NULL };

    if (why->fact_name)
        p.members = members = json_pack("{s:s}", why->fact_name, why->fact);
    item->kind = ITEM_REFUSED;
    item->status = err_meta(code)->http_status;
    item->problem_at = b->problems.len;
    problem_add(&b->problems, &p);
    item->problem_len = b->problems.len - item->problem_at;
}

/* item->id is in its way. */
static void refuse_duplicate(struct batch *b, struct item *item)
{
    struct errinfo e = { 0 };
    char id[UUID7_TEXT_SIZE];
    int code =
        err_set(&e, ERR_DUPLICATE_JOB, "the job %s is there", uuid7_format(item->id, id));

    refuse_one(b, item, err_fact(&e, code, "existing_job_id", id), NULL, &e);
    item->kind = ITEM_DUPLICATE;
}

static void take_result(struct batch *b, struct item *item)
{
    const struct submit_result *result =
        b->request.results ? &b->request.results[item->job] : NULL;

    if (!result || !result->existing) {
        item->id = b->request.jobs[item->job].id;
        return;
    }
    item->kind = ITEM_EXISTING;
    item->id = result->existing_id;
    if (result->code < 0)
        refuse_duplicate(b, item);
}

/* What the engine has said of each job, once. */
static void take_results(struct batch *b)
{
    if (b->has_results)
        return;
    b->has_results = true;
    for (size_t i = 0; i < b->count; i++)
        if (b->items[i].kind == ITEM_ACCEPTED)
            take_result(b, &b->items[i]);
}

/* -- what is remembered for an Idempotency-Key: 17 bytes for each job -------------------------
 */

#define REMEMBERED_BYTES ((size_t)17)

static void put_u64(unsigned char *to, uint64_t number)
{
    for (int i = 7; i >= 0; i--, number >>= 8)
        to[i] = (unsigned char)number;
}

static uint64_t get_u64(const unsigned char *from)
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++)
        number = number << 8 | from[i];
    return number;
}

/* On the engine thread. */
static void remember(const struct engine_request *rq, struct idempotency_record *record)
{
    struct batch *b = (struct batch *)(uintptr_t)rq;
    unsigned char *to = mem_new0(b->count * REMEMBERED_BYTES + 1);

    take_results(b);
    record->status = b->atomic ? 202 : 207;
    record->answer = (char *)to;
    record->answer_len = b->count * REMEMBERED_BYTES;
    for (size_t i = 0; i < b->count; i++, to += REMEMBERED_BYTES) {
        to[0] = (unsigned char)b->items[i].kind;
        put_u64(to + 1, b->items[i].id.hi);
        put_u64(to + 9, b->items[i].id.lo);
    }
}

/* The fingerprint is the same, so there are as many. What was refused then is refused again,
 * but when the configuration has changed. */
static int replay(struct batch *b, struct http_resp *rs)
{
    const struct idempotency_record *record = &b->idempotency.engine.record;
    const unsigned char *from = (const unsigned char *)record->answer;
    const struct errinfo refused = { .text = "the job was refused" };

    if (record->answer_len != b->count * REMEMBERED_BYTES)
        return err_set(&rs->err, ERR_DATABASE, "the remembered answer is of another size");
    for (size_t i = 0; i < b->count; i++, from += REMEMBERED_BYTES) {
        struct item *item = &b->items[i];

        item->id = (struct uuid7){ .hi = get_u64(from + 1), .lo = get_u64(from + 9) };
        if (from[0] == ITEM_ACCEPTED || from[0] == ITEM_EXISTING) {
            item->kind = (enum item_kind)from[0];
            item->problem_len = 0;
        } else if (from[0] == ITEM_DUPLICATE) {
            refuse_duplicate(b, item);
        } else if (item->kind != ITEM_REFUSED) {
            refuse_one(b, item, ERR_VALIDATION, NULL, &refused);
        }
    }
    return answer(b, rs);
}

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

static int parse_job(struct batch *b, const struct json_part *part, struct sha256 *digest,
                     struct faults *faults, struct errinfo *e)
{
    AUTO(json) json_t *json = NULL;
    size_t max = common_service(b->submission.rq)->max_body_bytes;
    int r;

    if (part->len > max) {
        sha256_add(digest, part->text, part->len);
        faults_add(faults, "#", "too-long", "a job must have at most %zu bytes", max);
        return err_set(e, ERR_VALIDATION, "there is 1 fault");
    }
    r = json_text_parse(part->text, part->len, &json, e);
    if (r < 0)
        return r;
    if (b->idempotency.flight)
        json_digest_add(digest, json);
    return submission_decode(&b->submission, json, &b->request.jobs[b->request.count], faults,
                             e);
}

static struct item *next_item(struct batch *b)
{
    if (b->count == b->capacity) {
        b->capacity = b->capacity ? b->capacity * 2 : 64;
        b->items = mem_resize(b->items, b->capacity, sizeof *b->items);
        b->request.jobs = mem_resize(b->request.jobs, b->capacity, sizeof *b->request.jobs);
    }
    b->items[b->count] = (struct item){ .kind = ITEM_ACCEPTED };
    return &b->items[b->count++];
}

static int add_job(struct batch *b, struct http_resp *rs, const struct json_part *part,
                   struct sha256 *digest)
{
    AUTO_FINI(faults) struct faults faults = { 0 };
    struct item *item = next_item(b);
    struct errinfo e = { 0 };
    int r;

    r = parse_job(b, part, digest, &faults, &e);
    if (r == 0) {
        item->job = b->request.count++;
        return 0;
    }
    item->kind = ITEM_REFUSED;
    if (b->atomic)
        return refuse_all(rs, r, &faults, b->count - 1, &e);
    refuse_one(b, item, r, &faults, &e);
    return 0;
}

static int check_count(const struct batch *b, struct http_resp *rs, const char *pointer)
{
    size_t max = common_service(b->submission.rq)->max_batch_jobs;

    if (b->count > 0 && b->count <= max)
        return 0;
    faults_add(&rs->faults, pointer, b->count ? "too-long" : "too-short",
               "there must be from 1 to %zu jobs", max);
    return err_set(&rs->err, ERR_VALIDATION, "there is 1 fault");
}

/* All of them, and what they say together. */
static int add_jobs(struct batch *b, struct http_resp *rs, struct json_items *items,
                    const char *pointer)
{
    size_t max = common_service(b->submission.rq)->max_batch_jobs;
    struct json_part part;
    struct sha256 digest;
    int r;

    sha256_init(&digest);
    sha256_add_text(&digest, b->atomic ? "atomic" : "single");
    while ((r = json_items_next(items, &part, &rs->err)) > 0) {
        if (b->count == max) {
            b->count++; /* one too many: the others need not be looked at */
            break;
        }
        r = add_job(b, rs, &part, &digest);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return r;
    sha256_end(&digest, b->idempotency.engine.record.fingerprint);
    return check_count(b, rs, pointer);
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

static void see_member(struct batch *b, struct http_resp *rs, const char *name,
                       const struct json_part *value, struct json_part *ret_jobs)
{
    if (text_equal(name, "jobs")) {
        *ret_jobs = *value;
        if (value->text[0] != '[')
            faults_add(&rs->faults, "#/jobs", "wrong-type", "must be an array of jobs");
    } else if (text_equal(name, "atomic")) {
        b->atomic = is_word(value, "true");
        if (!b->atomic && !is_word(value, "false"))
            faults_add(&rs->faults, "#/atomic", "wrong-type", "must be true or false");
    } else if (!b->submission.rq->lenient) {
        unknown_member(rs, name);
    }
}

static int refuse_twice(struct http_resp *rs, const char *name)
{
    return err_set(&rs->err, ERR_MALFORMED_JSON, "the name %s is there twice", name);
}

/* {"jobs": [...], "atomic": true}: where the jobs are, and whether they are atomic. */
static int read_object(struct batch *b, struct http_resp *rs, struct json_part body,
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
        see_member(b, rs, plain, &value, ret_jobs);
    }
    if (r == 0 && !ret_jobs->text)
        faults_add(&rs->faults, "#/jobs", "missing", "must be an array of jobs");
    return r;
}

static int check_faults(struct http_resp *rs)
{
    if (rs->faults.total == 0)
        return 0;
    if (rs->faults.total == 1)
        return err_set(&rs->err, ERR_VALIDATION, "there is 1 fault");
    return err_set(&rs->err, ERR_VALIDATION, "there are %zu faults", rs->faults.total);
}

/* -- jobs that are like each other -----------------------------------------------------------
 */

struct unique_item {
    const struct unique_rule *rule;
    enum job_state state;
    size_t index;
};

static int compare_unique(const void *one, const void *other)
{
    const struct unique_item *a = one;
    const struct unique_item *b = other;
    int r = memcmp(a->rule->digest, b->rule->digest, SHA256_BYTES);

    return r != 0 ? r : (a->index > b->index) - (a->index < b->index);
}

static size_t list_unique(const struct batch *b, struct unique_item **ret_list)
{
    size_t count = 0;

    *ret_list = mem_array0(b->count + 1, sizeof **ret_list);
    for (size_t i = 0; i < b->count; i++) {
        const struct job *job = &b->request.jobs[b->items[i].job];

        if (b->items[i].kind == ITEM_ACCEPTED && job->unique)
            (*ret_list)[count++] =
                (struct unique_item){ .rule = job->unique, .state = job->state, .index = i };
    }
    return count;
}

/* Of a batch that is taken as a whole no job may be in the way of another one. */
static void check_unique(const struct batch *b, struct http_resp *rs)
{
    AUTO(mem) struct unique_item *list = NULL;
    size_t count = list_unique(b, &list);
    size_t first = 0;    /* of those that are alike */
    unsigned states = 0; /* of those before, by their bits */

    qsort(list, count, sizeof *list, compare_unique);
    for (size_t i = 0; i < count; i++) {
        AUTO(mem) char *pointer = NULL;

        if (i == 0 ||
            memcmp(list[first].rule->digest, list[i].rule->digest, SHA256_BYTES) != 0) {
            first = i;
            states = 0;
        }
        if (list[i].rule->on_conflict == UNIQUE_REJECT && list[i].rule->states & states) {
            pointer = mem_printf("#/jobs/%zu/unique", list[i].index);
            faults_add(&rs->faults, pointer, "duplicate-job", "jobs/%zu is like this one",
                       list[first].index);
        }
        states |= 1u << list[i].state;
    }
}

static bool any_unique(const struct batch *b)
{
    for (size_t i = 0; i < b->request.count; i++)
        if (b->request.jobs[i].unique)
            return true;
    return false;
}

static void prepare_unique(struct batch *b, struct http_resp *rs)
{
    if (!any_unique(b))
        return;
    b->request.results = mem_array0(b->request.count, sizeof *b->request.results);
    if (b->atomic)
        check_unique(b, rs);
}

/* Those that have another one in their way, in the order of the request. */
static void name_duplicates(const struct batch *b, struct http_resp *rs)
{
    for (size_t i = 0; b->request.results && i < b->count; i++) {
        const struct submit_result *result = &b->request.results[b->items[i].job];
        AUTO(mem) char *pointer = NULL;
        char id[UUID7_TEXT_SIZE];

        if (result->code >= 0)
            continue;
        pointer = mem_printf("#/jobs/%zu/unique", i);
        faults_add(&rs->faults, pointer, "duplicate-job", "the job %s is %s",
                   uuid7_format(result->existing_id, id),
                   job_state_name(result->existing_state));
    }
}

static int read_body(struct batch *b, struct http_req *rq, struct http_resp *rs)
{
    struct json_part body;
    struct json_part jobs = { 0 };
    struct json_items items;
    int r;

    body.text = http_body(rq, &body.len);
    if (http_body_is_lines(rq)) {
        items = json_items_lines(body.text, body.len);
        return add_jobs(b, rs, &items, "#");
    }
    if (http_query(rq, "atomic", 0))
        return common_bad_parameter(rs, "atomic", "not-applicable",
                                    "is for application/x-ndjson: here it belongs in the body");
    r = read_object(b, rs, body, &jobs);
    if (r == 0)
        r = check_faults(rs);
    if (r == 0)
        r = json_items_array(jobs, &items, &rs->err);
    return r < 0 ? r : add_jobs(b, rs, &items, "#/jobs");
}

/* -- the request ----------------------------------------------------------------------------
 */

static int committed(struct http_req *rq, struct http_resp *rs)
{
    struct batch *b = rq->state;

    idempotency_land(&b->idempotency);
    if (b->request.rq.result < 0) {
        name_duplicates(b, rs);
        rs->err = b->request.rq.err;
        return b->request.rq.result;
    }
    take_results(b);
    return answer(b, rs);
}

/* On the engine thread. */
static void on_done(struct engine_request *request)
{
    http_resume(request->ctx);
}

static int submit(struct http_req *rq, struct http_resp *rs)
{
    struct batch *b = rq->state;

    if (b->request.count == 0)
        return answer(b, rs); /* not atomic, and none is valid */
    b->request.atomic = b->atomic;
    b->request.rq.op = ENGINE_SUBMIT_MANY;
    b->request.rq.done = on_done;
    b->request.rq.ctx = rq;
    rq->next = committed;
    engine_request(common_service(rq)->engine, &b->request.rq);
    return HTTP_PENDING;
}

int h_batch_create_jobs(struct http_req *rq, struct http_resp *rs)
{
    static const char *const parameters[] = { "atomic", NULL };
    struct batch *b = mem_new0(sizeof *b);
    int r;

    rq->state = b;
    rq->state_free = batch_free;
    b->atomic = true;
    submission_init(&b->submission, rq);
    r = common_allow(rq, rs, parameters);
    if (r == 0)
        r = common_bool(rq, rs, "atomic", &b->atomic);
    if (r == 0)
        r = idempotency_enter(&b->idempotency, rq, rs);
    if (r == 0)
        r = read_body(b, rq, rs);
    if (r < 0)
        return r;
    r = idempotency_look(&b->idempotency, rq, rs, &b->request.rq, remember);
    if (r == IDEMPOTENCY_REPLAYED)
        return replay(b, rs);
    if (r < 0)
        return r;
    prepare_unique(b, rs);
    r = check_faults(rs);
    return r < 0 ? r : submit(rq, rs);
}
