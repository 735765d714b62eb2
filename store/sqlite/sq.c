/* The backend's table, and the transactions of the one writer. */
#include "store/sqlite/sq.h"

#include <assert.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/mem.h"
#include "store/sqlite/batch_moves.h"
#include "store/sqlite/event_write.h"
#include "store/sqlite/migrate.h"
#include "store/sqlite/row_queue.h"
#include "store/sqlite/stmt.h"

static const char BEGIN[] = "BEGIN IMMEDIATE";
static const char COMMIT[] = "COMMIT";
static const char ROLLBACK[] = "ROLLBACK";
static const char LEDGER_READ[] =
    "SELECT change_seq, last_key, events_gone_seq FROM ledger WHERE one = 1";
static const char LEDGER_WRITE[] =
    "UPDATE ledger SET change_seq = ?1, last_key = ?2, events_gone_seq = ?3 WHERE one = 1";

static void sq_close(struct store *st)
{
    struct sq *sq = sq_of(st);

    reader_pool_fini(&sq->readers);
    (void)db_free(sq->db);
    event_block_fini(&sq->events);
    buf_fini(&sq->record);
    free(sq->changed);
    free(sq);
}

static int load_ledger(struct sq *sq, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq->db, LEDGER_READ, &s, e);
    if (r < 0)
        return r;
    r = stmt_step(s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return err_set(e, ERR_DATABASE, "the table ledger is empty");
    sq->committed.change_seq = stmt_col_i64(s, 0);
    sq->committed.last_key = stmt_col_i64(s, 1);
    sq->committed.events_gone_seq = stmt_col_i64(s, 2);
    sq->ledger = sq->committed;
    return 0;
}

static int set_up(struct sq *sq, const struct store_conf *conf, const char *path,
                  struct errinfo *e)
{
    size_t count;
    const struct migration *known = migrations_known(&count);
    int r;

    r = db_open_writer(path, &sq->db, e);
    if (r < 0)
        return r;
    r = migrate_check(sq->db, path, e);
    if (r < 0)
        return r;
    if (conf->beside_another) {
        r = migrate_is_done(sq->db, path, e);
        if (r < 0)
            return r;
    }
    r = db_tune_writer(sq->db, conf->durability, e);
    if (r < 0)
        return r;
    r = migrate_run(sq->db, known, count, e);
    if (r < 0)
        return r;
    r = sq_events_init(sq, e);
    if (r < 0)
        return r;
    r = sq_job_queue_init(sq, e);
    if (r < 0)
        return r;
    r = sq_attempt_queue_init(sq, e);
    if (r < 0)
        return r;
    r = fd_sync_dir(conf->data_dir, e); /* the name of a new file */
    if (r < 0)
        return r;
    return load_ledger(sq, e);
}

static int sq_open(const struct store_conf *conf, struct store **ret_store, struct errinfo *e)
{
    AUTO(mem) char *path = db_path(conf->data_dir);
    struct sq *sq = mem_new0(sizeof *sq);
    int r;

    sq->store.backend = &store_sqlite;
    reader_pool_init(&sq->readers, path);
    r = set_up(sq, conf, path, e);
    if (r < 0) {
        sq_close(&sq->store);
        return r;
    }
    *ret_store = &sq->store;
    return 0;
}

static int sq_schema_version(const struct store *st)
{
    (void)st;
    return migrations_latest();
}

static int sq_begin(struct store *st, struct errinfo *e)
{
    struct sq *sq = sq_of(st);

    sq->db->broken = false;
    return stmt_run(sq->db, BEGIN, e);
}

static void sq_rollback(struct store *st)
{
    struct sq *sq = sq_of(st);

    if (!sqlite3_get_autocommit(sq->db->handle))
        (void)stmt_run(sq->db, ROLLBACK,
                       NULL); /* fails only when SQLite has rolled back already */
    row_queues_clear(sq->db);
    event_block_clear(&sq->events);
    sq_batch_moves_clear(sq);
    sq->ledger = sq->committed;
}

/* A number that no job has: the sequence need only rise. */
static void sq_touch(struct store *st)
{
    sq_of(st)->ledger.change_seq++;
}

static int write_ledger(struct sq *sq, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    if (sq->ledger.change_seq == sq->committed.change_seq &&
        sq->ledger.last_key == sq->committed.last_key &&
        sq->ledger.events_gone_seq == sq->committed.events_gone_seq)
        return 0;
    r = stmt_get(sq->db, LEDGER_WRITE, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, sq->ledger.change_seq);
    stmt_i64(s, 2, sq->ledger.last_key);
    stmt_i64(s, 3, sq->ledger.events_gone_seq);
    return stmt_change(s, e);
}

static int try_commit(struct sq *sq, struct errinfo *e)
{
    int r;

    if (sq->db->broken)
        return err_set(e, ERR_DATABASE, "the transaction has failed before");
    r = row_queues_insert(sq->db, ~0u, e);
    if (r < 0)
        return r;
    r = sq_events_flush(sq, e);
    if (r < 0)
        return r;
    r = write_ledger(sq, e);
    if (r < 0)
        return r;
    return stmt_run(sq->db, COMMIT, e);
}

static int sq_commit(struct store *st, struct errinfo *e)
{
    struct sq *sq = sq_of(st);
    int r;

    r = try_commit(sq, e);
    if (r < 0) {
        sq_rollback(st);
        return r;
    }
    sq_batch_moves_clear(sq);
    sq->committed = sq->ledger;
    return 0;
}

static int64_t sq_change_seq(const struct store *st)
{
    return ((const struct sq *)st)->committed.change_seq;
}

const struct store_backend store_sqlite = {
    .name = "sqlite",
    .open = sq_open,
    .close = sq_close,
    .schema_version = sq_schema_version,
    .begin = sq_begin,
    .commit = sq_commit,
    .rollback = sq_rollback,
    .touch = sq_touch,
    .job_insert = sq_job_insert,
    .job_insert_claimed = sq_job_insert_claimed,
    .take_batch_moves = sq_take_batch_moves,
    .batch_insert = sq_batch_insert,
    .batch_update = sq_batch_update,
    .batch_get = sq_batch_get,
    .batch_spec_put = sq_batch_spec_put,
    .batch_spec_get = sq_batch_spec_get,
    .batch_members = sq_batch_members,
    .batches_busy = sq_batches_busy,
    .batch_remove = sq_batch_remove,
    .batches_forget = sq_batches_forget,
    .failure_add = sq_failure_add,
    .failure_insert = sq_failure_insert,
    .failure_count = sq_failure_count,
    .failure_forget_oldest = sq_failure_forget_oldest,
    .read_batch = sq_read_batch,
    .read_batches = sq_read_batches,
    .read_failures = sq_read_failures,
    .job_get = sq_job_get,
    .job_claim = sq_job_claim,
    .jobs_due = sq_jobs_due,
    .next_due = sq_next_due,
    .job_cancel_waiting = sq_job_cancel_waiting,
    .job_cancel_running = sq_job_cancel_running,
    .job_finish = sq_job_finish,
    .job_retry = sq_job_retry,
    .count_attempts = sq_count_attempts,
    .job_release = sq_job_release,
    .job_progress = sq_job_progress,
    .jobs_repool = sq_jobs_repool,
    .jobs_owned = sq_jobs_owned,
    .unique_find = sq_unique_find,
    .unique_of = sq_unique_of,
    .unique_insert = sq_unique_insert,
    .idempotency_insert = sq_idempotency_insert,
    .idempotency_expire = sq_idempotency_expire,
    .count_waiting = sq_count_waiting,
    .count_waiting_in = sq_count_waiting_in,
    .last_key = sq_last_key,
    .api_key_insert = sq_api_key_insert,
    .api_key_revoke = sq_api_key_revoke,
    .api_key_rotate = sq_api_key_rotate,
    .api_key_used = sq_api_key_used,
    .api_keys = sq_api_keys,
    .job_rewrite = sq_job_rewrite,
    .job_requeue = sq_job_requeue,
    .job_doom = sq_job_doom,
    .job_remove = sq_job_remove,
    .jobs_expired = sq_jobs_expired,
    .next_expiry = sq_next_expiry,
    .jobs_from = sq_jobs_from,
    .tombstone_get = sq_tombstone_get,
    .tombstones_with_files = sq_tombstones_with_files,
    .tombstone_cleared = sq_tombstone_cleared,
    .tombstones_forget = sq_tombstones_forget,
    .oldest_tombstone = sq_oldest_tombstone,
    .reader_get = sq_reader_get,
    .reader_put = sq_reader_put,
    .reader_see = sq_reader_see,
    .read_job = sq_read_job,
    .read_version = sq_read_version,
    .read_jobs = sq_read_jobs,
    .read_job_count = sq_read_job_count,
    .read_result = sq_read_result,
    .read_capture = sq_read_capture,
    .read_attempts = sq_read_attempts,
    .read_api_key_version = sq_read_api_key_version,
    .read_api_keys = sq_read_api_keys,
    .read_idempotency = sq_read_idempotency,
    .read_ping = sq_read_ping,
    .change_seq = sq_change_seq,
    .finished_version = sq_finished_version,
    .events_expire = sq_events_expire,
    .read_events = sq_read_events,
    .read_batch_events = sq_read_batch_events,
    .read_job_events = sq_read_job_events,
};
