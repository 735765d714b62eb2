/* GET /v1/events (listEvents), GET /v1/jobs/{id}/events (listJobEvents) and GET
 * /v1/batches/{id}/events (listBatchEvents): what has happened, as a list or as a stream. */
#include "handlers/handlers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "domain/event_json.h"
#include "domain/json_text.h"
#include "domain/trace.h"
#include "handlers/batches.h"
#include "handlers/common.h"
#include "handlers/event_stream.h"

#define LIMIT_DEFAULT 100
#define TYPE_PREFIX   "dev.jobd."

/* What is asked for. */
struct wish {
    struct event_filter filter;
    enum event_scope scope;
    struct uuid7 id; /* of one */
    bool has_after;
    int64_t after_seq;
    int64_t limit;
};

/* -- what is asked for ----------------------------------------------------------------------
 */

static bool parse_seq(const char *text, int64_t *ret_seq)
{
    return text_to_i64(text, 0, INT64_MAX, ret_seq);
}

/* Last-Event-ID is newer than ?after, which a client that comes back sends again. */
static int decode_after(const struct http_req *rq, struct http_resp *rs, struct wish *w)
{
    const char *header = http_header(rq, "Last-Event-ID");
    const char *after = NULL;
    int r;

    r = common_single(rq, rs, "after", &after);
    if (r < 0)
        return r;
    if (after && !parse_seq(after, &w->after_seq))
        return common_bad_parameter(rs, "after", "wrong-type", "must be the id of an event");
    if (header && *header && !parse_seq(header, &w->after_seq))
        return err_set(&rs->err, ERR_INVALID_HEADER,
                       "Last-Event-ID must be the id of an event: a whole number");
    w->has_after = after || (header && *header);
    return 0;
}

static int add_state(struct http_resp *rs, const char *name, struct event_filter *f)
{
    int state = job_state_parse(name);

    if (state < 0)
        return common_bad_parameter(rs, "state", "unknown-value", "\"%.40s\" is not a state",
                                    name);
    f->states |= 1U << state;
    return 0;
}

static int add_type(struct http_resp *rs, const char *name, struct event_filter *f)
{
    const char *rest = name;
    int kind;

    (void)text_starts(name, TYPE_PREFIX, &rest);
    kind = event_kind_parse(rest);
    if (kind < 0)
        return common_bad_parameter(rs, "type", "unknown-value",
                                    "\"%.60s\" is not a type of events", name);
    f->kinds |= UINT64_C(1) << kind;
    return 0;
}

/* A parameter that may be repeated, and hold several words with commas between them. */
static int decode_words(const struct http_req *rq, struct http_resp *rs, const char *parameter,
                        int (*add)(struct http_resp *, const char *, struct event_filter *),
                        struct event_filter *f)
{
    const char *list;

    for (size_t i = 0; (list = http_query(rq, parameter, i)) != NULL; i++) {
        for (;;) {
            size_t len = strcspn(list, ",");
            AUTO(mem) char *word = mem_dup(list, len);
            int r = add(rs, word, f);

            if (r < 0)
                return r;
            if (list[len] == '\0')
                break;
            list += len + 1;
        }
    }
    return 0;
}

static int decode_name(const struct http_req *rq, struct http_resp *rs, const char *name,
                       size_t max_len, const char **ret_value)
{
    int r = common_single(rq, rs, name, ret_value);

    if (r < 0 || !*ret_value || text_is_token(*ret_value, max_len))
        return r;
    return common_bad_parameter(rs, name, "invalid-name",
                                "must have from 1 to %zu characters out of A-Z a-z 0-9 . _ -",
                                max_len);
}

static int decode_subject(const struct http_req *rq, struct http_resp *rs,
                          struct event_filter *f)
{
    const char *text = NULL;
    int r = common_single(rq, rs, "job_id", &text);

    if (r < 0 || !text)
        return r;
    f->has_subject = true;
    if (!uuid7_parse(text, &f->subject))
        return common_bad_parameter(rs, "job_id", "wrong-type", "must be the id of a job");
    return 0;
}

/* What both lists take. */
static int decode_common(const struct http_req *rq, struct http_resp *rs, struct wish *w)
{
    int r;

    w->limit = LIMIT_DEFAULT;
    r = common_number(rq, rs, "limit", STORE_LIST_MAX, &w->limit);
    return r < 0 ? r : decode_after(rq, rs, w);
}

static int decode_filter(const struct http_req *rq, struct http_resp *rs,
                         struct event_filter *f)
{
    int r;

    r = decode_words(rq, rs, "state", add_state, f);
    if (r == 0)
        r = decode_words(rq, rs, "type", add_type, f);
    if (r == 0)
        r = decode_name(rq, rs, "queue", JOB_QUEUE_MAX, &f->queue);
    if (r == 0)
        r = decode_name(rq, rs, "function", FUNCTION_NAME_MAX, &f->function);
    if (r == 0)
        r = decode_subject(rq, rs, f);
    f->tenant = rq->principal->tenant;
    return r;
}

/* -- the list -------------------------------------------------------------------------------
 */

/* The path of the next page: what was asked for, from another place on. Values are sent back as
 * they came, which was percent-encoded where it had to be. */
static char *next_path(const struct http_req *rq, int64_t after_seq)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    const char *at = http_query_raw(rq);

    buf_printf(&b, "%s?after=%" PRId64, rq->path, after_seq);
    while (*at) {
        size_t len = strcspn(at, "&");

        if (len > 0 && !text_starts(at, "after=", NULL)) {
            buf_add_char(&b, '&');
            buf_add(&b, at, len);
        }
        at += len + (at[len] == '&');
    }
    return buf_steal(&b);
}

static int reply_list(const struct http_req *rq, struct http_resp *rs,
                      const struct store_events *evs, const char *traceparent)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    size_t len;

    buf_add_str(&b, "{\"items\":[");
    for (size_t i = 0; i < evs->count; i++) {
        if (i > 0)
            buf_add_char(&b, ',');
        event_json_add(&b, &evs->items[i], traceparent);
    }
    buf_printf(&b, "],\"last_id\":\"%" PRId64 "\"", evs->seen_seq);
    if (evs->more) {
        AUTO(mem) char *next = next_path(rq, evs->seen_seq);

        buf_add_str(&b, ",\"next\":");
        json_text_add_string(&b, next);
        http_set_header(rs, "Link", "<%s>; rel=\"next\"", next);
    }
    buf_add_char(&b, '}');
    len = b.len;
    return http_reply_bytes(rs, 200, "application/json", buf_steal(&b), len);
}

static int expired(struct http_resp *rs, const struct store_events *evs)
{
    char oldest[24];

    (void)snprintf(oldest, sizeof oldest, "%" PRId64, evs->gone_seq + 1);
    return err_fact(&rs->err,
                    err_set(&rs->err, ERR_EVENT_ID_EXPIRED,
                            "events are kept from %s on: read the jobs again, and go on there",
                            oldest),
                    "oldest_id", oldest);
}

static int list_events(const struct http_req *rq, struct http_resp *rs, const struct wish *w,
                       const char *traceparent)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    AUTO_FINI(store_events) struct store_events evs = { 0 };
    const struct store_event_query query = { w->after_seq, w->filter, (size_t)w->limit };
    int r;

    r = borrow_get(&b, common_service(rq), rq->principal->tenant, &rs->err);
    if (r == 0 && w->scope == EVENTS_OF_JOB)
        r = store_read_job_events(b.reader, w->id, w->after_seq, (size_t)w->limit, &evs,
                                  &rs->err);
    else if (r == 0 && w->scope == EVENTS_OF_BATCH)
        r = store_read_batch_events(b.reader, w->id, w->after_seq, (size_t)w->limit, &evs,
                                    &rs->err);
    else if (r == 0)
        r = store_read_events(b.reader, &query, &evs, &rs->err);
    if (r < 0)
        return r;
    if (evs.gap && w->has_after)
        return expired(rs, &evs);
    return reply_list(rq, rs, &evs, traceparent);
}

/* -- the stream -----------------------------------------------------------------------------
 */

/* Without an id a stream of all events begins now, one of a job or batch with its first event.
 */
static int find_start(const struct http_req *rq, struct http_resp *rs, struct wish *w)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    AUTO_FINI(store_events) struct store_events evs = { 0 };
    const struct store_event_query query = { .after_seq = INT64_MAX - 1, .limit = 1 };
    int r;

    if (w->has_after || w->scope != EVENTS_OF_ALL)
        return 0;
    r = borrow_get(&b, common_service(rq), rq->principal->tenant, &rs->err);
    if (r == 0)
        r = store_read_events(b.reader, &query, &evs, &rs->err);
    w->after_seq = evs.newest_seq;
    return r;
}

static int stream_events(const struct http_req *rq, struct http_resp *rs, struct wish *w,
                         const char *traceparent)
{
    struct event_stream_start start = { .scope = w->scope,
                                        .id = w->id,
                                        .traceparent = traceparent,
                                        .filter = w->filter,
                                        .principal = rq->principal,
                                        .resumed = w->has_after };
    int r = find_start(rq, rs, w);

    if (r < 0)
        return r;
    start.after_seq = w->after_seq;
    return event_stream_reply(common_service(rq), rs, &start);
}

/* -- the operations -------------------------------------------------------------------------
 */

int h_list_events(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { "state",  "type",  "queue", "function",
                                         "job_id", "after", "limit", NULL };
    struct wish w = { 0 };
    int r;

    r = common_allow(rq, rs, known);
    if (r == 0)
        r = decode_common(rq, rs, &w);
    if (r == 0)
        r = decode_filter(rq, rs, &w.filter);
    if (r < 0)
        return r;
    return http_wants_events(rq) ? stream_events(rq, rs, &w, NULL)
                                 : list_events(rq, rs, &w, NULL);
}

/* The job, its traceparent ("": none), and whether it has nothing more to tell. */
static int look_at_job(const struct http_req *rq, struct http_resp *rs, const struct wish *w,
                       char ret_traceparent[TRACE_PARENT_SIZE], bool *ret_all_seen)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    AUTO_FINI(job) struct job job = { 0 };
    AUTO(json) json_t *payload = NULL;
    const char *state;
    int r;

    r = borrow_get(&b, common_service(rq), rq->principal->tenant, &rs->err);
    if (r == 0)
        r = store_read_job(b.reader, w->id, 0, &job, &rs->err);
    if (r < 0)
        return r;
    (void)json_text_parse(job.payload, job.payload_len, &payload, NULL);
    trace_of_job(payload, job.id, ret_traceparent, &state);
    *ret_all_seen =
        w->has_after && job_state_is_final(job.state) && w->after_seq >= job.change_seq;
    return 0;
}

int h_list_job_events(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { "after", "limit", NULL };
    char traceparent[TRACE_PARENT_SIZE] = "";
    struct wish w = { .scope = EVENTS_OF_JOB };
    bool all_seen = false;
    int r;

    r = common_allow(rq, rs, known);
    if (r == 0)
        r = common_job_id(rq, &w.id, &rs->err);
    if (r == 0)
        r = decode_common(rq, rs, &w);
    if (r == 0)
        r = look_at_job(rq, rs, &w, traceparent, &all_seen);
    if (r < 0)
        return r;
    if (!http_wants_events(rq))
        return list_events(rq, rs, &w, *traceparent ? traceparent : NULL);
    if (all_seen)
        return http_reply_empty(rs, 204); /* an EventSource stops at it */
    return stream_events(rq, rs, &w, *traceparent ? traceparent : NULL);
}

int h_list_batch_events(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { "after", "limit", NULL };
    AUTO_FINI(batch) struct batch batch = { 0 };
    struct wish w = { .scope = EVENTS_OF_BATCH };
    int r;

    r = common_allow(rq, rs, known);
    if (r == 0)
        r = batches_id(rq, &w.id, &rs->err);
    if (r == 0)
        r = decode_common(rq, rs, &w);
    if (r == 0)
        r = batches_read(rq, w.id, &batch, &rs->err);
    if (r < 0)
        return r;
    if (!http_wants_events(rq))
        return list_events(rq, rs, &w, NULL);
    if (w.has_after && batch_state_is_final(batch.state) && w.after_seq >= batch.change_seq)
        return http_reply_empty(rs, 204);
    return stream_events(rq, rs, &w, NULL);
}
