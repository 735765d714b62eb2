/* pool/program.h - the host of one warm program, which takes one job after another.
 *
 * The program is started ahead. A job is one JSON line on its stdin; its answer is one on its
 * job channel (domain/channel.h). What it writes to stdout and stderr meanwhile is the job's
 * log. A program that ends is started again, after a growing wait when it keeps ending without
 * having answered; it is replaced after max_jobs answers, and whenever an attempt had to be
 * stopped. One thread; every descendant of this process belongs to the program.
 */
#ifndef JOBD_POOL_PROGRAM_H
#define JOBD_POOL_PROGRAM_H

#include "domain/function.h"
#include "pool/attempt.h"
#include "pool/reaper.h"

#define PROGRAM_CAPACITY 1 /* attempts that it holds at once */

struct program;

/* Start fn's program. host, reaper and fn are borrowed; the reaper's callbacks are the
 * program's from here on. One that cannot be started is tried again later. */
struct program *program_new(const struct attempt_host *host, struct reaper *reaper,
                            const struct function *fn);
/* Kills it with its tree; attempts that it still had are forgotten. Returns NULL. */
struct program *program_free(struct program *p);
DEFINE_AUTO(program, struct program)

/* Whether another attempt can be taken. */
bool program_has_room(const struct program *p);
/* Take one: it is given to the program as soon as that is up, and waits at most its timeout.
 * Its end is told through host->on_done, perhaps before this returns. */
void program_run(struct program *p, struct order *take_order);
/* grace_us < 0: the order's own. An attempt that is not there is none to cancel. */
void program_cancel(struct program *p, struct uuid7 job_id, int attempt,
                    enum proto_cancel_mode mode, usec_t grace_us);
/* Let it answer what it has, then ask it to end; start nothing again. Attempts that it was not
 * given yet end with CAUSE_SHUTDOWN. */
void program_retire(struct program *p);
/* There is no process, nor anything of its tree. */
bool program_is_down(const struct program *p);
/* Stop what runs now and start nothing again. Attempts end with CAUSE_SHUTDOWN. */
void program_shut_down(struct program *p);
/* The attempts that it has; returns how many. */
unsigned program_held(const struct program *p, struct proto_attempt ret_held[PROGRAM_CAPACITY]);

#endif
