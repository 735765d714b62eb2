#include "domain/principal.h"

#include "base/text.h"

static const char *const names[SCOPE_MAX_] = {
#define SCOPE(symbol, name, help) [SCOPE_##symbol] = (name),
#include "domain/scopes.def"
#undef SCOPE
};

const struct principal principal_anybody = {
    .via = PRINCIPAL_NONE,
    .tenant = "",
    .scopes = 1u << SCOPE_ADMIN,
};

bool principal_is_good(const struct principal *p, int64_t now_us)
{
    if (p->expires_at_us != 0 && now_us >= p->expires_at_us)
        return false;
    return !p->withdrawn || !atomic_load_explicit(p->withdrawn, memory_order_relaxed);
}

bool principal_may(const struct principal *p, enum scope scope)
{
    if (scope >= SCOPE_MAX_)
        return true;
    return (p->scopes & (1u << scope | 1u << SCOPE_ADMIN)) != 0;
}

bool name_set_has(const struct name_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (text_equal(set->items[i], name))
            return true;
    return set->count == 0;
}

const char *scope_name(enum scope scope)
{
    return names[scope];
}

int scope_parse(const char *name)
{
    for (int scope = 0; scope < SCOPE_MAX_; scope++)
        if (text_equal(names[scope], name))
            return scope;
    return -1;
}
