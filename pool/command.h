/* pool/command.h - one attempt of a command: start it, feed it, listen to it, know its end.
 *
 * The attempt ends when its main process does. What is in the pipes is read; if something of
 * its tree still holds them, it gets a moment; then what is left is killed. The outcome is
 * given only when the kernel has said that nothing is left (ECHILD). One thread; one command at
 * a time, as every descendant of this process belongs to it.
 */
#ifndef JOBD_POOL_COMMAND_H
#define JOBD_POOL_COMMAND_H

#include "pool/attempt.h"
#include "pool/reaper.h"

struct command;

/* Start take_order; its content is taken. The reaper's callbacks are the command's until it
 * ends. Returns NULL when it could not be started: then on_done has been called already, with
 * CAUSE_SPAWN_FAILED. Otherwise the command is freed when on_done is called, later, from the
 * loop. */
struct command *command_start(const struct attempt_host *host, struct reaper *reaper,
                              struct order *take_order);
struct proto_attempt command_id(const struct command *c);
/* grace_us < 0: the order's own. */
void command_cancel(struct command *c, enum proto_cancel_mode mode, usec_t grace_us);

#endif
