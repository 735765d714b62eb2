/* pool/wear.h - how worn a process of a warm program is: when it is to be replaced.
 *
 * After max_jobs jobs, at max_age, or when it holds more than max_rss, whichever comes first.
 * The first two are spread by 10 % in both directions for each process, so that programs which
 * were started together are not replaced together. One thread.
 */
#ifndef JOBD_POOL_WEAR_H
#define JOBD_POOL_WEAR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "domain/function.h"

struct wear {
    unsigned max_jobs;     /* 0: no limit, as below */
    usec_t max_age_us;     /* monotonic life time */
    int64_t max_rss_bytes; /* of the process itself, without its children */

    unsigned jobs;      /* given to it */
    int64_t rss_bytes;  /* when it was last looked at; 0: never */
    usec_t rss_seen_us; /* monotonic: when that was */
    bool old;           /* max_age_us is over */
};

/* chance: any number, each process its own. */
void wear_init(struct wear *w, const struct function *fn, uint64_t chance);
/* Look at the memory of pid: each time when there is a limit to it, else once a second. */
void wear_look(struct wear *w, pid_t pid, usec_t now_us);
/* Why it is to be replaced: "max_jobs", "max_age", "max_rss"; NULL: it is not. Constant. */
const char *wear_due(const struct wear *w);

#endif
