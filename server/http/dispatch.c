#include "server/http/dispatch.h"

#include <assert.h>
#include <poll.h>
#include <string.h>

#include "base/log.h"
#include "domain/trace.h"
#include "server/http/auth.h"
#include "server/http/cors.h"
#include "server/http/problem.h"

/* -- suspend and resume ----------------------------------------------------------------------
 *
 * A handler that returns HTTP_PENDING has arranged for http_resume(), which may run on another
 * thread at any moment: before the handler has returned, before MHD_suspend_connection(), after
 * it. MHD forgets a resume that comes before the suspend, so exactly one side must call
 * http_loop_resume(), after the suspend. The phase settles which:
 *
 *   HTTP thread                                    any thread
 *   phase = RUNNING; handler()                     http_resume():
 *   phase is RESUMED already? call next at once      old = exchange(phase, RESUMED)
 *   MHD_suspend_connection()                         old is SUSPENDED: http_loop_resume()
 *   compare-exchange(phase, RUNNING -> SUSPENDED)    old is RUNNING: nothing; the HTTP thread's
 *   that failed: http_loop_resume()                  compare-exchange will fail
 *
 * With old == RUNNING the HTTP thread may already answer and free the request, so http_resume()
 * does not touch it after the exchange. With old == SUSPENDED nothing can go on before the loop
 * has been told: a suspended connection does not even notice that its client has left. The
 * exchange is also what makes the resumer's writes visible to rq->next.
 */
enum phase { PHASE_RUNNING, PHASE_SUSPENDED, PHASE_RESUMED };

void http_resume(struct http_req *rq)
{
    struct request *r = (struct request *)rq;
    struct http_loop *loop = r->thread->loop;
    int old = atomic_exchange_explicit(&r->phase, PHASE_RESUMED, memory_order_acq_rel);

    assert(old != PHASE_RESUMED);
    if (old == PHASE_SUSPENDED)
        http_loop_resume(loop, &r->entry);
}

/* True: suspended, or on its way back from there. False: resumed already, go on at once. */
static bool suspend(struct request *r)
{
    int phase = PHASE_RUNNING;

    if (atomic_load_explicit(&r->phase, memory_order_acquire) == PHASE_RESUMED)
        return false;
    MHD_suspend_connection(r->connection);
    if (!atomic_compare_exchange_strong_explicit(&r->phase, &phase, PHASE_SUSPENDED,
                                                 memory_order_acq_rel, memory_order_acquire))
        http_loop_resume(r->thread->loop, &r->entry);
    return true;
}

/* The first call, or the one after a resume. */
static http_handler handler_of(const struct request *r)
{
    return r->stage == REQUEST_RUNNING ? r->rq.next : r->route->handler;
}

static int answer_options(struct request *r)
{
    http_set_header(&r->rs, "Allow", "%s",
                    r->match.resource ? resource_allow(r->match.resource)
                                      : "GET, HEAD, POST, PATCH, DELETE, OPTIONS");
    return http_reply_empty(&r->rs, MHD_HTTP_NO_CONTENT);
}

/* Who has waited is told nothing by a key that does not count any more; but what he has begun
 * he is told the end of. */
static int check_again(struct request *r)
{
    bool has_waited = r->stage == REQUEST_RUNNING;

    return has_waited && r->route->method == HTTP_GET ? auth_check_again(r) : 0;
}

enum MHD_Result dispatch_run(struct request *r)
{
    int result;

    if (r->refusal < 0)
        return dispatch_answer(r, r->refusal);
    if (!r->route)
        return dispatch_answer(r, answer_options(r));
    for (;;) {
        http_handler handler = handler_of(r);

        result = check_again(r);
        if (result < 0)
            return dispatch_answer(r, result);
        /* Acquire: this thread may be here because of a resume it has not seen otherwise. */
        (void)atomic_exchange_explicit(&r->phase, PHASE_RUNNING, memory_order_acq_rel);
        r->stage = REQUEST_RUNNING;
        r->rq.next = NULL;
        result = handler(&r->rq, &r->rs);
        if (result != HTTP_PENDING)
            return dispatch_answer(r, result);
        assert(r->rq.next);
        if (suspend(r))
            return MHD_YES;
    }
}

/* -- the answer -----------------------------------------------------------------------------
 */

static bool is_json(const struct http_body_ *a)
{
    const char *type = answer_header(a, "Content-Type");

    return type && strcmp(type, "application/json") == 0;
}

/* Accept is asked only about JSON: logs and results have the type that they have. */
static int check_accept(struct request *r)
{
    if (r->rs.status != MHD_HTTP_OK || !is_json(&r->answer) || accept_allows(&r->seen.accept))
        return 0;
    return err_set(&r->rs.err, ERR_NOT_ACCEPTABLE, "the resource is application/json");
}

static bool needs_retry_after(int result)
{
    int status = err_meta(result)->http_status;

    return status == MHD_HTTP_SERVICE_UNAVAILABLE || status == MHD_HTTP_TOO_MANY_REQUESTS ||
           result == ERR_RESULT_NOT_READY;
}

/* Whatever the handler had put together goes, but for its headers: they say more about the
 * error, such as Retry-After, Allow or Content-Range. */
static void answer_problem(struct request *r, int result)
{
    const struct errinfo *e = &r->rs.err;
    struct problem p = {
        .code = result,
        .detail = r->rs.err.text,
        .request_id = r->rq.request_id,
        .faults = &r->rs.faults,
    };
    char *text;
    size_t len;

    if (e->fact_name)
        http_problem_text(&r->rs, e->fact_name, e->fact);
    p.members = r->rs.members;

    auth_challenge(r, result);
    answer_drop_body(&r->answer);
    text = problem_encode(&p, &len);
    (void)http_reply_bytes(&r->rs, err_meta(result)->http_status, "application/problem+json",
                           text, len);
    if (needs_retry_after(result) && !answer_header(&r->answer, "Retry-After"))
        answer_set_static(&r->answer, "Retry-After", "1");
}

static void add_common_headers(struct request *r)
{
    struct http_body_ *a = &r->answer;

    /* Borrowed: it lives as long as the request, and MHD copies it. */
    answer_set_static(a, "X-Request-Id", r->rq.request_id);
    answer_set_static(a, "X-Content-Type-Options", "nosniff");
    answer_set_static(a, "Vary",
                      r->conf->cors_origin_count > 0 ? "Accept, Authorization, Prefer, Origin"
                                                     : "Accept, Authorization, Prefer");
    if (r->seen.origin)
        cors_add_headers(r);
    if (!answer_header(a, "Cache-Control"))
        answer_set_static(a, "Cache-Control",
                          answer_header(a, "ETag") ? "private, no-cache" : "no-store");
    if (atomic_load_explicit(r->thread->quiescing, memory_order_relaxed))
        answer_set_static(a, "Connection", "close");
}

/* Never the query or the body: they may hold what is nobody else's business. One line for each
 * request is for debugging; what the server could not do is always told. */
static void log_answer(struct request *r, int result)
{
    bool plain = r->rs.status < 500 || result == ERR_DRAINING;
    enum log_level level = LOG_ERROR;
    char client[IP_TEXT_SIZE], id[TRACE_ID_SIZE];
    struct trace trace;

    if (plain)
        level = LOG_DEBUG;
    else if (r->rs.status == MHD_HTTP_SERVICE_UNAVAILABLE)
        level = LOG_WARN;
    if (!log_wants(level))
        return;
    log_write(
        level, plain ? "http.request" : "http.failed",
        (const struct log_field[]){
            LSTR("method", r->method),
            LSTR("route", r->match.resource ? resource_path(r->match.resource) : NULL),
            LI64("status", r->rs.status),
            LI64("duration_us", clock_mono_us() - r->started_us),
            LSTR("request_id", r->rq.request_id),
            LSTR("client", peer_format(http_peer(&r->rq), client)),
            LSTR("trace_id", http_trace(&r->rq, &trace) ? trace_id(trace.parent, id) : NULL),
            plain ? (struct log_field)LOG_END_
                  : LSTR("code", result < 0 ? err_meta(result)->symbol : NULL),
            LSTR("reason", r->rs.err.text),
            LOG_END_,
        });
}

/* A suspended connection does not notice that its client has left; this asks the socket. */
static bool client_has_left(const struct request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd p = { .fd = info->connect_fd, .events = POLLRDHUP };

    return poll(&p, 1, 0) > 0;
}

/* MHD wants more of a stream. Where it has to wait, the connection is suspended in the same way
 * as for a handler. */
static ssize_t read_stream(void *cls, uint64_t offset, char *block, size_t room)
{
    struct request *r = cls;

    (void)offset;
    if (r->stream_waited && (client_has_left(r) || !auth_holds(r)))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    r->stream_waited = false;
    for (;;) {
        ssize_t n;

        (void)atomic_exchange_explicit(&r->phase, PHASE_RUNNING, memory_order_acq_rel);
        n = r->answer.stream.read(r->answer.stream.ctx, &r->rq, block, room);
        if (n > 0)
            return n;
        if (n != HTTP_STREAM_WAIT)
            return n == HTTP_STREAM_END ? MHD_CONTENT_READER_END_OF_STREAM
                                        : MHD_CONTENT_READER_END_WITH_ERROR;
        r->stream_waited = true;
        if (suspend(r))
            return 0;
    }
}

enum MHD_Result dispatch_answer(struct request *r, int result)
{
    struct MHD_Response *response;
    enum MHD_Result queued;

    if (result >= 0)
        result = check_accept(r);
    if (result < 0)
        answer_problem(r, result);
    add_common_headers(r);
    log_answer(r, result);
    r->stage = REQUEST_ANSWERED;
    response = answer_to_mhd(&r->answer, read_stream, r);
    if (!response)
        return MHD_NO;
    queued = MHD_queue_response(r->connection, (unsigned)r->rs.status, response);
    MHD_destroy_response(response);
    return queued;
}
