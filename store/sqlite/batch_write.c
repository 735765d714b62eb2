/* Batches: their rows, what they submit, and their members. */
#include <stdlib.h>

#include "base/mem.h"
#include "store/sqlite/batch_row.h"
#include "store/sqlite/event_write.h"
#include "store/sqlite/job_row.h"
#include "store/sqlite/sq.h"

_Static_assert(JOB_STATE_MAX_ == 7, "the table batch has a count for each state");

static const char INSERT[] =
    "INSERT INTO batch (id, id_rand, state, version, change_seq, closed, failure_policy,"
    " max_concurrency, array_size, array_made, scheduled, queued, running, canceling,"
    " succeeded, failed, canceled, stop, sweep_key, specs, called, error_groups,"
    " created_at_us, started_at_us, finished_at_us, updated_at_us, cancel_requested_at_us,"
    " tenant, created_by, name, reason, labels)"
    " VALUES (?1, ?2, ?3, 1, 0, ?4, ?5, ?6, ?7, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, ?8, 0, 0,"
    " ?9, 0, 0, ?9, 0, ?10, ?11, ?12, NULL, ?13)";
/* The old row has the state and the place in the event log. */
static const char BEFORE[] =
    "SELECT state, closed, change_seq FROM batch WHERE id = ?1 AND id_rand = ?2"
    " AND version = ?3";
static const char UPDATE[] =
    "UPDATE batch SET version = version + 1, change_seq = ?3, state = ?4, closed = ?5,"
    " array_made = ?6, scheduled = ?7, queued = ?8, running = ?9, canceling = ?10,"
    " succeeded = ?11, failed = ?12, canceled = ?13, stop = ?14, sweep_key = ?15,"
    " called = ?16, error_groups = ?17, started_at_us = ?18, finished_at_us = ?19,"
    " updated_at_us = ?20, cancel_requested_at_us = ?21, reason = ?22"
    " WHERE id = ?1 AND id_rand = ?2";

static const char PUT_SPEC[] =
    "INSERT INTO batch_spec (batch_key, kind, priority, delay_us, scheduled_at_us, timeout_us,"
    " grace_us, ttl_us, queue, pool, function, name, payload)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
static const char GET_SPEC[] =
    "SELECT priority, delay_us, scheduled_at_us, timeout_us, grace_us, ttl_us, queue, pool,"
    " function, name, payload FROM batch_spec WHERE batch_key = ?1 AND kind = ?2";

static const char MEMBERS[] =
    "SELECT id, id_rand, state, attempt, worker_id FROM job INDEXED BY job_by_batch"
    " WHERE batch_key = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

static const char BUSY[] =
    "SELECT id, id_rand, CASE stop WHEN 0 THEN array_size - array_made ELSE 0 END"
    " FROM batch INDEXED BY batch_busy"
    " WHERE sweep_key IS NOT NULL OR (array_made < array_size AND stop = 0)";

/* -- the row --------------------------------------------------------------------------------
 */

int sq_batch_insert(struct store *st, const struct batch *b, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    struct sq *sq = sq_of(st);
    int r;

    r = stmt_get(sq->db, INSERT, &s, e);
    if (r < 0)
        return r;
    stmt_id(s, 1, b->id);
    stmt_text(s, 3, batch_state_name(b->state));
    stmt_i64(s, 4, b->closed);
    stmt_text(s, 5, failure_policy_name(b->failure_policy));
    stmt_i64(s, 6, b->max_concurrency);
    stmt_i64(s, 7, b->array_size);
    stmt_i64(s, 8, b->specs);
    stmt_i64(s, 9, b->created_at_us);
    stmt_text(s, 10, *batch_tenant(b) ? b->tenant : NULL);
    stmt_text(s, 11, b->created_by);
    stmt_text(s, 12, b->name);
    stmt_text(s, 13, b->labels);
    r = stmt_change(s, e);
    if (r < 0)
        return r;
    if (uuid7_key(b->id) > sq->ledger.last_key)
        sq->ledger.last_key = uuid7_key(b->id);
    return 0;
}

/* What the change of this batch is in the event log; < 0: nothing. */
static int event_of(const struct batch *b, bool was_closed, const char *old_state)
{
    static const int final[BATCH_STATE_MAX_] = {
        [BATCH_SUCCEEDED] = EVENT_BATCH_SUCCEEDED,
        [BATCH_FAILED] = EVENT_BATCH_FAILED,
        [BATCH_CANCELED] = EVENT_BATCH_CANCELED,
    };
    int before = batch_state_parse(old_state);

    if (batch_state_is_final(b->state) && (int)b->state != before)
        return final[b->state];
    return b->closed && !was_closed ? (int)EVENT_BATCH_CLOSED : -1;
}

static int add_event(struct sq *sq, struct batch *b, int kind, struct errinfo *e)
{
    struct event ev = { .prev_seq = b->change_seq,
                        .kind = (enum event_kind)kind,
                        .subject = b->id,
                        .at_us = b->updated_at_us,
                        .version = b->version,
                        .progress_ppm = -1,
                        .reason = b->reason,
                        .queue = "",
                        .tenant = batch_tenant(b) };

    b->change_seq = sq_next_seq(sq);
    return sq_event_add(sq, &ev, e);
}

/* The events that lead from the old row to b. */
static int add_events(struct sq *sq, struct batch *b, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int kind;
    int r;

    r = stmt_get(sq->db, BEFORE, &s, e);
    if (r < 0)
        return r;
    stmt_id(s, 1, b->id);
    stmt_i64(s, 3, b->version - 1);
    r = stmt_step(s, e);
    if (r <= 0)
        return r < 0 ? r : ERR_NOT_FOUND; /* expected: no text */
    b->change_seq = stmt_col_i64(s, 2);
    kind = event_of(b, stmt_col_i64(s, 1) != 0, stmt_col_text(s, 0));
    r = b->change_seq == 0 ? add_event(sq, b, EVENT_BATCH_CREATED, e) : 0;
    if (r == 0 && kind >= 0)
        r = add_event(sq, b, kind, e);
    return r;
}

static void bind_update(struct stmt *s, const struct batch *b)
{
    stmt_id(s, 1, b->id);
    stmt_i64(s, 3, b->change_seq);
    stmt_text(s, 4, batch_state_name(b->state));
    stmt_i64(s, 5, b->closed);
    stmt_i64(s, 6, b->array_made);
    for (int i = 0; i < JOB_STATE_MAX_; i++)
        stmt_i64(s, 7 + i, b->counts[i]);
    stmt_i64(s, 14, b->stop);
    if (b->sweeping)
        stmt_i64(s, 15, b->sweep_key);
    else
        stmt_null(s, 15);
    stmt_i64(s, 16, b->called);
    stmt_i64(s, 17, b->error_groups);
    stmt_i64(s, 18, b->started_at_us);
    stmt_i64(s, 19, b->finished_at_us);
    stmt_i64(s, 20, b->updated_at_us);
    stmt_i64(s, 21, b->cancel_requested_at_us);
    stmt_text(s, 22, b->reason);
}

int sq_batch_update(struct store *st, struct batch *b, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    struct sq *sq = sq_of(st);
    int r;

    r = add_events(sq, b, e);
    if (r < 0)
        return r;
    r = stmt_get(sq->db, UPDATE, &s, e);
    if (r < 0)
        return r;
    bind_update(s, b);
    r = stmt_change(s, e);
    return r < 0 ? r : 0;
}

int sq_batch_get(struct store *st, struct uuid7 id, struct batch *ret_batch, struct errinfo *e)
{
    AUTO_FINI(batch) struct batch b = { 0 };
    int r;

    r = batch_row_find(sq_of(st)->db, id, &b, e);
    if (r < 0)
        return r;
    *ret_batch = b;
    b = (struct batch){ 0 };
    return 0;
}

/* -- what it submits ------------------------------------------------------------------------
 */

int sq_batch_spec_put(struct store *st, struct uuid7 id, enum batch_spec kind,
                      const struct batch_job *bj, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    const struct job *job = &bj->job;
    int r;

    r = stmt_get(sq_of(st)->db, PUT_SPEC, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(id));
    stmt_text(s, 2, batch_spec_name(kind));
    stmt_i64(s, 3, job->priority);
    stmt_i64(s, 4, bj->delay_us);
    stmt_i64(s, 5, job->scheduled_at_us);
    stmt_i64(s, 6, job->timeout_us);
    stmt_i64(s, 7, job->grace_us);
    stmt_i64(s, 8, job->ttl_us);
    stmt_text(s, 9, job->queue);
    stmt_text(s, 10, job->pool);
    stmt_text(s, 11, job->function);
    stmt_text(s, 12, job->name);
    stmt_text_len(s, 13, job->payload, job->payload_len);
    r = stmt_change(s, e);
    return r < 0 ? r : 0;
}

int sq_batch_spec_get(struct store *st, struct uuid7 id, enum batch_spec kind,
                      struct batch_job *ret_bj, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    struct job *job = &ret_bj->job;
    int r;

    r = stmt_get(sq_of(st)->db, GET_SPEC, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(id));
    stmt_text(s, 2, batch_spec_name(kind));
    r = stmt_step(s, e);
    if (r <= 0)
        return r < 0
                   ? r
                   : err_set(e, ERR_DATABASE, "a batch has lost its %s", batch_spec_name(kind));
    *ret_bj = (struct batch_job){ 0 };
    job->priority = stmt_col_int(s, 0);
    ret_bj->delay_us = stmt_col_i64(s, 1);
    job->scheduled_at_us = stmt_col_i64(s, 2);
    job->timeout_us = stmt_col_i64(s, 3);
    job->grace_us = stmt_col_i64(s, 4);
    job->ttl_us = stmt_col_i64(s, 5);
    job->queue = stmt_col_copy(s, 6, NULL);
    job->pool = stmt_col_copy(s, 7, NULL);
    job->function = stmt_col_copy(s, 8, NULL);
    job->name = stmt_col_copy(s, 9, NULL);
    job->payload = stmt_col_copy(s, 10, &job->payload_len);
    return 0;
}

/* -- its members, and those that are busy ---------------------------------------------------
 */

int sq_batch_members(struct store *st, struct uuid7 id, int64_t after_key,
                     struct store_member *items, size_t max, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int count = 0;
    int r;

    r = stmt_get(sq_of(st)->db, MEMBERS, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(id));
    stmt_i64(s, 2, after_key);
    stmt_i64(s, 3, (int64_t)max);
    while ((r = stmt_step(s, e)) > 0) {
        struct store_member *m = &items[count++];

        m->id = row_id(s, 0);
        m->attempt = stmt_col_int(s, 3);
        m->worker_id = stmt_col_i64(s, 4);
        r = row_state(s, 2, &m->state, e);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : count;
}

int sq_batches_busy(struct store *st, struct uuid7 **ret_ids, int64_t *ret_pending,
                    struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    AUTO(mem) struct uuid7 *ids = NULL;
    int64_t pending = 0;
    size_t count = 0;
    int r;

    r = stmt_get(sq_of(st)->db, BUSY, &s, e);
    if (r < 0)
        return r;
    while ((r = stmt_step(s, e)) > 0) {
        if (count % 64 == 0)
            ids = mem_resize(ids, count + 64, sizeof *ids);
        ids[count++] = row_id(s, 0);
        pending += stmt_col_i64(s, 2);
    }
    if (r < 0)
        return r;
    *ret_ids = TAKE(ids);
    *ret_pending = pending;
    return (int)count;
}
