#include "server/http/cors.h"

#include <string.h>

#include "base/text.h"

#define PREFLIGHT_MAX_AGE "600"

/* "*", or the origin as it was sent; NULL: not listed. */
static const char *allowed_origin(const struct request *r)
{
    const struct http_conf *conf = r->conf;

    for (size_t i = 0; r->seen.origin && i < conf->cors_origin_count; i++)
        if (text_equal(conf->cors_origins[i], "*") ||
            text_equal(conf->cors_origins[i], r->seen.origin))
            return conf->cors_origins[i];
    return NULL;
}

bool cors_allows(const struct request *r)
{
    return allowed_origin(r) != NULL;
}

/* A browser asks before it sends what a form could not. */
static void answer_preflight(struct request *r)
{
    struct http_body_ *a = &r->answer;
    const char *allow = answer_header(a, "Allow");

    answer_set_static(a, "Access-Control-Allow-Methods", allow ? allow : "GET, HEAD");
    answer_set_static(a, "Access-Control-Allow-Headers",
                      "Authorization, Content-Type, Content-Encoding, Idempotency-Key, "
                      "If-Match, If-None-Match, If-Range, Last-Event-ID, Prefer, Range, "
                      "X-Request-Id, traceparent, tracestate");
    answer_set_static(a, "Access-Control-Max-Age", PREFLIGHT_MAX_AGE);
}

void cors_add_headers(struct request *r)
{
    const char *origin = allowed_origin(r);

    if (!origin)
        return;
    answer_set_static(&r->answer, "Access-Control-Allow-Origin", origin);
    if (text_equal(r->method, "OPTIONS")) {
        answer_preflight(r);
        return;
    }
    answer_set_static(&r->answer, "Access-Control-Expose-Headers",
                      "Content-Location, Content-Range, ETag, Idempotent-Replayed, Link, "
                      "Location, Preference-Applied, RateLimit, RateLimit-Policy, "
                      "Repr-Digest, Retry-After, X-Log-Truncated, X-Request-Id");
}
