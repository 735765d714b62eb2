#include "handlers/submit_many.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/json_text.h"
#include "domain/unique.h"
#include "server/http/problem.h"

/* Beyond so much text, problems of single jobs do not list their faults. */
#define PROBLEMS_MAX_BYTES ((size_t)4 << 20)
#define ITEM_BYTES_GUESS   128 /* of the answer */
#define ID_ITEM_BYTES      (UUID7_TEXT_SIZE + 2)

void many_free(void *state)
{
    struct many *m = state;

    idempotency_end(&m->idempotency);
    for (size_t i = 0; i < m->request.count; i++)
        job_fini(&m->request.jobs[i]);
    free(m->request.jobs);
    free(m->request.results);
    free(m->items);
    buf_fini(&m->problems);
    free(m);
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
static void add_existing(struct buf *out, const struct many *m)
{
    bool any = false;

    for (size_t i = 0; i < m->count; i++) {
        if (m->items[i].kind != MANY_EXISTING)
            continue;
        add_count(out, any ? "," : ",\"existing\":[", i);
        any = true;
    }
    if (any)
        buf_add_char(out, ']');
}

/* {"count":2,"ids":["...","..."],"existing":[1]} */
static int answer_ids(const struct many *m, struct http_resp *rs)
{
    struct buf out = { 0 };
    size_t len;

    (void)buf_reserve(&out, 64 + m->count * (ID_ITEM_BYTES + 1));
    add_count(&out, "{\"count\":", m->count);
    buf_add_str(&out, ",\"ids\":[");
    for (size_t i = 0; i < m->count; i++) {
        if (i > 0)
            buf_add_char(&out, ',');
        add_id(&out, m->items[i].id);
    }
    buf_add_char(&out, ']');
    add_existing(&out, m);
    buf_add_char(&out, '}');
    len = out.len;
    return http_reply_bytes(rs, 202, "application/json", buf_steal(&out), len);
}

static void add_accepted(struct buf *out, const struct many_item *item)
{
    buf_add_str(out, item->kind == MANY_EXISTING ? ",\"status\":200,\"id\":"
                                                 : ",\"status\":202,\"id\":");
    add_id(out, item->id);
    buf_add_str(out, ",\"location\":\"/v1/jobs/");
    (void)uuid7_format(item->id, buf_reserve(out, UUID7_TEXT_SIZE));
    buf_commit(out, UUID7_TEXT_SIZE - 1);
    buf_add_str(out, "\"}");
}

static void add_refused(struct buf *out, const struct many *m, const struct many_item *item)
{
    add_count(out, ",\"status\":", (size_t)item->status);
    buf_add_str(out, ",\"problem\":");
    buf_add(out, m->problems.data + item->problem_at, item->problem_len);
    buf_add_char(out, '}');
}

/* {"items":[{"index":0,"status":202,"id":"...","location":"..."}, ...]} */
static int answer_items(const struct many *m, struct http_resp *rs)
{
    struct buf out = { 0 };
    size_t len;

    (void)buf_reserve(&out, 64 + m->count * ITEM_BYTES_GUESS + m->problems.len);
    buf_add_str(&out, "{\"items\":[");
    for (size_t i = 0; i < m->count; i++) {
        add_count(&out, i > 0 ? ",{\"index\":" : "{\"index\":", i);
        if (m->items[i].problem_len > 0)
            add_refused(&out, m, &m->items[i]);
        else
            add_accepted(&out, &m->items[i]);
    }
    buf_add_str(&out, "]}");
    len = out.len;
    return http_reply_bytes(rs, 207, "application/json", buf_steal(&out), len);
}

void many_refuse(struct many *m, struct many_item *item, int code, const struct faults *faults,
                 const struct errinfo *why)
{
    AUTO(json)
    json_t *members = why->fact_name ? json_pack("{s:s}", why->fact_name, why->fact) : NULL;
    struct problem p = { .code = code,
                         .detail = why->text,
                         .request_id = m->submission.rq->request_id,
                         .members = members,
                         .faults = m->problems.len < PROBLEMS_MAX_BYTES ? faults : NULL };

    item->kind = MANY_REFUSED;
    item->status = err_meta(code)->http_status;
    item->problem_at = m->problems.len;
    problem_add(&m->problems, &p);
    item->problem_len = m->problems.len - item->problem_at;
}

/* item->id is in its way. */
static void refuse_duplicate(struct many *m, struct many_item *item)
{
    struct errinfo e = { 0 };
    char id[UUID7_TEXT_SIZE];
    int code =
        err_set(&e, ERR_DUPLICATE_JOB, "the job %s is there", uuid7_format(item->id, id));

    many_refuse(m, item, err_fact(&e, code, "existing_job_id", id), NULL, &e);
    item->kind = MANY_DUPLICATE;
}

static void take_result(struct many *m, struct many_item *item)
{
    const struct submit_result *result =
        m->request.results ? &m->request.results[item->job] : NULL;

    if (!result || !result->existing) {
        item->id = m->request.jobs[item->job].id;
        return;
    }
    item->kind = MANY_EXISTING;
    item->id = result->existing_id;
    if (result->code < 0)
        refuse_duplicate(m, item);
}

/* What the engine has said of each job, once. */
static void take_results(struct many *m)
{
    if (m->has_results)
        return;
    m->has_results = true;
    for (size_t i = 0; i < m->count; i++)
        if (m->items[i].kind == MANY_ACCEPTED)
            take_result(m, &m->items[i]);
}

int many_answer(struct many *m, struct http_resp *rs)
{
    take_results(m);
    idempotency_set_replayed(&m->idempotency, rs);
    return m->atomic ? answer_ids(m, rs) : answer_items(m, rs);
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
void many_remember(const struct engine_request *rq, struct idempotency_record *record)
{
    struct many *m = (struct many *)(uintptr_t)rq;
    unsigned char *to = mem_new0(m->count * REMEMBERED_BYTES + 1);

    take_results(m);
    record->status = m->atomic ? 202 : 207;
    record->answer = (char *)to;
    record->answer_len = m->count * REMEMBERED_BYTES;
    for (size_t i = 0; i < m->count; i++, to += REMEMBERED_BYTES) {
        to[0] = (unsigned char)m->items[i].kind;
        put_u64(to + 1, m->items[i].id.hi);
        put_u64(to + 9, m->items[i].id.lo);
    }
}

/* The fingerprint is the same, so there are as many. What was refused then is refused again,
 * but when the configuration has changed. */
int many_replay(struct many *m, struct http_resp *rs)
{
    const struct idempotency_record *record = &m->idempotency.engine.record;
    const unsigned char *from = (const unsigned char *)record->answer;
    const struct errinfo refused = { .text = "the job was refused" };

    if (record->answer_len != m->count * REMEMBERED_BYTES)
        return err_set(&rs->err, ERR_DATABASE, "the remembered answer is of another size");
    for (size_t i = 0; i < m->count; i++, from += REMEMBERED_BYTES) {
        struct many_item *item = &m->items[i];

        item->id = (struct uuid7){ .hi = get_u64(from + 1), .lo = get_u64(from + 9) };
        if (from[0] == MANY_ACCEPTED || from[0] == MANY_EXISTING) {
            item->kind = (enum many_kind)from[0];
            item->problem_len = 0;
        } else if (from[0] == MANY_DUPLICATE) {
            refuse_duplicate(m, item);
        } else if (item->kind != MANY_REFUSED) {
            many_refuse(m, item, ERR_VALIDATION, NULL, &refused);
        }
    }
    m->has_results = true; /* those of then */
    return many_answer(m, rs);
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
    const struct unique_item *m = other;
    int r = memcmp(a->rule->digest, m->rule->digest, SHA256_BYTES);

    return r != 0 ? r : (a->index > m->index) - (a->index < m->index);
}

static size_t list_unique(const struct many *m, struct unique_item **ret_list)
{
    size_t count = 0;

    *ret_list = mem_array0(m->count + 1, sizeof **ret_list);
    for (size_t i = 0; i < m->count; i++) {
        const struct job *job = &m->request.jobs[m->items[i].job];

        if (m->items[i].kind == MANY_ACCEPTED && job->unique)
            (*ret_list)[count++] =
                (struct unique_item){ .rule = job->unique, .state = job->state, .index = i };
    }
    return count;
}

/* Of a batch that is taken as a whole no job may be in the way of another one. */
static void check_unique(const struct many *m, struct http_resp *rs)
{
    AUTO(mem) struct unique_item *list = NULL;
    size_t count = list_unique(m, &list);
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

static bool any_unique(const struct many *m)
{
    for (size_t i = 0; i < m->request.count; i++)
        if (m->request.jobs[i].unique)
            return true;
    return false;
}

void many_prepare_unique(struct many *m, struct http_resp *rs)
{
    if (!any_unique(m))
        return;
    m->request.results = mem_array0(m->request.count, sizeof *m->request.results);
    if (m->atomic)
        check_unique(m, rs);
}

/* Those that have another one in their way, in the order of the request. */
void many_name_duplicates(const struct many *m, struct http_resp *rs)
{
    for (size_t i = 0; m->request.results && i < m->count; i++) {
        const struct submit_result *result = &m->request.results[m->items[i].job];
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
