#include "server/caller.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"

struct caller {
    struct principal principal; /* first: see caller_of() */
    atomic_uint users;
    atomic_bool withdrawn;
    struct grant grant;
    char *id;
    char *name;
};

struct caller *caller_new(enum principal_via via, const char *id, const char *name,
                          const struct grant *grant, int64_t expires_at_us)
{
    struct caller *c = mem_new0(sizeof *c);

    atomic_init(&c->users, 1);
    atomic_init(&c->withdrawn, false);
    grant_copy(&c->grant, grant);
    c->id = mem_str(id);
    c->name = mem_str_or_null(name);
    c->principal = (struct principal){
        .via = via,
        .tenant = c->grant.tenant ? c->grant.tenant : "",
        .key_id = c->id,
        .name = c->name,
        .scopes = c->grant.scopes,
        .functions = c->grant.functions,
        .queues = c->grant.queues,
        .rate = c->grant.rate,
        .rate_seconds = c->grant.rate_seconds,
        .expires_at_us = expires_at_us,
        .withdrawn = &c->withdrawn,
    };
    return c;
}

struct caller *caller_ref(struct caller *c)
{
    (void)atomic_fetch_add_explicit(&c->users, 1, memory_order_relaxed);
    return c;
}

struct caller *caller_unref(struct caller *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->users, 1, memory_order_acq_rel) > 1)
        return NULL;
    grant_fini(&c->grant);
    free(c->id);
    free(c->name);
    free(c);
    return NULL;
}

const struct principal *caller_principal(const struct caller *c)
{
    return &c->principal;
}

struct caller *caller_of(const struct principal *p)
{
    return (struct caller *)(uintptr_t)p; /* its first member */
}

void caller_withdraw(struct caller *c)
{
    atomic_store_explicit(&c->withdrawn, true, memory_order_relaxed);
}
