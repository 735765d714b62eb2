#include "server/http/rates.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash_bytes.h"
#include "base/mem.h"

struct bucket {
    usec_t tat_us;
    UT_hash_handle hh;
    unsigned char key[]; /* RATES_KEY_MAX at most */
};

struct rates {
    pthread_mutex_t mutex; /* guards all; a leaf */
    struct bucket *buckets;
    usec_t crowd_tat_us; /* of the bucket that the rest share */
};

/* -- one bucket -----------------------------------------------------------------------------
 *
 * tat is the "theoretical arrival time": when the bucket would be full again. A request moves
 * it by one interval; it is allowed while tat is no more than a burst ahead of now.
 */

static usec_t interval_of(const struct rate *rate)
{
    usec_t interval_us = rate->period_us / rate->limit;

    return interval_us > 0 ? interval_us : 1;
}

static int64_t burst_of(const struct rate *rate)
{
    return rate->burst > 0 ? rate->burst : rate->limit;
}

struct rate_state rate_take(const struct rate *rate, usec_t now_us, usec_t *tat_us)
{
    usec_t interval_us = interval_of(rate), room_us = interval_us * burst_of(rate);
    usec_t tat = *tat_us > now_us ? *tat_us : now_us;
    struct rate_state s = { .allowed = tat + interval_us - now_us <= room_us };

    if (s.allowed)
        tat += interval_us;
    else
        s.retry_in_us = tat + interval_us - now_us - room_us;
    *tat_us = tat;
    s.full_in_us = tat - now_us;
    s.remaining = (room_us - s.full_in_us) / interval_us;
    return s;
}

/* The analyzer does not see that HASH_DEL() takes the bucket out of the table. */
/* NOLINTBEGIN(clang-analyzer-unix.Malloc) */
/* -- many -----------------------------------------------------------------------------------
 */

struct rates *rates_new(void)
{
    struct rates *rs = mem_new0(sizeof *rs);

    (void)pthread_mutex_init(&rs->mutex, NULL); /* cannot fail for the default kind */
    return rs;
}

static void forget(struct rates *rs, usec_t now_us)
{
    struct bucket *b, *next;

    HASH_ITER (hh, rs->buckets, b, next) {
        if (b->tat_us > now_us)
            continue;
        HASH_DEL(rs->buckets, b);
        free(b);
    }
}

struct rates *rates_free(struct rates *rs)
{
    if (!rs)
        return NULL;
    forget(rs, INT64_MAX);
    (void)pthread_mutex_destroy(&rs->mutex);
    free(rs);
    return NULL;
}

/* NULL: there is no room for one more. */
static struct bucket *bucket_of(struct rates *rs, const void *key, size_t len, usec_t now_us)
{
    struct bucket *b;

    HASH_FIND(hh, rs->buckets, key, len, b);
    if (b)
        return b;
    if (HASH_COUNT(rs->buckets) >= RATES_MAX)
        forget(rs, now_us); /* who is full again is as good as new */
    if (HASH_COUNT(rs->buckets) >= RATES_MAX)
        return NULL;
    b = mem_new0(sizeof *b + len);
    memcpy(b->key, key, len);
    HASH_ADD_KEYPTR(hh, rs->buckets, b->key, len, b);
    return b;
}

/* NOLINTEND(clang-analyzer-unix.Malloc) */

struct rate_state rates_take(struct rates *rs, const struct rate *rate, const void *key,
                             size_t key_len, usec_t now_us)
{
    size_t len = key_len < RATES_KEY_MAX ? key_len : RATES_KEY_MAX;
    struct rate_state s;
    struct bucket *b;

    (void)pthread_mutex_lock(&rs->mutex);
    b = bucket_of(rs, key, len, now_us);
    s = rate_take(rate, now_us, b ? &b->tat_us : &rs->crowd_tat_us);
    (void)pthread_mutex_unlock(&rs->mutex);
    return s;
}

/* -- headers --------------------------------------------------------------------------------
 */

static int64_t whole_seconds(usec_t us)
{
    return (us + USEC_PER_SEC - 1) / USEC_PER_SEC;
}

void rate_add_policy(struct buf *b, const char *name, const struct rate *rate)
{
    buf_printf(b, "%s\"%s\";q=%" PRId64 ";w=%" PRId64, b->len > 0 ? ", " : "", name,
               rate->limit, whole_seconds(rate->period_us));
}

void rate_add_state(struct buf *b, const char *name, const struct rate_state *state)
{
    buf_printf(b, "%s\"%s\";r=%" PRId64 ";t=%" PRId64, b->len > 0 ? ", " : "", name,
               state->remaining, whole_seconds(state->full_in_us));
}
