#include "server/http/chain.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"
#include "server/http/admission.h"
#include "server/http/auth.h"
#include "server/http/cors.h"
#include "server/http/gunzip.h"
#include "server/http/loopback.h"

#define REQUEST_ID_MAX 128
/* A refused body up to this length is read and dropped: a client that finds the connection
 * closed while it still sends may never see the answer (RFC 9112 9.6). */
#define DRAIN_MAX_BYTES ((uint64_t)8 << 20)

struct arrival {
    struct request *r;
    const char *method;
    const char *version;
    bool has_length; /* Content-Length */
    uint64_t length;
    bool bad_framing; /* where the body ends is in doubt: nothing may be read on */
};

static int refuse_framing(struct arrival *a, const char *why)
{
    a->bad_framing = true;
    return err_set(&a->r->rs.err, ERR_MALFORMED_REQUEST, "%s", why);
}

/* Where two servers in a row may see different ends of a body, a request can be smuggled in
 * (RFC 9112 11.2), and MHD takes what it is given: an unknown coding as "until the end". */
static int check_framing(struct arrival *a)
{
    const struct seen_headers *seen = &a->r->seen;
    int64_t length = 0;

    if (seen->torn)
        return refuse_framing(a, "a header line is folded, or holds a NUL");
    if (seen->bad_name)
        return refuse_framing(a, "a header's name has a blank");
    if (seen->conflicting)
        return refuse_framing(a, "a header that may come once came twice");
    if (!seen->host && !text_equal(a->version, "HTTP/1.0"))
        return refuse_framing(a, "HTTP/1.1 asks for a Host header");
    if (seen->transfer_encoding) {
        if (seen->content_length)
            return refuse_framing(a, "both Content-Length and Transfer-Encoding were sent");
        if (strcasecmp(seen->transfer_encoding, "chunked") != 0)
            return refuse_framing(a, "the only transfer coding is chunked");
        if (text_equal(a->version, "HTTP/1.0"))
            return refuse_framing(a, "HTTP/1.0 has no transfer codings");
    }
    if (!seen->content_length)
        return 0;
    if (!text_to_i64(seen->content_length, 0, INT64_MAX, &length))
        return refuse_framing(a, "Content-Length is not a number");
    a->has_length = true;
    a->length = (uint64_t)length;
    return 0;
}

static int set_request_id(struct arrival *a)
{
    struct request *r = a->r;

    if (r->seen.request_id && text_is_token(r->seen.request_id, REQUEST_ID_MAX)) {
        r->rq.request_id = r->seen.request_id;
        return 0;
    }
    r->rq.request_id = uuid7_format(uuid7_new(&r->thread->ids, clock_wall_us()), r->id_text);
    return 0;
}

/* MHD hands out the target up to its first NUL, but the version lies behind the whole of it. */
static bool target_has_nul(const struct arrival *a)
{
    uintptr_t from = (uintptr_t)a->r->uri_at, version = (uintptr_t)a->version;
    size_t len = strlen(a->r->uri) + (a->r->query_raw[0] ? strlen(a->r->query_raw) + 1 : 0);

    return !a->r->uri_too_long && version > from + len + 2 &&
           version - from < a->r->conf->max_header_bytes;
}

static int check_target(struct arrival *a)
{
    struct request *r = a->r;

    if (target_has_nul(a))
        return refuse_framing(a, "the request target has a NUL");

    if (r->uri_too_long)
        return err_set(&r->rs.err, ERR_URI_TOO_LONG, "shorten the query or the path");
    if (r->conf->max_header_bytes > 0 && r->seen.bytes > r->conf->max_header_bytes)
        return err_set(&r->rs.err, ERR_HEADERS_TOO_LARGE, "at most %zu bytes are accepted",
                       r->conf->max_header_bytes);
    if (strpbrk(r->uri, " \t") || strpbrk(r->query_raw, " \t"))
        return refuse_framing(a, "the request target has a blank");
    if (r->rq.path[0] == '/' || (text_equal(a->method, "OPTIONS") && text_equal(r->uri, "*")))
        return 0;
    if (r->rq.path != r->uri && r->rq.path[0] == 0) { /* "http://host" */
        r->rq.path = "/";
        memcpy(r->path_work, "/", 2);
        return 0;
    }
    return err_set(&r->rs.err, ERR_MALFORMED_REQUEST, "the request target is not a path");
}

static bool changes_something(const char *method)
{
    return !text_equal(method, "GET") && !text_equal(method, "HEAD") &&
           !text_equal(method, "OPTIONS");
}

static bool host_is_loopback(const struct arrival *a)
{
    const struct request *r = a->r;
    const char *authority = strstr(r->uri, "://");

    if (r->rq.path != r->uri && authority && /* the absolute form overrides Host */
        !loopback_authority(authority + 3, strcspn(authority + 3, "/?")))
        return false;
    if (!r->seen.host)
        return true; /* HTTP/1.0: check_framing() */
    return loopback_authority(r->seen.host, strlen(r->seen.host));
}

static int check_host(struct arrival *a)
{
    struct request *r = a->r;

    if (!r->conf->loopback_only || auth_is_required(r))
        return 0;
    if (!host_is_loopback(a))
        return err_set(&r->rs.err, ERR_FORBIDDEN_HOST,
                       "use localhost, 127.0.0.1 or [::1] as the host");
    if (!changes_something(a->method))
        return 0;
    if (cors_allows(r))
        return 0;
    if ((r->seen.origin && !loopback_origin(r->seen.origin)) ||
        (r->seen.fetch_site && text_equal(r->seen.fetch_site, "cross-site")))
        return err_set(&r->rs.err, ERR_FORBIDDEN_HOST,
                       "web pages of other sites may not change anything here");
    return 0;
}

static int refuse_method(struct arrival *a)
{
    const char *allow = resource_allow(a->r->match.resource);

    answer_set_static(&a->r->answer, "Allow", allow);
    return err_set(&a->r->rs.err, ERR_METHOD_NOT_ALLOWED, "use one of %s", allow);
}

static int find_route(struct arrival *a)
{
    struct request *r = a->r;
    enum http_method method = HTTP_METHOD_MAX_;
    int found;

    if (text_equal(r->uri, "*"))
        return 0;
    found = router_match(r->thread->router, r->path_work, &r->match, &r->rs.err);
    if (found < 0)
        return found;
    if (text_equal(a->method, "OPTIONS"))
        return 0;
    r->head = text_equal(a->method, "HEAD");
    if (r->head || text_equal(a->method, "GET"))
        method = HTTP_GET;
    else if (text_equal(a->method, "POST"))
        method = HTTP_POST;
    else if (text_equal(a->method, "PATCH"))
        method = HTTP_PATCH;
    else if (text_equal(a->method, "DELETE"))
        method = HTTP_DELETE;
    if (method != HTTP_METHOD_MAX_)
        r->route = resource_route(r->match.resource, method);
    return r->route ? 0 : refuse_method(a);
}

/* Those who are not let in have a rate, too: trying is not free. */
static int check_caller(struct arrival *a)
{
    int refusal = auth_check(a->r);
    int excess = refusal < 0 ? admission_check_rate(a->r) : 0;

    return excess < 0 ? excess : refusal;
}

static int check_room(struct arrival *a)
{
    return admission_check(a->r);
}

static int check_draining(struct arrival *a)
{
    struct request *r = a->r;

    if (!r->conf->draining || !changes_something(a->method) ||
        !r->conf->draining(r->conf->draining_ctx))
        return 0;
    return err_set(&r->rs.err, ERR_DRAINING, "try again when it is back");
}

static int check_length(struct arrival *a)
{
    struct request *r = a->r;
    size_t max = request_body_max(r);

    if (a->has_length && a->length > max)
        return request_refuse_size(r, max);
    if (a->has_length && a->length > 0 && r->route && r->route->body != BODY_NONE)
        (void)buf_reserve(&r->body, (size_t)a->length);
    return 0;
}

static const char *const *types_of(enum http_body_kind kind)
{
    static const char *const json[] = { "application/json", NULL };
    static const char *const patch[] = { "application/merge-patch+json", NULL };
    static const char *const lines[] = { "application/json", HTTP_NDJSON, NULL };

    if (kind == BODY_MERGE_PATCH)
        return patch;
    return kind == BODY_JSON_LINES ? lines : json;
}

static int refuse_type(struct request *r, const char *const *types)
{
    /* RFC 5789 3.1: a patch has a header of its own. */
    const char *header = r->route->body == BODY_MERGE_PATCH ? "Accept-Patch" : "Accept";

    http_set_header(&r->rs, header, "%s%s%s", types[0], types[1] ? ", " : "",
                    types[1] ? types[1] : "");
    return err_set(&r->rs.err, ERR_MEDIA_TYPE, "send the body as Content-Type: %s%s%s",
                   types[0], types[1] ? " or " : "", types[1] ? types[1] : "");
}

static int check_content_coding(struct request *r)
{
    const char *coding = r->seen.content_encoding;

    if (!coding || strcasecmp(coding, "identity") == 0)
        return 0;
    if (strcasecmp(coding, "gzip") != 0 && strcasecmp(coding, "x-gzip") != 0) {
        answer_set_static(&r->answer, "Accept-Encoding", "gzip, identity"); /* 12.5.3 */
        return err_set(&r->rs.err, ERR_MEDIA_TYPE,
                       "send the body with Content-Encoding: gzip, or without any");
    }
    r->gunzip = gunzip_new();
    return 0;
}

/* A type that a web page's form cannot send: the browser must ask first, and is told no. */
static int check_content_type(struct arrival *a)
{
    struct request *r = a->r;
    bool has_body = r->seen.transfer_encoding || a->length > 0;
    const char *const *types;

    if (!r->route || r->route->body == BODY_NONE || !has_body)
        return 0;
    if (check_content_coding(r) < 0)
        return ERR_MEDIA_TYPE;
    types = types_of(r->route->body);
    for (const char *const *type = types; r->seen.content_type && *type; type++)
        if (request_type_is(r->seen.content_type, *type))
            return 0;
    return refuse_type(r, types);
}

/* Operations that change something all answer with JSON, and must not have changed it when that
 * turns out to be unwelcome. What a GET gives is known when it is there: see dispatch.c. */
static int check_accept(struct arrival *a)
{
    struct request *r = a->r;

    if (!r->route || r->route->method == HTTP_GET || accept_allows(&r->seen.accept))
        return 0;
    return err_set(&r->rs.err, ERR_NOT_ACCEPTABLE, "the answer is application/json");
}

static bool answer_now(const struct arrival *a)
{
    return a->bad_framing || a->r->seen.expects_continue || a->length > DRAIN_MAX_BYTES;
}

bool chain_admit(struct request *r, const char *method, const char *version)
{
    static int (*const links[])(struct arrival *) = {
        set_request_id, check_framing,      check_target, check_host,
        find_route,     check_caller,       check_room,   check_draining,
        check_length,   check_content_type, check_accept,
    };
    struct arrival a = { .r = r, .method = method, .version = version };

    r->method = method;
    request_scan_headers(r);
    r->rq.lenient = r->seen.prefer.lenient;
    r->rq.total_count = r->seen.prefer.total_count;
    for (size_t i = 0; i < COUNT_OF(links) && r->refusal == 0; i++)
        r->refusal = links[i](&a);
    if (r->refusal < 0) {
        r->route = NULL; /* nobody wants the body */
        return answer_now(&a);
    }
    query_parse(r->query_raw, &r->query);
    return false;
}
