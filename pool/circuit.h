/* pool/circuit.h - when a warm program that ended is started again, and when to say that it
 * does not start.
 *
 * Waits between starts double from CIRCUIT_WAIT_MIN_US to CIRCUIT_WAIT_MAX_US as long as
 * processes end without having been of use. After CIRCUIT_OPEN_AFTER failed starts in a row the
 * circuit is open: nothing is given to the program, every further start is a trial of one
 * process, and the first one that comes up closes the circuit. Pure; one thread.
 */
#ifndef JOBD_POOL_CIRCUIT_H
#define JOBD_POOL_CIRCUIT_H

#include <stdbool.h>

#include "base/clock.h"

#define CIRCUIT_OPEN_AFTER  3
#define CIRCUIT_WAIT_MIN_US (100 * USEC_PER_MS)
#define CIRCUIT_WAIT_MAX_US (30 * USEC_PER_SEC)

/* Zero: closed. */
struct circuit {
    unsigned failed_starts; /* in a row */
    unsigned useless;       /* processes in a row that have answered nothing */
};

enum circuit_end {
    CIRCUIT_USEFUL,       /* it had answered, or had been there for long */
    CIRCUIT_DIED,         /* it was up, and of no use */
    CIRCUIT_FAILED_START, /* it never came up */
};

/* A process has come up. */
void circuit_up(struct circuit *c);
/* One has ended by itself; returns how long to wait before the next is started. */
usec_t circuit_ended(struct circuit *c, enum circuit_end how);
bool circuit_is_open(const struct circuit *c);

#endif
