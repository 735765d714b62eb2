#include "engine/pace.h"

#include "pool/backlog.h"

#define AHEAD_US (8 * USEC_PER_MS) /* of work in the backlog */
#define SLOW_US  (40 * USEC_PER_MS)   /* it takes some quick ones to forget one like that */
#define WEIGHT   8                 /* the latest counts for one in so many */

void pace_note(struct pace *p, usec_t took_us)
{
    if (took_us < 1)
        took_us = 1;
    if (took_us > SLOW_US)
        took_us = SLOW_US;
    if (p->mean_us == 0)
        p->mean_us = took_us;
    else
        p->mean_us += (took_us - p->mean_us) / WEIGHT;
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
