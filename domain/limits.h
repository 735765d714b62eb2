/* domain/limits.h - what one attempt may use: of a function, of a job, of an order.
 *
 * Pure, any thread.
 */
#ifndef JOBD_DOMAIN_LIMITS_H
#define JOBD_DOMAIN_LIMITS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum limit {
#define LIMIT(symbol, name, unit, min, max) LIMIT_##symbol,
#include "domain/limits.def"
#undef LIMIT
    LIMIT_MAX_
};

struct limit_meta {
    const char *name; /* "cpu_seconds" */
    int64_t unit;     /* one of what clients write is so much of what is kept */
    int64_t min;      /* of what clients write */
    int64_t max;
};

/* By enum limit; 0: no limit. CPU is in microseconds. */
struct limits {
    int64_t values[LIMIT_MAX_];
};

const struct limit_meta *limit_meta(enum limit limit);
/* The limit of this name, or -1. */
int limit_parse(const char *name);

/* The tighter of both for each limit. */
struct limits limits_lower(const struct limits *a, const struct limits *b);
/* Whether there is none at all. */
bool limits_empty(const struct limits *l);

/* A new object with those that are set, in the client's units. */
json_t *limits_encode(const struct limits *l);
/* The reverse, for what jobd has checked before: anything else counts as not set. */
struct limits limits_decode(const json_t *object);
/* One value in the client's unit; false when it is out of range. */
bool limit_from_number(enum limit limit, double number, int64_t *ret_value);

#endif
