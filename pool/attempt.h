/* pool/attempt.h - one attempt in a worker, whatever runs it: its order, its output, its
 * clocks.
 *
 * Shared by the runner of a command (pool/command.h) and the host of a warm program
 * (pool/program.h). The worker runs one tree at a time: what is to be stopped is every
 * descendant. One thread.
 */
#ifndef JOBD_POOL_ATTEMPT_H
#define JOBD_POOL_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "domain/order.h"
#include "domain/outcome.h"
#include "pool/cage.h"
#include "pool/loop.h"
#include "pool/proto.h"
#include "pool/recorder.h"
#include "pool/workdir.h"

#define ATTEMPT_SPILL_US (250 * USEC_PER_MS) /* from then on output is in files, readable */

/* Where attempts of a worker happen, and whom they tell. */
struct attempt_host {
    struct loop *loop;
    const char *data_dir;
    int64_t output_max_bytes;  /* kept of each stream */
    struct workdirs *workdirs; /* NULL: attempts have no directory of their own */
    struct cage_host *cage;    /* NULL: no control groups, nobody is detached */
    /* What the attempt says of itself. fraction < 0: not given; message may be NULL. */
    void (*on_progress)(void *ctx, const struct proto_attempt *which, double fraction,
                        const char *message);
    /* The end: nothing of the attempt is alive or open. o is the callee's from here on. */
    void (*on_done)(void *ctx, struct outcome *take_outcome);
    void *ctx;
};

/* Stays in place between attempt_init() and attempt_finish(). */
struct attempt {
    const struct attempt_host *host;
    struct order order;
    struct recorder recorders[STREAM_MAX_];
    usec_t started_at_us; /* wall clock; 0: not yet */
    usec_t started_us;    /* monotonic */
    struct cage *cage;    /* of the program that has it; NULL: none has */
    struct timer spill;

    char *result; /* JSON text that it gave, or NULL */
    size_t result_len;

    enum cause stop_cause; /* why it is being stopped; CAUSE_NONE: it is not */
    bool killed;           /* SIGKILL has been sent */
    unsigned exceeded;     /* limits that it ran into: bit 1 << limit */
    /* Called to stop it, instead of SIGTERM to all in the cage; NULL: that. */
    void (*ask_to_stop)(void *ctx);
    void *ask_ctx;
    struct timer deadline;
    struct timer kill;
    struct timer cpu; /* the next look at the CPU time of its control group */
};

/* Takes what is in take_order. Output is kept from here on. */
void attempt_init(struct attempt *a, const struct attempt_host *host, struct order *take_order);
/* Its timeout runs from now; when it is over, the attempt is stopped. */
void attempt_set_deadline(struct attempt *a);
/* The work begins, in this cage: started_at is now. */
void attempt_begin(struct attempt *a, struct cage *cage);

struct proto_attempt attempt_id(const struct attempt *a);
bool attempt_is(const struct attempt *a, struct uuid7 job_id, int number);

void attempt_output(struct attempt *a, enum stream stream, const char *block, size_t len);
void attempt_progress(struct attempt *a, double fraction, const char *message);
/* The last one counts. */
void attempt_result(struct attempt *a, char *take_result, size_t len);

/* Stop it: SIGTERM to every descendant of this process, SIGKILL after the grace. May be called
 * again: the shorter grace counts, and the first cause, but anything is more than
 * CAUSE_SHUTDOWN. */
void attempt_stop(struct attempt *a, enum cause cause, usec_t grace_us);
/* The same at once, because it has used more than it may. */
void attempt_exceed(struct attempt *a, enum limit limit, enum cause cause);
/* The same as the front asks for it. */
void attempt_cancel(struct attempt *a, enum proto_cancel_mode mode, usec_t grace_us);

/* The end of one that could not be started. stage is a constant text. */
void attempt_finish_unstarted(struct attempt *a, const char *stage, const struct errinfo *why,
                              struct outcome *ret_outcome);

/* The end. take_message (may be NULL) and everything that was kept move to *ret_outcome; the
 * cause and what it cost are the caller's to fill in before or after. A released attempt keeps
 * no output. */
void attempt_finish(struct attempt *a, enum cause cause, char *take_message,
                    struct outcome *ret_outcome);

#endif
