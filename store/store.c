/* One call through the backend's table for each function, and a check of the transaction
 * bracket. */
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>

#include "base/text.h"
#include "store/backend.h"

static const struct store_backend *const backends[] = { &store_sqlite, NULL };

int store_open(const char *backend, const struct store_conf *conf, struct store **ret_store,
               struct errinfo *e)
{
    for (const struct store_backend *const *b = backends; *b; b++)
        if (text_equal((*b)->name, backend))
            return (*b)->open(conf, ret_store, e);
    return err_set(e, ERR_CONFIG, "there is no store '%s'", backend);
}

struct store *store_free(struct store *st)
{
    if (!st)
        return NULL;
    store_rollback(st);
    st->backend->close(st);
    return NULL;
}

int store_schema_version(const struct store *st)
{
    return st->backend->schema_version(st);
}

int store_begin(struct store *st, struct errinfo *e)
{
    int r;

    assert(!st->in_transaction);
    r = st->backend->begin(st, e);
    st->in_transaction = r == 0;
    return r;
}

int store_commit(struct store *st, struct errinfo *e)
{
    assert(st->in_transaction);
    st->in_transaction = false;
    return st->backend->commit(st, e);
}

void store_touch(struct store *st)
{
    st->backend->touch(st);
}

void store_rollback(struct store *st)
{
    if (!st->in_transaction)
        return;
    st->in_transaction = false;
    st->backend->rollback(st);
}

int store_job_insert(struct store *st, struct job *job, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->job_insert(st, job, e);
}

int store_job_insert_claimed(struct store *st, const struct job *job, int64_t worker_id,
                             int worker_pid, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->job_insert_claimed(st, job, worker_id, worker_pid, e);
}

int store_take_batch_moves(struct store *st, struct store_batch_move **ret_moves)
{
    assert(st->in_transaction);
    return st->backend->take_batch_moves(st, ret_moves);
}

int store_job_get(struct store *st, struct uuid7 id, struct job *ret_job, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->job_get(st, id, ret_job, e);
}

int store_job_claim(struct store *st, const char *pool, int64_t worker_id, int worker_pid,
                    usec_t now_us, struct job *ret_job, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->job_claim(st, pool, worker_id, worker_pid, now_us, ret_job, e);
}

int store_jobs_due(struct store *st, usec_t now_us, struct uuid7 *ids, size_t max,
                   struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->jobs_due(st, now_us, ids, max, e);
}

int store_next_due(struct store *st, usec_t *ret_at_us, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->next_due(st, ret_at_us, e);
}

int store_job_cancel_waiting(struct store *st, struct uuid7 id, const char *reason,
                             usec_t now_us, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->job_cancel_waiting(st, id, reason, now_us, e);
}

int store_job_cancel_running(struct store *st, struct uuid7 id, const char *reason,
                             usec_t now_us, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->job_cancel_running(st, id, reason, now_us, e);
}

int store_job_finish(struct store *st, const struct outcome *o, enum job_state to,
                     usec_t now_us, struct errinfo *e)
{
    assert(st->in_transaction && job_state_is_final(to));
    return st->backend->job_finish(st, o, to, now_us, e);
}

int store_job_retry(struct store *st, const struct outcome *o, usec_t due_at_us, usec_t now_us,
                    struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->job_retry(st, o, due_at_us, now_us, e);
}

int store_count_attempts(struct store *st, struct uuid7 id, enum cause cause,
                         int64_t *ret_count, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->count_attempts(st, id, cause, ret_count, e);
}

int store_job_release(struct store *st, struct uuid7 id, int attempt, const char *reason,
                      usec_t now_us, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->job_release(st, id, attempt, reason, now_us, e);
}

int store_job_progress(struct store *st, struct uuid7 id, int attempt, int ppm,
                       const char *message, usec_t now_us, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->job_progress(st, id, attempt, ppm, message, now_us, e);
}

int store_jobs_repool(struct store *st, const char *function, const char *pool,
                      struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->jobs_repool(st, function, pool, e);
}

int store_jobs_owned(struct store *st, struct store_owned **ret_items, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->jobs_owned(st, ret_items, e);
}

int store_unique_find(struct store *st, const unsigned char digest[SHA256_BYTES],
                      struct store_alike *items, size_t max, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->unique_find(st, digest, items, max, e);
}

int store_unique_of(struct store *st, struct uuid7 id, unsigned char ret_digest[SHA256_BYTES],
                    struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->unique_of(st, id, ret_digest, e);
}

int store_unique_insert(struct store *st, struct uuid7 id,
                        const unsigned char digest[SHA256_BYTES], struct uuid7 oldest,
                        struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->unique_insert(st, id, digest, oldest, e);
}

int store_idempotency_insert(struct store *st, const struct idempotency_record *record,
                             struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->idempotency_insert(st, record, e);
}

int store_idempotency_expire(struct store *st, usec_t until_us, size_t max,
                             usec_t *ret_oldest_at_us, struct errinfo *e)
{
    assert(st->in_transaction && max > 0);
    return st->backend->idempotency_expire(st, until_us, max, ret_oldest_at_us, e);
}

int store_count_waiting(struct store *st, int64_t *ret_count, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->count_waiting(st, ret_count, e);
}

int store_count_waiting_in(struct store *st, const char *queue, int64_t *ret_count,
                           struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->count_waiting_in(st, queue, ret_count, e);
}

int store_last_key(struct store *st, int64_t *ret_key, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->last_key(st, ret_key, e);
}

int store_api_key_insert(struct store *st, const struct api_key *key, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->api_key_insert(st, key, e);
}

int store_api_key_revoke(struct store *st, const char *tenant, const char *id, usec_t now_us,
                         struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->api_key_revoke(st, tenant, id, now_us, e);
}

int store_api_key_rotate(struct store *st, const char *tenant, const struct api_key *key,
                         struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->api_key_rotate(st, tenant, key, e);
}

int store_api_key_used(struct store *st, const char *id, usec_t at_us, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->api_key_used(st, id, at_us, e);
}

int store_job_rewrite(struct store *st, const struct job *job, int64_t version, usec_t now_us,
                      struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->job_rewrite(st, job, version, now_us, e);
}

int store_job_requeue(struct store *st, const struct job *job, int64_t version, usec_t now_us,
                      struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->job_requeue(st, job, version, now_us, e);
}

int store_job_doom(struct store *st, struct uuid7 id, usec_t now_us, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->job_doom(st, id, now_us, e);
}

int store_job_remove(struct store *st, struct uuid7 id, bool has_files, usec_t now_us,
                     int *ret_attempts, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->job_remove(st, id, has_files, now_us, ret_attempts, e);
}

int store_jobs_expired(struct store *st, usec_t now_us, struct store_ended *items, size_t max,
                       struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->jobs_expired(st, now_us, items, max, e);
}

int store_next_expiry(struct store *st, usec_t *ret_at_us, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->next_expiry(st, ret_at_us, e);
}

int store_jobs_from(struct store *st, int64_t after_key, struct store_ended *items, size_t max,
                    struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->jobs_from(st, after_key, items, max, e);
}

int store_tombstone_get(struct store *st, struct uuid7 id, const char *tenant,
                        struct store_tombstone *ret_tombstone, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->tombstone_get(st, id, tenant, ret_tombstone, e);
}

int store_tombstones_with_files(struct store *st, struct store_tombstone *items, size_t max,
                                struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->tombstones_with_files(st, items, max, e);
}

int store_tombstone_cleared(struct store *st, struct uuid7 id, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->tombstone_cleared(st, id, e);
}

int store_tombstones_forget(struct store *st, usec_t before_us, size_t max, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->tombstones_forget(st, before_us, max, e);
}

int store_oldest_tombstone(struct store *st, usec_t *ret_at_us, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->oldest_tombstone(st, ret_at_us, e);
}

int store_api_keys(struct store *st, struct api_keys *ret_keys, int64_t *ret_version,
                   struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->api_keys(st, ret_keys, ret_version, e);
}

int store_reader_get(struct store *st, struct store_reader **ret_reader, struct errinfo *e)
{
    return st->backend->reader_get(st, ret_reader, e);
}

void store_reader_see(struct store_reader *rd, const char *tenant)
{
    rd->backend->reader_see(rd, tenant);
}

void store_reader_put(struct store *st, struct store_reader *rd)
{
    if (rd)
        st->backend->reader_put(st, rd);
}

int store_read_job(struct store_reader *rd, struct uuid7 id, size_t result_max_bytes,
                   struct job *ret_job, struct errinfo *e)
{
    return rd->backend->read_job(rd, id, result_max_bytes, ret_job, e);
}

int store_read_version(struct store_reader *rd, struct uuid7 id, int64_t *ret_version,
                       enum job_state *ret_state, struct errinfo *e)
{
    return rd->backend->read_version(rd, id, ret_version, ret_state, e);
}

int store_read_jobs(struct store_reader *rd, const struct store_query *query,
                    struct store_page *ret_page, struct errinfo *e)
{
    return rd->backend->read_jobs(rd, query, ret_page, e);
}

int store_read_job_count(struct store_reader *rd, const struct store_filter *filter,
                         int64_t *ret_count, bool *ret_exact, struct errinfo *e)
{
    return rd->backend->read_job_count(rd, filter, ret_count, ret_exact, e);
}

void store_page_fini(struct store_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        job_fini(&page->items[i]);
    free(page->items);
    *page = (struct store_page){ 0 };
}

int store_read_result(struct store_reader *rd, struct uuid7 id, enum result_kind *ret_kind,
                      char **ret_bytes, size_t *ret_len, struct errinfo *e)
{
    return rd->backend->read_result(rd, id, ret_kind, ret_bytes, ret_len, e);
}

int store_read_capture(struct store_reader *rd, struct uuid7 id, int attempt,
                       enum stream stream, struct capture *ret_capture, struct errinfo *e)
{
    return rd->backend->read_capture(rd, id, attempt, stream, ret_capture, e);
}

int store_read_attempts(struct store_reader *rd, struct uuid7 id, int number,
                        struct attempts *ret_attempts, struct errinfo *e)
{
    return rd->backend->read_attempts(rd, id, number, ret_attempts, e);
}

int store_read_api_key_version(struct store_reader *rd, int64_t *ret_version, struct errinfo *e)
{
    return rd->backend->read_api_key_version(rd, ret_version, e);
}

int store_read_api_keys(struct store_reader *rd, struct api_keys *ret_keys,
                        int64_t *ret_version, struct errinfo *e)
{
    return rd->backend->read_api_keys(rd, ret_keys, ret_version, e);
}

int store_read_idempotency(struct store_reader *rd, const unsigned char scope[SHA256_BYTES],
                           struct idempotency_record *ret_record, struct errinfo *e)
{
    return rd->backend->read_idempotency(rd, scope, ret_record, e);
}

int store_read_ping(struct store_reader *rd, struct errinfo *e)
{
    return rd->backend->read_ping(rd, e);
}

int64_t store_change_seq(const struct store *st)
{
    return st->backend->change_seq(st);
}

int64_t store_finished_version(const struct store *st)
{
    return st->backend->finished_version(st);
}

int store_events_expire(struct store *st, usec_t before_us, int64_t max_events,
                        size_t max_blocks, usec_t *ret_oldest_us, struct errinfo *e)
{
    assert(st->in_transaction && max_blocks > 0);
    return st->backend->events_expire(st, before_us, max_events, max_blocks, ret_oldest_us, e);
}

int store_read_events(struct store_reader *rd, const struct store_event_query *query,
                      struct store_events *ret_events, struct errinfo *e)
{
    assert(query->limit > 0);
    return rd->backend->read_events(rd, query, ret_events, e);
}

int store_read_job_events(struct store_reader *rd, struct uuid7 id, int64_t after_seq,
                          size_t limit, struct store_events *ret_events, struct errinfo *e)
{
    assert(limit > 0);
    return rd->backend->read_job_events(rd, id, after_seq, limit, ret_events, e);
}

int store_read_batch_events(struct store_reader *rd, struct uuid7 id, int64_t after_seq,
                            size_t limit, struct store_events *ret_events, struct errinfo *e)
{
    assert(limit > 0);
    return rd->backend->read_batch_events(rd, id, after_seq, limit, ret_events, e);
}

void store_events_fini(struct store_events *events)
{
    for (size_t i = 0; i < events->block_count; i++)
        free(events->blocks[i]);
    free(events->blocks);
    free(events->items);
    *events = (struct store_events){ 0 };
}
