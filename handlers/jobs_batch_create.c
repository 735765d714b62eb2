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
};

struct item {
    enum item_kind kind;
    size_t job;        /* ACCEPTED: in request.jobs */
    struct uuid7 id;   /* ACCEPTED: once it is submitted */
    int status;        /* REFUSED */
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
};

static void batch_free(void *state)
{
    struct batch *b = state;

    idempotency_end(&b->idempotency);
    for (size_t i = 0; i < b->request.count; i++)
        job_fini(&b->request.jobs[i]);
    free(b->request.jobs);
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

/* {"count":2,"ids":["...","..."]} */
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
    buf_add_str(&out, "]}");
    len = out.len;
    return http_reply_bytes(rs, 202, "application/json", buf_steal(&out), len);
}

static void add_accepted(struct buf *out, const struct item *item)
{
    buf_add_str(out, ",\"status\":202,\"id\":");
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
        if (b->items[i].kind == ITEM_REFUSED)
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
    struct problem p = { .code = code,
                         .detail = why->text,
                         .request_id = b->submission.rq->request_id,
                         .faults = b->problems.len < PROBLEMS_MAX_BYTES ? faults : NULL };

    item->kind = ITEM_REFUSED;
    item->status = err_meta(code)->http_status;
    item->problem_at = b->problems.len;
    problem_add(&b->problems, &p);
    item->problem_len = b->problems.len - item->problem_at;
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

static void take_ids(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->items[i].kind == ITEM_ACCEPTED)
            b->items[i].id = b->request.jobs[b->items[i].job].id;
}

/* On the engine thread. */
static void remember(const struct engine_request *rq, struct idempotency_record *record)
{
    struct batch *b = (struct batch *)(uintptr_t)rq;
    unsigned char *to = mem_new0(b->count * REMEMBERED_BYTES + 1);

    take_ids(b);
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

        if (from[0] == ITEM_ACCEPTED)
            item->kind = ITEM_ACCEPTED;
        else if (item->kind != ITEM_REFUSED)
            refuse_one(b, item, ERR_VALIDATION, NULL, &refused);
        item->id = (struct uuid7){ .hi = get_u64(from + 1), .lo = get_u64(from + 9) };
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
    return err_set(&rs->err, code, "jobs/%zu: %s", index, why->text);
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
        rs->err = b->request.rq.err;
        return b->request.rq.result;
    }
    take_ids(b);
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
    if (r == 0)
        r = check_faults(rs);
    return r < 0 ? r : submit(rq, rs);
}
