#include "engine/failing.h"

static usec_t next_wait_us(const struct failing *f, usec_t now_us)
{
    if (f->recovered_us == 0 || now_us - f->recovered_us >= FAILING_RECOVERED_US)
        return FAILING_WAIT_MIN_US;
    return f->wait_us * 2 < FAILING_WAIT_MAX_US ? f->wait_us * 2 : FAILING_WAIT_MAX_US;
}

bool failing_note(struct failing *f, const struct errinfo *why, usec_t now_us)
{
    bool first = !f->now;

    if (first)
        f->wait_us = next_wait_us(f, now_us);
    f->now = true;
    f->why = *why;
    f->retry_us = now_us + f->wait_us;
    return first;
}

void failing_end(struct failing *f, usec_t now_us)
{
    f->now = false;
    f->recovered_us = now_us;
}
