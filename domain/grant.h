/* domain/grant.h - what a caller may do, whoever vouches for it: a key, a gateway, a
 * certificate, the kernel.
 *
 * Plain data; pure functions, any thread.
 */
#ifndef JOBD_DOMAIN_GRANT_H
#define JOBD_DOMAIN_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clean.h"
#include "base/err.h"
#include "domain/principal.h"

#define GRANT_TENANT_MAX  64
#define GRANT_NAMES_MAX   256 /* in one set */
#define GRANT_NAME_MAX    128
#define GRANT_RATE_MAX    1000000000
#define GRANT_SECONDS_MAX 86400

#define GRANT_SCOPE(scope) (UINT32_C(1) << (scope))
#define GRANT_ALL_SCOPES   (GRANT_SCOPE(SCOPE_MAX_) - 1)

/* Zeroed it allows nothing. */
struct grant {
    char *tenant;    /* whose jobs it sees; NULL stands for "", the default tenant */
    uint32_t scopes; /* a set, as in struct principal */
    struct name_set functions;
    struct name_set queues;
    int64_t rate; /* requests in each rate_seconds; 0: as the server's settings say */
    int64_t rate_seconds;
};

/* Set one of its parts from text: "tenant", "scopes" (names separated by commas, or "*" for
 * all), "functions", "queues" ("*" or nothing: all), "rate" ("100/60": so many requests in so
 * many seconds; "100": in a second). Scopes and names add to those that are there already.
 * ERR_VALIDATION: there is no such part, or the text is not one for it. */
int grant_set(struct grant *g, const char *part, const char *text, struct errinfo *e);
/* Set several: "tenant=acme scopes=jobs:read,jobs:write", separated by blanks. */
int grant_parse(struct grant *g, const char *text, struct errinfo *e);
/* The names of a set of scopes; RFC 6749 separates them by blanks, grant_set() by commas. */
void grant_format_scopes(uint32_t scopes, char separator, struct buf *out);
/* The names of a set, separated by commas. */
void grant_format_names(const struct name_set *names, struct buf *out);

void grant_copy(struct grant *to, const struct grant *from);
void grant_fini(struct grant *g);
DEFINE_AUTO_FINI(grant, struct grant)

#endif
