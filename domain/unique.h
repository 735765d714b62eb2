/* domain/unique.h - what a job says of others like it: there is to be one at a time.
 *
 * Plain data. Pure, any thread.
 */
#ifndef JOBD_DOMAIN_UNIQUE_H
#define JOBD_DOMAIN_UNIQUE_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/sha256.h"
#include "domain/job_state.h"

#define UNIQUE_KEY_MAX            256 /* characters */
#define UNIQUE_WINDOW_MAX_SECONDS (366 * 86400)

/* What follows when there is another one. */
enum unique_conflict {
    UNIQUE_REJECT,       /* the new one is refused */
    UNIQUE_USE_EXISTING, /* the other one is the answer */
    UNIQUE_REPLACE,      /* the other one is canceled, if it has not ended */
    UNIQUE_CONFLICT_MAX_
};

/* "reject" and so on; and back, -1 for what is none. */
const char *unique_conflict_name(enum unique_conflict conflict);
int unique_conflict_parse(const char *name);

struct unique_rule {
    unsigned char
        digest[SHA256_BYTES]; /* of the key within its scope: alike jobs have the same */
    unsigned states;          /* bit 1 << state: others in these count */
    usec_t window_us;         /* others made so long ago count; 0: all */
    enum unique_conflict on_conflict;
};

/* Those that have not ended. */
#define UNIQUE_STATES_DEFAULT                                                                  \
    (1u << JOB_SCHEDULED | 1u << JOB_QUEUED | 1u << JOB_RUNNING | 1u << JOB_CANCELING)

/* Whether another job that was made then and is in this state now counts. */
bool unique_counts(const struct unique_rule *rule, enum job_state state, usec_t created_at_us,
                   usec_t now_us);

#endif
