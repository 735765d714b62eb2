#include "domain/limits.h"

#include <assert.h>
#include <string.h>

static const struct limit_meta limits[LIMIT_MAX_] = {
#define LIMIT(symbol, name, unit, min, max) [LIMIT_##symbol] = { name, unit, min, max },
#include "domain/limits.def"
#undef LIMIT
};

const struct limit_meta *limit_meta(enum limit limit)
{
    assert(limit < LIMIT_MAX_);
    return &limits[limit];
}

int limit_parse(const char *name)
{
    for (int i = 0; i < LIMIT_MAX_; i++)
        if (strcmp(name, limits[i].name) == 0)
            return i;
    return -1;
}

static int64_t tighter(int64_t a, int64_t b)
{
    if (a == 0 || b == 0)
        return a + b; /* the one that is set, if any */
    return a < b ? a : b;
}

struct limits limits_lower(const struct limits *a, const struct limits *b)
{
    struct limits lower;

    for (int i = 0; i < LIMIT_MAX_; i++)
        lower.values[i] = tighter(a->values[i], b->values[i]);
    return lower;
}

bool limits_empty(const struct limits *l)
{
    for (int i = 0; i < LIMIT_MAX_; i++)
        if (l->values[i] != 0)
            return false;
    return true;
}

json_t *limits_encode(const struct limits *l)
{
    json_t *object = json_object();

    for (int i = 0; i < LIMIT_MAX_; i++) {
        int64_t value = l->values[i];
        int64_t unit = limits[i].unit;

        if (value == 0)
            continue;
        (void)json_object_set_new_nocheck(object, limits[i].name,
                                          value % unit == 0
                                              ? json_integer(value / unit)
                                              : json_real((double)value / (double)unit));
    }
    return object;
}

bool limit_from_number(enum limit limit, double number, int64_t *ret_value)
{
    const struct limit_meta *meta = limit_meta(limit);

    if (!(number >= (double)meta->min && number <= (double)meta->max))
        return false;
    *ret_value = (int64_t)(number * (double)meta->unit + 0.5);
    return true;
}

struct limits limits_decode(const json_t *object)
{
    struct limits l = { 0 };

    for (int i = 0; i < LIMIT_MAX_; i++) {
        const json_t *value = json_object_get(object, limits[i].name);

        if (json_is_number(value))
            (void)limit_from_number((enum limit)i, json_number_value(value), &l.values[i]);
    }
    return l;
}
