/* domain/principal.h - who asks: what a request may see and do. Plain data, read-only once
 * made.
 */
#ifndef JOBD_DOMAIN_PRINCIPAL_H
#define JOBD_DOMAIN_PRINCIPAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scope {
#define SCOPE(symbol, name, help) SCOPE_##symbol,
#include "domain/scopes.def"
#undef SCOPE
    SCOPE_MAX_,
    /* Of an operation, never of a key: */
    SCOPE_ANY = SCOPE_MAX_, /* any key will do */
    SCOPE_PUBLIC            /* for everybody, without a key */
};

/* How the principal was established. */
enum principal_via {
    PRINCIPAL_NONE, /* nobody was asked who he is */
    PRINCIPAL_KEY,
    PRINCIPAL_GATEWAY,
    PRINCIPAL_MTLS,
    PRINCIPAL_UNIX,
    PRINCIPAL_VIA_MAX_
};

/* A set of names; count 0: all names. */
struct name_set {
    char **items;
    size_t count;
};

struct principal {
    enum principal_via via;
    const char *tenant; /* "": the default one; never NULL */
    const char *key_id; /* NULL: none */
    const char *name;   /* for people; NULL: none */
    uint32_t scopes;    /* bit 1 << enum scope; SCOPE_ADMIN stands for all */
    struct name_set functions;
    struct name_set queues;
    int64_t rate; /* requests in each rate_seconds; 0: as the settings say */
    int64_t rate_seconds;
    int64_t expires_at_us;        /* wall clock; 0: never */
    const atomic_bool *withdrawn; /* its key was revoked meanwhile; NULL: cannot happen */
};

/* Where nobody is asked who he is: everything, in the default tenant. */
extern const struct principal principal_anybody;

/* SCOPE_ANY and SCOPE_PUBLIC are allowed to every principal. */
/* Whether it still holds: for what goes on long after the request came. */
bool principal_is_good(const struct principal *p, int64_t now_us);
bool principal_may(const struct principal *p, enum scope scope);
bool name_set_has(const struct name_set *set, const char *name);

/* "jobs:read" of a key's scope; and back: < 0 for what is none. */
const char *scope_name(enum scope scope);
int scope_parse(const char *name);

#endif
