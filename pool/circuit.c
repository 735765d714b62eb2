#include "pool/circuit.h"

void circuit_up(struct circuit *c)
{
    c->failed_starts = 0;
}

static usec_t wait_us(unsigned useless)
{
    usec_t wait = CIRCUIT_WAIT_MIN_US;

    for (unsigned i = 1; i < useless && wait < CIRCUIT_WAIT_MAX_US; i++)
        wait *= 2;
    return wait < CIRCUIT_WAIT_MAX_US ? wait : CIRCUIT_WAIT_MAX_US;
}

usec_t circuit_ended(struct circuit *c, enum circuit_end how)
{
    if (how == CIRCUIT_USEFUL) {
        *c = (struct circuit){ 0 };
        return 0;
    }
    c->useless++;
    c->failed_starts = how == CIRCUIT_FAILED_START ? c->failed_starts + 1 : 0;
    return wait_us(c->useless);
}

bool circuit_is_open(const struct circuit *c)
{
    return c->failed_starts >= CIRCUIT_OPEN_AFTER;
}
