#include "server/http/request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/json_text.h"
#include "domain/trace.h"
#include "server/http/auth.h"
#include "server/http/gunzip.h"
#include "server/http/ranges.h"

/* A chunked body that is refused has no length to be judged by: it is read on and dropped, so
 * that the client sees the reason, but not for ever. */
#define DISCARD_MAX_BYTES ((uint64_t)64 << 20)

static const struct request *request_of(const struct http_req *rq)
{
    return (const struct request *)rq;
}

/* RFC 9112 3.2.2: a server takes the absolute form too; its authority then is the host. */
static char *after_authority(char *uri)
{
    char *at = strstr(uri, "://");

    return uri[0] != '/' && at ? at + 3 + strcspn(at + 3, "/?") : uri;
}

/* glibc serves a block of this size slowly, and every request needs one. */
static struct request *take_spare(struct http_thread *thread)
{
    struct request *r = thread->spares;
    struct buf written;
    void *state_room;

    if (!r)
        return mem_new0(sizeof *r);
    thread->spares = r->next_spare;
    thread->spare_count--;
    written = r->written;
    state_room = r->state_room;
    memset(r, 0, sizeof *r);
    r->written = written;
    r->state_room = state_room;
    return r;
}

static void free_spare(struct request *r)
{
    buf_fini(&r->written);
    free(r->state_room);
    free(r);
}

void *http_state_new(struct http_req *rq, size_t size_bytes, void (*end)(void *state))
{
    struct request *r = (struct request *)rq;

    assert(!rq->state);
    rq->state_free = end;
    if (size_bytes > REQUEST_STATE_ROOM)
        return rq->state = r->state_heap = mem_new0(size_bytes);
    if (!r->state_room)
        r->state_room = mem_new0(REQUEST_STATE_ROOM);
    else
        memset(r->state_room, 0, size_bytes);
    return rq->state = r->state_room;
}

static void set_uri(struct request *r, const char *uri, size_t len)
{
    size_t room = 2 * (len + 1);
    char *mark;

    r->uri = r->uri_room;
    if (room > sizeof r->uri_room)
        r->uri = r->uri_heap = mem_new0(room);
    memcpy(r->uri, uri, len + 1);
    r->query_raw = r->uri + len;
    mark = memchr(r->uri, '?', len);
    if (mark) {
        *mark = 0;
        r->query_raw = mark + 1;
    }
    r->path_work = r->uri + len + 1;
    r->rq.path = after_authority(r->uri);
    memcpy(r->path_work, r->rq.path, strlen(r->rq.path) + 1);
}

struct request *request_new(struct http_thread *thread, struct MHD_Connection *connection,
                            const char *uri)
{
    struct request *r = take_spare(thread);
    size_t len = uri ? strlen(uri) : 0;

    r->thread = thread;
    r->conf = thread->conf;
    r->connection = connection;
    r->entry.connection = connection;
    r->started_us = clock_mono_us();
    r->answer.fd = -1;
    r->rs.body = &r->answer;
    r->answer.written = &r->written;
    r->rq.service = thread->conf->service;
    r->rq.principal = &principal_anybody;
    r->uri_at = uri;
    r->uri_too_long = len > thread->conf->max_uri_bytes;
    if (r->uri_too_long || len == 0)
        set_uri(r, "/", 1);
    else
        set_uri(r, uri, len);
    return r;
}

struct request *request_free(struct request *r)
{
    struct http_thread *thread;

    if (!r)
        return NULL;
    if (r->rq.state_free)
        r->rq.state_free(r->rq.state);
    free(r->state_heap);
    if (r->written.capacity > REQUEST_KEPT_TEXT_SIZE)
        buf_fini(&r->written);
    auth_release(r);
    faults_fini(&r->rs.faults);
    json_decref(r->rs.members);
    answer_fini(&r->answer);
    query_fini(&r->query);
    r->gunzip = gunzip_free(r->gunzip);
    bodies_release(r);
    buf_fini(&r->body);
    free(r->uri_heap);
    thread = r->thread;
    if (thread->spare_count == REQUEST_SPARES_MAX) {
        free_spare(r);
        return NULL;
    }
    r->next_spare = thread->spares;
    thread->spares = r;
    thread->spare_count++;
    return NULL;
}

void request_free_spares(struct http_thread *thread)
{
    while (thread->spares) {
        struct request *r = thread->spares;

        thread->spares = r->next_spare;
        free_spare(r);
    }
    thread->spare_count = 0;
}

/* -- headers --------------------------------------------------------------------------------
 */

static bool is_header(const char *name, const char *wanted)
{
    return strcasecmp(name, wanted) == 0;
}

const char *http_method(const struct http_req *rq)
{
    return request_of(rq)->method;
}

const char *http_header(const struct http_req *rq, const char *name)
{
    return MHD_lookup_connection_value(request_of(rq)->connection, MHD_HEADER_KIND, name);
}

const struct http_peer *http_peer(struct http_req *rq)
{
    struct request *r = (struct request *)rq;

    if (!r->peer_known)
        peer_find(r->connection, r->conf->trusted_proxies, &r->peer);
    r->peer_known = true;
    return &r->peer;
}

static enum MHD_Result see_trace_state(void *cls, enum MHD_ValueKind kind, const char *name,
                                       const char *value)
{
    (void)kind;
    if (value && is_header(name, "tracestate"))
        trace_add_state(cls, value);
    return MHD_YES;
}

bool http_trace(const struct http_req *rq, struct trace *ret_trace)
{
    const struct request *r = request_of(rq);

    if (!r->seen.traceparent || r->seen.traceparent_twice ||
        !trace_parse(r->seen.traceparent, ret_trace))
        return false;
    (void)MHD_get_connection_values(r->connection, MHD_HEADER_KIND, see_trace_state, ret_trace);
    return true;
}

bool http_wants_html(const struct http_req *rq)
{
    return accept_is_html(&request_of(rq)->seen.accept);
}

bool http_wants_events(const struct http_req *rq)
{
    return request_of(rq)->seen.accept.events;
}

struct etag_question {
    const char *header;
    bool (*lists)(const char *list, const char *etag);
    const char *etag;
    bool listed;
};

static enum MHD_Result ask_etag(void *cls, enum MHD_ValueKind kind, const char *name,
                                const char *value)
{
    struct etag_question *q = cls;

    (void)kind;
    if (value && is_header(name, q->header) && q->lists(value, q->etag))
        q->listed = true;
    return MHD_YES;
}

bool http_none_match(const struct http_req *rq, const char *etag)
{
    struct etag_question q = { "If-None-Match", etag_listed, etag, false };

    (void)MHD_get_connection_values(request_of(rq)->connection, MHD_HEADER_KIND, ask_etag, &q);
    return q.listed;
}

bool http_match(const struct http_req *rq, const char *etag)
{
    struct etag_question q = { "If-Match", etag_listed_strongly, etag, false };

    (void)MHD_get_connection_values(request_of(rq)->connection, MHD_HEADER_KIND, ask_etag, &q);
    return q.listed;
}

int http_wait_seconds(const struct http_req *rq, int64_t max_seconds, int64_t *ret_seconds,
                      bool *ret_from_header, struct errinfo *e)
{
    const struct prefer *prefer = &request_of(rq)->seen.prefer;
    const char *wait = http_query(rq, "wait", 0);
    int64_t seconds = 0;

    if (wait && !text_to_i64(wait, 0, INT64_MAX, &seconds))
        return err_set(e, ERR_INVALID_PARAMETER, "wait=%.40s is not a number of whole seconds",
                       wait);
    if (prefer->has_wait)
        seconds = prefer->wait_seconds;
    *ret_seconds = seconds < max_seconds ? seconds : max_seconds;
    *ret_from_header = prefer->has_wait;
    return 0;
}

int http_range(const struct http_req *rq, uint64_t total_bytes, const char *if_range_etag,
               struct http_range *ret_range, struct errinfo *e)
{
    /* RFC 9110 14.2: Range is defined for GET alone. */
    const char *range = request_of(rq)->head ? NULL : http_header(rq, "Range");

    return range_parse(range, http_header(rq, "If-Range"), total_bytes, if_range_etag,
                       ret_range, e);
}

/* -- path and query -------------------------------------------------------------------------
 */

const char *http_param(const struct http_req *rq, const char *name)
{
    const struct route_match *m = &request_of(rq)->match;

    for (size_t i = 0; i < m->param_count; i++)
        if (text_equal(m->params[i].name, name))
            return m->params[i].value;
    assert(false && "a handler asks for a parameter that its route has not");
    return "";
}

const char *http_query(const struct http_req *rq, const char *name, size_t n)
{
    return query_value(&request_of(rq)->query, name, n);
}

int http_query_allow(const struct http_req *rq, const char *const *names, struct errinfo *e)
{
    return query_allow(&request_of(rq)->query, names, e);
}

const char *http_query_name(const struct http_req *rq, size_t n)
{
    const struct query *q = &request_of(rq)->query;

    return n < q->count ? q->params[n].name : NULL;
}

void http_query_replace(struct http_req *rq, const char *raw)
{
    struct request *r = (struct request *)rq;

    query_fini(&r->query);
    query_parse(raw, &r->query);
}

const char *http_query_raw(const struct http_req *rq)
{
    return request_of(rq)->query_raw;
}

/* -- body -----------------------------------------------------------------------------------
 */

size_t request_body_max(const struct request *r)
{
    bool is_batch = r->route && r->route->body == BODY_JSON_LINES;

    return is_batch ? r->conf->max_batch_body_bytes : r->conf->max_body_bytes;
}

bool request_type_is(const char *content_type, const char *type)
{
    const char *rest;

    if (strncasecmp(content_type, type, strlen(type)) != 0)
        return false;
    rest = content_type + strlen(type);
    rest += strspn(rest, " \t");
    return *rest == 0 || *rest == ';';
}

int request_refuse_size(struct request *r, size_t max_bytes)
{
    http_problem_number(&r->rs, "max_bytes", (int64_t)max_bytes);
    return err_set(&r->rs.err, ERR_CONTENT_TOO_LARGE, "at most %zu bytes are accepted",
                   max_bytes);
}

static bool is_wanted(const struct request *r)
{
    return !r->refusal && r->route && r->route->body != BODY_NONE;
}

/* It is read on and dropped. */
static void stop_keeping(struct request *r, int refusal)
{
    r->refusal = refusal;
    r->discarded_bytes += r->body.len;
    buf_fini(&r->body);
    bodies_release(r);
    r->gunzip = gunzip_free(r->gunzip);
}

static int keep(struct request *r, const char *part, size_t len)
{
    size_t max = request_body_max(r);
    int refusal;

    if (r->gunzip) {
        refusal = gunzip_add(r->gunzip, part, len, max, &r->body, &r->rs.err);
        if (refusal == ERR_CONTENT_TOO_LARGE)
            http_problem_number(&r->rs, "max_bytes", (int64_t)max);
        return refusal < 0 ? refusal : bodies_hold(r, r->body.len);
    }
    if (len > max - r->body.len)
        return request_refuse_size(r, max);
    refusal = bodies_hold(r, r->body.len + len);
    if (refusal == 0)
        buf_add(&r->body, part, len);
    return refusal;
}

bool request_add_body(struct request *r, const char *part, size_t len)
{
    size_t max = request_body_max(r);

    if (is_wanted(r)) {
        int refusal = keep(r, part, len);

        if (refusal == 0)
            return true;
        stop_keeping(r, refusal);
    } else if (!r->refusal && len > max - r->discarded_bytes) {
        stop_keeping(r, request_refuse_size(r, max));
    }
    r->discarded_bytes += len;
    return r->discarded_bytes <= DISCARD_MAX_BYTES;
}

void request_end_body(struct request *r)
{
    int refusal = r->gunzip && is_wanted(r) ? gunzip_end(r->gunzip, &r->rs.err) : 0;

    if (refusal < 0)
        stop_keeping(r, refusal);
}

const char *http_body(const struct http_req *rq, size_t *ret_len)
{
    const struct buf *body = &request_of(rq)->body;

    *ret_len = body->len;
    return body->data ? body->data : "";
}

bool http_body_is_lines(const struct http_req *rq)
{
    const char *type = request_of(rq)->seen.content_type;

    return type && request_type_is(type, HTTP_NDJSON);
}

int http_body_json(const struct http_req *rq, json_t **ret_json, struct errinfo *e)
{
    size_t len;
    const char *text = http_body(rq, &len);

    if (len == 0 && request_of(rq)->route->body == BODY_JSON_OPTIONAL) {
        *ret_json = NULL;
        return 0;
    }
    if (len == 0)
        return err_set(e, ERR_MALFORMED_JSON, "the body is empty");
    return json_text_parse(text, len, ret_json, e);
}
