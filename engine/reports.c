/* engine/reports.c - what workers and the supervisor report, turned into attempts that have
 * ended. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/state.h"

#define PROGRESS_MESSAGE_MAX_BYTES ((size_t)1024)
/* A chatty program must not make the disk spin: what attempts say is written this often at
 * most. */
#define PROGRESS_INTERVAL_US (100 * USEC_PER_MS)

/* -- attempts that end ----------------------------------------------------------------------
 */

static void acknowledge(struct engine *en, int64_t worker_id, struct uuid7 id, int attempt)
{
    struct proto_attempt ack = { .job_id = id, .attempt = attempt };
    struct link *link = links_find(en->links, worker_id);

    if (link)
        proto_put_ack(&link->out, &ack);
}

void engine_settle(struct engine *en, int64_t worker_id, bool from_spool,
                   struct outcome *take_outcome)
{
    struct owned *owned =
        owned_find_attempt(&en->owned, take_outcome->job_id, take_outcome->attempt);
    struct ending *end;

    if (!owned || owned->worker_id != worker_id) { /* recorded before, or never this worker's */
        log_info("attempt.stale", LI64("worker_id", worker_id),
                 LI64("attempt", take_outcome->attempt));
        acknowledge(en, worker_id, take_outcome->job_id, take_outcome->attempt);
        outcome_fini(take_outcome);
        return;
    }
    if (owned->settled) { /* told twice; the acknowledgement comes with the commit */
        outcome_fini(take_outcome);
        return;
    }
    owned_settle(&en->owned, owned);
    end = mem_new0(sizeof *end);
    end->outcome = *take_outcome;
    end->worker_id = worker_id;
    end->from_spool = from_spool;
    *en->endings_last_next = end;
    en->endings_last_next = &end->next;
}

/* -- what workers say -----------------------------------------------------------------------
 */

static bool hello_holds(const struct proto_hello *hello, const struct owned *o)
{
    for (unsigned i = 0; i < hello->held_count; i++)
        if (uuid7_equal(hello->held[i].job_id, o->id) && hello->held[i].attempt == o->attempt)
            return true;
    return false;
}

void engine_settle_never_started(struct engine *en, const struct owned *o)
{
    struct outcome outcome = { .job_id = o->id,
                               .attempt = o->attempt,
                               .cause = CAUSE_NEVER_STARTED,
                               .exit_code = -1,
                               .started_at_us = clock_wall_us(),
                               .finished_at_us = clock_wall_us() };

    engine_settle(en, o->worker_id, false, &outcome);
}

/* Held by the worker, but not its attempt in the ledger: it must not run on. */
static void stop_strangers(struct engine *en, struct link *link,
                           const struct proto_hello *hello)
{
    for (unsigned i = 0; i < hello->held_count; i++) {
        const struct proto_attempt *held = &hello->held[i];
        const struct owned *o = owned_find_attempt(&en->owned, held->job_id, held->attempt);
        struct proto_cancel cancel = { .job_id = held->job_id,
                                       .attempt = held->attempt,
                                       .grace_us = -1 };

        if (o && o->worker_id == hello->worker_id && !o->canceling)
            continue;
        cancel.mode =
            o && o->worker_id == hello->worker_id ? PROTO_CANCEL_GRACEFUL : PROTO_CANCEL_FORCE;
        proto_put_cancel(&link->out, &cancel);
    }
}

static void on_hello(void *ctx, struct link *link, const struct proto_hello *hello)
{
    struct engine *en = ctx;

    log_info("worker.connected", LI64("worker_id", hello->worker_id),
             LI64("worker_pid", hello->pid), LSTR("pool", hello->pool),
             LI64("held", hello->held_count));
    for (const struct owned *o = en->owned.by_key; o; o = o->hh.next)
        if (o->worker_id == hello->worker_id && !hello_holds(hello, o))
            engine_settle_never_started(en, o);
    stop_strangers(en, link, hello);
}

static void on_outcome(void *ctx, struct link *link, struct outcome *take_outcome)
{
    engine_settle(ctx, link->worker_id, false, take_outcome);
}

/* A copy of at most PROGRESS_MESSAGE_MAX_BYTES, cut between characters (UTF-8: RFC 3629). */
static char *progress_message(const char *text)
{
    size_t len = text ? strnlen(text, PROGRESS_MESSAGE_MAX_BYTES + 1) : 0;

    if (!text)
        return NULL;
    if (len > PROGRESS_MESSAGE_MAX_BYTES)
        for (len = PROGRESS_MESSAGE_MAX_BYTES;
             len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80;)
            len--;
    return mem_dup(text, len);
}

static void on_progress(void *ctx, struct link *link, const struct proto_progress *progress)
{
    struct engine *en = ctx;
    struct owned *o = owned_find_attempt(&en->owned, progress->job_id, progress->attempt);

    if (!o || o->worker_id != link->worker_id)
        return;
    owned_progress(o, progress->fraction < 0 ? -1 : (int)(progress->fraction * 1e6 + 0.5),
                   progress_message(progress->message));
    if (en->progress_due_us == 0)
        en->progress_due_us = en->progress_last_us + PROGRESS_INTERVAL_US;
}

const struct links_events reports_events = {
    .on_hello = on_hello,
    .on_outcome = on_outcome,
    .on_progress = on_progress,
};

/* -- what the supervisor says ---------------------------------------------------------------
 */

/* For people; NULL when it has ended as it should. */
static const char *why_lost(const struct control_msg *msg, char room[96])
{
    if (msg->wait_status == 0)
        return NULL;
    if (msg->wait_status == CONTROL_STATUS_UNKNOWN)
        (void)snprintf(room, 96, "worker process %d of an earlier jobd has died", msg->pid);
    else if (WIFSIGNALED(msg->wait_status))
        (void)snprintf(room, 96, "worker process %d was killed by signal %d", msg->pid,
                       WTERMSIG(msg->wait_status));
    else
        (void)snprintf(room, 96, "worker process %d ended with exit code %d", msg->pid,
                       WEXITSTATUS(msg->wait_status));
    return room;
}

void reports_worker_exited(struct engine *en, const struct control_msg *msg)
{
    char room[96];
    const char *why = why_lost(msg, room);

    log_write(why ? LOG_WARN : LOG_INFO, "worker.exited",
              (const struct log_field[]){
                  LI64("worker_id", msg->worker_id), LSTR("why", why), { .name = NULL } });
    links_read_rest(en->links); /* its last words come first */
    for (const struct owned *o = en->owned.by_key; o; o = o->hh.next)
        if (o->worker_id == msg->worker_id && !o->settled)
            engine_settle_lost(en, o, why);
    recovery_forget_worker(en, msg->worker_id);
}
