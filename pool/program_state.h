/* pool/program_state.h - what the parts of the host of a warm program share; nobody else
 * includes this.
 *
 * program.c sees to its processes, program_slots.c to the attempts in them.
 */
#ifndef JOBD_POOL_PROGRAM_STATE_H
#define JOBD_POOL_PROGRAM_STATE_H

#include "pool/circuit.h"
#include "pool/program.h"

/* Room for an attempt. */
struct slot {
    struct program *program;
    struct warm *warm;     /* who has it; NULL: the slot is free */
    uint64_t offset_bytes; /* of its line in what was written to the process */
    bool answered;         /* cause and message are the answer's */
    enum cause cause;
    char *message;
    struct cage_cost cost;
    struct attempt attempt;
};

struct program {
    const struct attempt_host *host;
    struct reaper *reaper;
    const struct function *fn;
    void (*on_change)(void *ctx);
    struct warm_conf warm_conf;
    struct warm warms[2]; /* two while one replaces the other */
    struct slot slots[PROGRAM_CAPACITY];
    unsigned used;      /* of them */
    unsigned slots_end; /* behind the last that is used */

    struct circuit circuit;
    usec_t not_before_us; /* monotonic: the next start */
    struct timer restart;
    char *reason; /* why the last start led to nothing; NULL: it did not */
    bool shut_down;
};

/* The slots of this process, or all that are used when it is NULL, one after another. */
struct slot *slots_next(struct program *p, const struct warm *w, struct slot *after);
unsigned slots_used(const struct program *p);
/* Give it to w, which is up and has room. */
void slots_feed(struct program *p, struct warm *w, struct order *take_order);
/* The end of an order that nobody was given. */
void slots_refuse(struct program *p, struct order *take_order);
/* What w says of its attempts. */
void slots_output(struct program *p, const struct warm *w, enum stream stream,
                  const char *block, size_t len);
void slots_line(struct program *p, struct warm *w, struct channel_line *line);
/* End those of w that have their answer; returns how many. */
unsigned slots_settle(struct program *p, struct warm *w);
/* w is buried: end all that it had. Returns whether one of them was being stopped: then the end
 * of w is no surprise. */
bool slots_bury(struct program *p, struct warm *w, int leftovers);
/* Forget them all. */
void slots_drop(struct program *p);

/* program.c: start what is to be started, and tell who wants to know. */
void program_tend(struct program *p);

#endif
