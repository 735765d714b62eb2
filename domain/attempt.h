/* domain/attempt.h - one attempt of a job as the ledger knows it. Plain data. */
#ifndef JOBD_DOMAIN_ATTEMPT_H
#define JOBD_DOMAIN_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clean.h"
#include "domain/outcome.h"

struct attempt {
    int number;
    int64_t worker_id; /* who ran it; 0: not known */
    int worker_pid;
    bool has_ended; /* else only started_at_us of the outcome is known */
    struct outcome outcome;
};

struct attempts {
    struct attempt *items; /* oldest first */
    size_t count;
};

void attempts_fini(struct attempts *list);
DEFINE_AUTO_FINI(attempts, struct attempts)

#endif
