#include "server/http/admission.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

/* Of an IPv6 address what a provider gives to one customer: its /64. */
#define IPV6_KEY_BYTES 8
#define POLICY_KEY     "key"
#define POLICY_ADDRESS "address"

/* Whom a rate is for: a prefix that tells kinds apart, and the name. */
struct sender {
    const char *policy;
    struct rate rate;
    size_t key_len;
    char key[RATES_KEY_MAX];
};

static void add(struct sender *s, const void *bytes, size_t len)
{
    size_t room = sizeof s->key - s->key_len;

    if (len > room)
        len = room;
    memcpy(s->key + s->key_len, bytes, len);
    s->key_len += len;
}

static void by_principal(const struct request *r, const struct principal *p, struct sender *s)
{
    const char kind = (char)('0' + (int)p->via);
    const char *name = p->key_id ? p->key_id : p->name;

    s->policy = POLICY_KEY;
    s->rate = r->conf->key_rate;
    if (p->rate > 0)
        s->rate = (struct rate){ p->rate, p->rate_seconds * USEC_PER_SEC, 0 };
    add(s, &kind, 1);
    add(s, p->tenant, strlen(p->tenant) + 1);
    if (name)
        add(s, name, strlen(name));
}

static void by_address(struct request *r, struct sender *s)
{
    const struct http_peer *peer = http_peer(&r->rq);
    static const unsigned char ipv4[12] = { [10] = 0xff, [11] = 0xff };
    bool is_ipv4 = memcmp(peer->client.bytes, ipv4, sizeof ipv4) == 0;

    if (!peer->has_client)
        return; /* over a Unix socket: this machine's own */
    s->policy = POLICY_ADDRESS;
    s->rate = r->conf->address_rate;
    add(s, "a", 1);
    add(s, peer->client.bytes, is_ipv4 ? sizeof peer->client.bytes : IPV6_KEY_BYTES);
}

static void set_headers(struct request *r, const struct sender *s,
                        const struct rate_state *state)
{
    AUTO_FINI(buf) struct buf policy = { 0 }, limit = { 0 };

    rate_add_policy(&policy, s->policy, &s->rate);
    rate_add_state(&limit, s->policy, state);
    http_set_header(&r->rs, "RateLimit-Policy", "%s", policy.data);
    http_set_header(&r->rs, "RateLimit", "%s", limit.data);
}

int admission_check_rate(struct request *r)
{
    const struct principal *p = r->rq.principal;
    struct sender s = { 0 };
    struct rate_state state;

    if (p->via == PRINCIPAL_NONE)
        by_address(r, &s);
    else
        by_principal(r, p, &s);
    if (s.rate.limit == 0)
        return 0;
    state = rates_take(r->thread->rates, &s.rate, s.key, s.key_len, r->started_us);
    set_headers(r, &s, &state);
    if (state.allowed)
        return 0;
    http_set_header(&r->rs, "Retry-After", "%" PRId64,
                    (state.retry_in_us + USEC_PER_SEC - 1) / USEC_PER_SEC);
    http_problem_json(&r->rs, "violated-policies", json_pack("[s]", s.policy));
    return err_set(&r->rs.err, ERR_QUOTA_EXCEEDED,
                   "%" PRId64 " requests in %" PRId64 " s are allowed for each %s",
                   s.rate.limit, (s.rate.period_us + USEC_PER_SEC - 1) / USEC_PER_SEC,
                   s.policy);
}

/* What makes new work; what stops work is let through. */
static bool submits(const struct http_route *route)
{
    return route->method == HTTP_POST && route->scope == SCOPE_JOBS_WRITE;
}

static int check_load(struct request *r)
{
    const struct http_conf *conf = r->conf;

    return conf->room && submits(r->route) ? conf->room(conf->room_ctx, &r->rs.err) : 0;
}

int admission_check(struct request *r)
{
    int refusal;

    if (!r->route || r->route->scope == SCOPE_PUBLIC)
        return 0;
    refusal = admission_check_rate(r);
    return refusal < 0 ? refusal : check_load(r);
}
