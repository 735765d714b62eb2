/* engine/pace.h - how many orders a worker is sent ahead of those that it can begin at once.
 *
 * Each hand-over waits for a commit, which takes longer than many a job. So a worker whose
 * attempts are short has more of them in its backlog, as many as it does in a few milliseconds;
 * one whose attempts are long has none, for a job that waits behind a long one is better off in
 * the queue. A worker gives back what it could not begin soon (pool/worker.c), and is
 * then taken for slow until it has shown otherwise. Plain data.
 */
#ifndef JOBD_ENGINE_PACE_H
#define JOBD_ENGINE_PACE_H

#include "base/clock.h"

struct pace {
    usec_t mean_us; /* of an attempt, the latest counting most; 0: none has ended yet */
};

/* An attempt has taken so long. */
void pace_note(struct pace *p, usec_t took_us);
/* An order came back that had not been begun. */
void pace_note_returned(struct pace *p);
/* How many orders to send ahead. */
unsigned pace_ahead(const struct pace *p);
/* How many of these must be left when the next ones are sent, so that it never waits for them.
 */
unsigned pace_reserve(const struct pace *p);

#endif
