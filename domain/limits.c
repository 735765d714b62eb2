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
