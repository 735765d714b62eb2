/* engine/recovery.c - what a front finds when it opens the ledger of an earlier one.
 *
 * The ledger says which attempts are in hand, and whose. The supervisor says which workers
 * live, those of an earlier supervisor included. A live worker will connect and say what it
 * holds: its attempts are left to its HELLO. A dead one's tree is known to be empty (the
 * supervisor has swept it), so its attempts end with the outcome that it left in the spool, or
 * else as lost.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/batches.h"
#include "engine/output.h"
#include "engine/state.h"
#include "pool/begun.h"
#include "pool/paths.h"
#include "pool/spool.h"
#include "pool/workdir.h"

/* Output that the lost worker had put into a file is kept, as far as it got. */
static void find_spilled(const char *data_dir, struct outcome *o)
{
    for (int s = 0; s < STREAM_MAX_; s++)
        (void)output_find(data_dir, o->job_id, o->attempt, (enum stream)s, &o->captures[s]);
}

void engine_settle_lost(struct engine *en, const struct owned *o, const char *why)
{
    struct outcome outcome = { 0 };
    struct errinfo e = { 0 };
    int r;

    r = spool_read(en->conf.data_dir, o->id, o->attempt, &outcome, &e);
    if (r == 0) {
        engine_settle(en, o->worker_id, true, &outcome);
        return;
    }
    if (r != ERR_NOT_FOUND)
        log_error("outcome.unreadable", LSTR("error", e.text));
    outcome_fini(&outcome);
    if (r == ERR_NOT_FOUND &&
        (!why || begun_ask(en->conf.data_dir, o->worker_id, o->id, o->attempt) == BEGUN_NO)) {
        engine_settle_never_started(en, o);
        return;
    }
    outcome = (struct outcome){ .job_id = o->id,
                                .attempt = o->attempt,
                                .cause = CAUSE_WORKER_LOST,
                                .exit_code = -1,
                                .message = mem_str(why ? why : "the outcome cannot be read"),
                                .started_at_us = o->started_at_us,
                                .finished_at_us = clock_wall_us() };
    find_spilled(en->conf.data_dir, &outcome);
    workdir_discard(en->conf.data_dir, o->id, o->attempt);
    engine_settle(en, o->worker_id, r != ERR_NOT_FOUND, &outcome);
}

static bool worker_lives(const struct front_start *start, int64_t worker_id)
{
    for (size_t i = 0; i < start->worker_count; i++)
        if (start->workers[i].worker_id == worker_id)
            return true;
    return false;
}

static bool worker_is_done(const struct front_start *start, int64_t worker_id)
{
    for (size_t i = 0; i < start->done_worker_count; i++)
        if (start->done_workers[i] == worker_id)
            return true;
    return false;
}

static int recover_owned(struct engine *en, struct errinfo *e)
{
    AUTO(mem) struct store_owned *items = NULL;
    int n;

    n = store_jobs_owned(en->conf.store, &items, e);
    for (int i = 0; i < n; i++) {
        struct owned *o = owned_add(&en->owned, items[i].id, items[i].attempt,
                                    items[i].worker_id, items[i].started_at_us);

        o->canceling = items[i].state == JOB_CANCELING;
        if (worker_is_done(en->conf.start, o->worker_id))
            engine_settle_lost(en, o, NULL);
        else if (!worker_lives(en->conf.start, o->worker_id))
            engine_settle_lost(en, o, "the worker process has died");
    }
    return n < 0 ? n : 0;
}

/* Functions may have changed their kind since the jobs were queued. */
static int recover_pools(struct engine *en, struct errinfo *e)
{
    const struct function_table *functions = en->conf.functions;
    int r;

    for (size_t i = 0; i < functions->count; i++) {
        r = store_jobs_repool(en->conf.store, functions->items[i].name,
                              function_pool(&functions->items[i]), e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Outcomes of attempts that are in nobody's hand: recorded by a front that died before it could
 * remove the file, or say so to the worker. */
static void remove_stray_outcomes(struct engine *en)
{
    char path[PATHS_SIZE];
    DIR *dir = opendir(paths_outcome_dir(en->conf.data_dir, path));
    const struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own stream */
        char id_text[UUID7_TEXT_SIZE];
        struct uuid7 id;
        int64_t attempt;

        if (strlen(entry->d_name) < UUID7_TEXT_SIZE ||
            entry->d_name[UUID7_TEXT_SIZE - 1] != '.')
            continue;
        (void)text_copy(id_text, sizeof id_text, entry->d_name);
        if (!uuid7_parse(id_text, &id) ||
            !text_to_i64(entry->d_name + UUID7_TEXT_SIZE, 1, INT32_MAX, &attempt))
            continue;
        if (!owned_find_attempt(&en->owned, id, (int)attempt))
            spool_remove(en->conf.data_dir, id, (int)attempt);
    }
    (void)closedir(dir);
}

static bool owns_any(const struct engine *en, int64_t worker_id)
{
    for (const struct owned *o = en->owned.by_key; o; o = o->hh.next)
        if (o->worker_id == worker_id)
            return true;
    return false;
}

void recovery_forget_worker(struct engine *en, int64_t worker_id)
{
    if (!owns_any(en, worker_id)) /* else it may be asked for again after a crash of ours */
        begun_forget(en->conf.data_dir, worker_id);
}

static void remove_stray_begun(struct engine *en)
{
    char path[PATHS_SIZE];
    DIR *dir = opendir(paths_begun_dir(en->conf.data_dir, path));
    const struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own stream */
        int64_t worker_id;

        if (text_to_i64(entry->d_name, 1, INT64_MAX, &worker_id) &&
            !worker_lives(en->conf.start, worker_id))
            recovery_forget_worker(en, worker_id);
    }
    (void)closedir(dir);
}

int recovery_run(struct engine *en, struct errinfo *e)
{
    struct store *st = en->conf.store;
    int r;

    r = store_begin(st, e);
    if (r < 0)
        return r;
    r = store_last_key(st, &en->ids.last_key, e);
    if (r == 0)
        r = store_count_waiting(st, &en->waiting_jobs, e);
    if (r == 0)
        r = store_next_due(st, &en->next_due_us, e);
    if (r == 0)
        r = recover_pools(en, e);
    if (r == 0)
        r = recover_owned(en, e);
    if (r == 0)
        r = batches_recover(en, e);
    if (r == 0)
        r = store_commit(st, e);
    if (r < 0) {
        store_rollback(st);
        return r;
    }
    remove_stray_outcomes(en);
    remove_stray_begun(en);
    housekeeping_recover(en);
    log_info("engine.recovered", LI64("waiting", en->waiting_jobs),
             LI64("in_hand", owned_count(&en->owned)));
    return 0;
}
