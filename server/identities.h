/* server/identities.h - callers who are known without a key: by the word of a trusted gateway,
 * by their client certificate, or as a process of this machine.
 *
 * Read-only after start: any thread.
 */
#ifndef JOBD_SERVER_IDENTITIES_H
#define JOBD_SERVER_IDENTITIES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clean.h"
#include "base/err.h"
#include "server/caller.h"

enum identity_kind {
    IDENTITY_HEADER, /* what a gateway says in identity_header */
    IDENTITY_CERT,   /* a name in a client certificate */
    IDENTITY_UID,    /* of the peer of a Unix socket */
    IDENTITY_KIND_MAX_
};

struct identity;

struct identities {
    struct identity *items;
    size_t count;
};

/* "header:alice tenant=acme scopes=jobs:read,jobs:write", "cert:host.example ...",
 * "uid:1000 ...": who it is, and the parts of a grant. "*" stands for everybody of the kind,
 * and then "tenant=*" for a tenant that is named like him. ERR_CONFIG. */
int identities_add(struct identities *list, const char *text, struct errinfo *e);
void identities_fini(struct identities *list);
DEFINE_AUTO_FINI(identities, struct identities)

bool identities_have(const struct identities *list, enum identity_kind kind);
/* Whether this very name is listed. */
bool identities_know(const struct identities *list, enum identity_kind kind, const char *name);
/* The caller of this name, to be given back by caller_unref(); NULL: nobody knows it. The name
 * itself counts more than "*". */
struct caller *identities_find(const struct identities *list, enum identity_kind kind,
                               const char *name);

#endif
