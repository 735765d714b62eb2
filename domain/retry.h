/* domain/retry.h - whether an attempt that has failed is followed by another one, and when.
 *
 * Pure: the caller brings the random number. Any thread.
 */
#ifndef JOBD_DOMAIN_RETRY_H
#define JOBD_DOMAIN_RETRY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "domain/outcome.h"

#define RETRY_ATTEMPTS_MAX      100
#define RETRY_DELAY_MAX_SECONDS (31 * 86400)
#define RETRY_MULTIPLIER_MAX    100

enum retry_backoff {
    RETRY_EXPONENTIAL, /* initial, initial * multiplier, initial * multiplier^2, ... */
    RETRY_LINEAR,      /* initial, 2 * initial, 3 * initial, ... */
    RETRY_CONSTANT,    /* initial, initial, ... */
    RETRY_BACKOFF_MAX_
};

struct retry_policy {
    int max_attempts; /* in all; 0 and 1: no retry */
    enum retry_backoff backoff;
    usec_t initial_delay_us;
    double multiplier; /* 1..RETRY_MULTIPLIER_MAX */
    usec_t max_delay_us;
    double jitter;                /* 0..1: how much of a delay is up to chance, either way */
    unsigned on;                  /* bit 1 << cause: what is tried again */
    uint64_t fatal_exit_codes[4]; /* a bit for each of 0..255: never tried again */
};

/* What holds when nobody says anything: one attempt; and what else the members of a policy are
 * that names max_attempts only. */
struct retry_policy retry_default(void);

/* Whether a policy may name this cause: not those that no further attempt can change (canceled,
 * rejected), nor what is no failure. */
bool retry_cause_allowed(enum cause cause);
/* "constant", "linear", "exponential". */
const char *retry_backoff_name(enum retry_backoff backoff);
/* The backoff of that name, or -1. */
int retry_backoff_parse(const char *name);
void retry_add_fatal_code(struct retry_policy *p, int exit_code);
bool retry_is_fatal_code(const struct retry_policy *p, int exit_code);

/* Whether the failed attempt o is followed by another one, when `tried` attempts have counted,
 * this one among them; and how long to wait. random decides about the jitter. A program that
 * cannot be started because of what it is (there is no such file, it may not be executed) is
 * not tried again, whatever the policy says. */
bool retry_decide(const struct retry_policy *p, const struct outcome *o, int tried,
                  uint64_t random, usec_t *ret_delay_us);

/* The whole policy as a new object, as clients see it. */
json_t *retry_encode(const struct retry_policy *p);
/* The reverse, for what jobd has checked before; NULL is the default. Members that are missing
 * or damaged are those of the default. */
struct retry_policy retry_decode(const json_t *object);

#endif
