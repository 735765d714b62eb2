/* engine/verdict.h - what an ended attempt of a running job leads to.
 *
 * Asks the store inside the turn's transaction and changes nothing. Engine thread.
 */
#ifndef JOBD_ENGINE_VERDICT_H
#define JOBD_ENGINE_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "domain/job_state.h"
#include "domain/outcome.h"
#include "store/store.h"

struct verdict {
    enum job_event event; /* SUCCEED, FAIL, RETRY or RELEASE */
    usec_t delay_us;      /* RETRY: until the next attempt is due */
    int64_t losses; /* FAIL: 0, or the job is quarantined: so many attempts have lost their
                       worker */
};

/* A failure is tried again when the job's policy says so, unless the job has been the end of
 * its worker quarantine_after times (0: that counts for nothing). */
int verdict_find(struct store *st, const struct outcome *o, int quarantine_after,
                 struct verdict *ret_verdict, struct errinfo *e);

#endif
