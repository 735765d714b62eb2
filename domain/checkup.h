/* domain/checkup.h - what `jobd doctor` has found, as a table for people and as JSON. Pure. */
#ifndef JOBD_DOMAIN_CHECKUP_H
#define JOBD_DOMAIN_CHECKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clean.h"
#include "domain/limits.h"
#include "domain/outcome.h"

#define CHECKUP_MAX 32

enum check_state {
    CHECK_OK,
    CHECK_DEGRADED, /* jobd does with less */
    CHECK_FAILED,   /* jobd cannot work */
    CHECK_STATE_MAX_
};

struct check {
    const char *name; /* constant: "control_groups" */
    enum check_state state;
    char *found;   /* what is there */
    char *follows; /* what that means for jobs; NULL: nothing */
    char *remedy;  /* what would better it; NULL: nothing */
};

/* Whom a limit binds. */
enum limit_scope {
    SCOPE_NONE,    /* it is not enforced */
    SCOPE_PROCESS, /* each process of an attempt */
    SCOPE_USER,    /* all processes of jobd's user */
    SCOPE_ATTEMPT, /* all processes of an attempt together */
    SCOPE_MAX_
};

struct checkup {
    struct check items[CHECKUP_MAX];
    size_t count;
    enum containment containment;
    enum limit_scope scopes[LIMIT_MAX_];
};

/* Texts are taken; follows and remedy may be NULL. */
void checkup_add(struct checkup *c, const char *name, enum check_state state, char *take_found,
                 char *take_follows, char *take_remedy);
/* The worst of all. */
enum check_state checkup_state(const struct checkup *c);
void checkup_print(const struct checkup *c, struct buf *out);
void checkup_print_json(const struct checkup *c, struct buf *out);
void checkup_fini(struct checkup *c);
DEFINE_AUTO_FINI(checkup, struct checkup)

#endif
