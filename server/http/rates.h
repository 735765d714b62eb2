/* server/http/rates.h - how many requests somebody may make in a time: a bucket for each of
 * them, which refills steadily (GCRA). Any thread.
 */
#ifndef JOBD_SERVER_HTTP_RATES_H
#define JOBD_SERVER_HTTP_RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clean.h"
#include "base/clock.h"

/* limit requests in period_us, burst of them at once. */
struct rate {
    int64_t limit; /* 0: no bound */
    usec_t period_us;
    int64_t burst; /* 0: limit */
};

struct rate_state {
    bool allowed;
    int64_t remaining;  /* that may come at once */
    usec_t full_in_us;  /* when the bucket is full again, if nobody takes */
    usec_t retry_in_us; /* of a refused one: when it would be allowed; else 0 */
};

/* One step of a bucket: *tat_us is its state, 0 at first, 0 <= now_us. Pure. */
struct rate_state rate_take(const struct rate *rate, usec_t now_us, usec_t *tat_us);

/* Buckets by key. As many as RATES_MAX; beyond, those who are not there yet share one. */
#define RATES_MAX     16384
#define RATES_KEY_MAX 200 /* bytes; longer ones are cut */
struct rates;
struct rates *rates_new(void);
struct rates *rates_free(struct rates *rs);
DEFINE_AUTO(rates, struct rates)
/* key: whatever tells one from the other, together with the rate that is his. */
struct rate_state rates_take(struct rates *rs, const struct rate *rate, const void *key,
                             size_t key_len, usec_t now_us);

/* RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11): name is a token. */
void rate_add_policy(struct buf *b, const char *name, const struct rate *rate);
void rate_add_state(struct buf *b, const char *name, const struct rate_state *state);

#endif
