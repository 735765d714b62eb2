/* domain/retry.h - whether an attempt that has failed is followed by another one, and when.
 *
 * Pure: the caller brings the random number. Any thread.
 */
#ifndef JOBD_DOMAIN_RETRY_H
#define JOBD_DOMAIN_RETRY_H

#include <stdint.h>

#include "base/clock.h"

#define RETRY_ATTEMPTS_MAX 1000

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
    double multiplier; /* 1 or more */
    usec_t max_delay_us;
    double jitter;                /* 0..1: how much of a delay is up to chance, either way */
    unsigned on;                  /* bit 1 << cause: what is tried again */
    uint64_t fatal_exit_codes[4]; /* a bit for each of 0..255: never tried again */
};

#endif
