/* pool/program.h - the host of one warm program, which takes jobs one after another, or several
 * at once.
 *
 * The program is started ahead. A job is one JSON line on its stdin; its answer is one on its
 * job channel (domain/channel.h). What it writes to stdout and stderr is the log of every job
 * that it holds at that time. A process that is worn (pool/wear.h) is replaced by another one
 * that is up before the first gets no more jobs. One that ends is started again, after growing
 * waits when it is of no use (pool/circuit.h).
 *
 * A job is stopped in one of two ways. A program that takes one job at a time gets SIGTERM, as
 * a command does, and a fresh one takes its place. One that takes several gets the line
 * {"cancel": "<id>"} and is to answer for that job, with an error say; when it has not done so
 * after the grace it is killed, and the other jobs that it held end with CAUSE_WORKER_LOST.
 * Jobs whose line was not read yet are given back. One thread.
 */
#ifndef JOBD_POOL_PROGRAM_H
#define JOBD_POOL_PROGRAM_H

#include "domain/function.h"
#include "pool/attempt.h"
#include "pool/proto.h"
#include "pool/reaper.h"
#include "pool/warm.h"

#define PROGRAM_CAPACITY WARM_CONCURRENCY_MAX /* attempts that it holds at once, at most */

struct program;

/* Start fn's program. host, reaper and fn are borrowed; the reaper's callbacks are the
 * program's from here on. One that cannot be started is tried again later. on_change (may be
 * NULL) is called with the host's ctx whenever program_status() may say something else. */
struct program *program_new(const struct attempt_host *host, struct reaper *reaper,
                            const struct function *fn, void (*on_change)(void *ctx));
/* Kills it with its tree; attempts that it still had are forgotten. Returns NULL. */
struct program *program_free(struct program *p);
DEFINE_AUTO(program, struct program)

/* Whether another attempt can be taken. */
bool program_has_room(const struct program *p);
/* Whether it has any, or this one. */
bool program_is_busy(const struct program *p);
bool program_has(const struct program *p, struct uuid7 job_id, int attempt);
/* Take one. Its end is told through host->on_done, perhaps before this returns: one that there
 * is no room for was never started. */
void program_run(struct program *p, struct order *take_order);
/* grace_us < 0: the order's own. An attempt that is not there is none to cancel. */
void program_cancel(struct program *p, struct uuid7 job_id, int attempt,
                    enum proto_cancel_mode mode, usec_t grace_us);
/* Let it answer what it has, then ask it to end; start nothing again. */
void program_retire(struct program *p);
/* There is no process, nor anything of its tree. */
bool program_is_down(const struct program *p);
/* Stop what runs now and start nothing again. Attempts end with CAUSE_SHUTDOWN. */
void program_shut_down(struct program *p);
/* The attempts that it has; returns how many. */
unsigned program_held(const struct program *p, struct proto_attempt ret_held[PROGRAM_CAPACITY]);
void program_status(const struct program *p, struct proto_status *ret_status);

#endif
