#include "pool/child.h"

static usec_t wait_us(unsigned early_ends)
{
    usec_t wait = CHILD_WAIT_MIN_US;

    if (early_ends < 2)
        return 0;
    for (unsigned i = 2; i < early_ends && wait < CHILD_WAIT_MAX_US; i++)
        wait *= 2;
    return wait < CHILD_WAIT_MAX_US ? wait : CHILD_WAIT_MAX_US;
}

void child_started(struct child *c, pid_t pid, usec_t now_us)
{
    c->pid = pid;
    c->started_us = now_us;
}

void child_ended(struct child *c, bool early, usec_t now_us)
{
    c->pid = 0;
    c->early_ends = early ? c->early_ends + 1 : 0;
    c->start_at_us = now_us + wait_us(c->early_ends);
}

bool child_is_due(const struct child *c, usec_t now_us)
{
    return c->pid == 0 && c->start_at_us <= now_us;
}
