#include "engine/pace.h"

#include "pool/backlog.h"

#define AHEAD_US    (8 * USEC_PER_MS)  /* of work in the backlog */
#define SLOW_US     (40 * USEC_PER_MS) /* it takes some quick ones to forget one like that */
#define FALL        4 /* the latest counts for one in so many, when it is quicker */
#define RISE        8 /* and when it is slower, */
#define OUTLIER     8 /* but for no more than so many times the others */
#define QUICK_US    ((usec_t)50)
#define REFILL_US   (2 * USEC_PER_MS) /* from an outcome to the next orders: a commit, mostly */
#define RESERVE_MIN 2                 /* an attempt may be shorter than the mean */

/* A single long one among short ones was kept from the processor most often: what waits behind
 * it is given back if it was not. */
void pace_note(struct pace *p, usec_t took_us)
{
    usec_t most_us;

    if (took_us < 1)
        took_us = 1;
    if (took_us > SLOW_US)
        took_us = SLOW_US;
    if (p->mean_us == 0) {
        p->mean_us = took_us;
        return;
    }
    most_us = OUTLIER * (p->mean_us > QUICK_US ? p->mean_us : QUICK_US);
    if (took_us > most_us)
        took_us = most_us;
    p->mean_us += (took_us - p->mean_us) / (took_us > p->mean_us ? RISE : FALL);
}

void pace_note_returned(struct pace *p)
{
    p->mean_us = SLOW_US;
}

unsigned pace_ahead(const struct pace *p)
{
    usec_t ahead;

    if (p->mean_us == 0)
        return 0;
    ahead = AHEAD_US / p->mean_us;
    return ahead < BACKLOG_MAX ? (unsigned)ahead : BACKLOG_MAX;
}

unsigned pace_reserve(const struct pace *p)
{
    unsigned half = pace_ahead(p) / 2;
    usec_t refill;

    if (half == 0)
        return 0;
    refill = REFILL_US / p->mean_us;
    if (refill < RESERVE_MIN)
        refill = RESERVE_MIN;
    return refill < half ? (unsigned)refill : half;
}
