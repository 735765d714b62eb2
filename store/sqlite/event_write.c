/* The event log, as the writer sees it.
 *
 * The events of a transaction are collected in a block, and written as a row before the commit:
 * a row costs as much as forty events in it. When they grow beyond BLOCK_MAX_BYTES they are a
 * row already, so that four rows fill a page and finding an event decodes few others.
 */
#include "store/sqlite/event_write.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "store/sqlite/batch_moves.h"

#define BLOCK_MAX_BYTES ((size_t)960)
#define TEXT_MAX_BYTES  ((size_t)4 * JOB_REASON_MAX + 1)

static const char INSERT_BLOCK[] =
    "INSERT INTO event_block (last_seq, last_at_us, bytes) VALUES (?1, ?2, ?3)";

/* Blocks from the oldest on: a number that is not kept, or an age. */
static const char OLDEST[] =
    "SELECT last_seq, last_at_us FROM event_block ORDER BY last_seq LIMIT ?1";
static const char FORGET[] = "DELETE FROM event_block WHERE last_seq <= ?1";

const char SQ_REASON_OF_THE_JOB[] = "";

/* The row that a statement with CHANGE has changed, as it was. */
struct sq_changed {
    struct event before; /* its texts lie below */
    struct uuid7 batch;  /* zero: none */
    struct sq_owner owner;
    char queue[TEXT_MAX_BYTES];
    char function[TEXT_MAX_BYTES];
    char tenant[TEXT_MAX_BYTES];
    char reason[TEXT_MAX_BYTES];
};

/* The arguments of jobd_change(), in their order. */
enum {
    ARG_ID,
    ARG_ID_RAND,
    ARG_STATE,
    ARG_VERSION,
    ARG_CHANGE_SEQ,
    ARG_ATTEMPT,
    ARG_QUEUE,
    ARG_FUNCTION,
    ARG_TENANT,
    ARG_REASON,
    ARG_BATCH,
    ARG_BATCH_RAND,
    ARG_WORKER_ID,
    ARG_WORKER_PID,
    ARG_MAX_
};

static const char *copy_text(sqlite3_value *value, char room[TEXT_MAX_BYTES])
{
    const char *text = (const char *)sqlite3_value_text(value);

    return text ? text_copy(room, TEXT_MAX_BYTES, text) : NULL;
}

/* jobd_change(...): remembers the row, and gives the number of the change. */
static void on_change(sqlite3_context *context, int count, sqlite3_value **args)
{
    struct sq *sq = sqlite3_user_data(context);
    struct sq_changed *c = sq->changed;
    const char *state = (const char *)sqlite3_value_text(args[ARG_STATE]);
    const char *tenant = copy_text(args[ARG_TENANT], c->tenant);
    int known = state ? job_state_parse(state) : -1;

    assert(count == ARG_MAX_);
    if (known < 0) {
        sqlite3_result_error(context, "a job has a state that no jobd has written", -1);
        return;
    }
    c->before = (struct event){
        .seq = sqlite3_value_int64(args[ARG_CHANGE_SEQ]),
        .subject = uuid7_from_parts(sqlite3_value_int64(args[ARG_ID]),
                                    sqlite3_value_int64(args[ARG_ID_RAND])),
        .state = (enum job_state)known,
        .version = sqlite3_value_int64(args[ARG_VERSION]),
        .attempt = sqlite3_value_int(args[ARG_ATTEMPT]),
        .queue = copy_text(args[ARG_QUEUE], c->queue),
        .function = copy_text(args[ARG_FUNCTION], c->function),
        .tenant = tenant ? tenant : "",
        .reason = copy_text(args[ARG_REASON], c->reason),
    };
    c->owner = (struct sq_owner){ .worker_id = sqlite3_value_int64(args[ARG_WORKER_ID]),
                                  .worker_pid = sqlite3_value_int(args[ARG_WORKER_PID]) };
    c->batch = (struct uuid7){ 0 };
    if (sqlite3_value_type(args[ARG_BATCH]) != SQLITE_NULL)
        c->batch = uuid7_from_parts(sqlite3_value_int64(args[ARG_BATCH]),
                                    sqlite3_value_int64(args[ARG_BATCH_RAND]));
    sqlite3_result_int64(context, sq_next_seq(sq));
}

int sq_events_init(struct sq *sq, struct errinfo *e)
{
    int rc;

    sq->changed = mem_new0(sizeof *sq->changed);
    rc = sqlite3_create_function_v2(sq->db->handle, "jobd_change", ARG_MAX_,
                                    SQLITE_UTF8 | SQLITE_DIRECTONLY, sq, on_change, NULL, NULL,
                                    NULL);
    return rc == SQLITE_OK ? 0 : db_fail(sq->db, rc, "register a function", e);
}

/* -- adding ---------------------------------------------------------------------------------
 */

int sq_events_flush(struct sq *sq, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    struct event_block *b = &sq->events;
    int r;

    if (b->count == 0)
        return 0;
    r = stmt_get(sq->db, INSERT_BLOCK, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, b->last.seq);
    stmt_i64(s, 2, b->last_at_us);
    stmt_blob(s, 3, b->bytes.data, b->bytes.len);
    r = stmt_change(s, e);
    if (r < 0)
        return r;
    event_block_clear(b);
    return 0;
}

int sq_event_add(struct sq *sq, const struct event *ev, struct errinfo *e)
{
    struct event numbered = *ev;

    numbered.seq = ++sq->ledger.change_seq;
    event_block_add(&sq->events, &numbered);
    return sq->events.bytes.len < BLOCK_MAX_BYTES ? 0 : sq_events_flush(sq, e);
}

int sq_change(struct sq *sq, struct stmt *s, const struct sq_change *change, struct errinfo *e)
{
    const struct event *before = &sq->changed->before;
    struct event ev;
    int r;

    r = stmt_change(s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return ERR_NOT_FOUND; /* expected: no text */
    assert(r == 1);
    ev = *before;
    ev.prev_seq = before->seq;
    ev.kind = change->kind;
    ev.at_us = change->at_us;
    ev.state = change->state == SQ_STATE_AS_IT_IS ? before->state : change->state;
    sq_batch_moved(sq, sq->changed->batch, (int)before->state, ev.state);
    ev.version++;
    ev.attempt += change->attempts;
    ev.progress_ppm = change->kind == EVENT_JOB_PROGRESS ? change->progress_ppm : -1;
    ev.reason = change->reason == SQ_REASON_OF_THE_JOB ? before->reason : change->reason;
    return sq_event_add(sq, &ev, e);
}

int64_t sq_finished_version(const struct store *st)
{
    return ((const struct sq *)st)->changed->before.version + 1;
}

struct sq_owner sq_changed_owner(const struct sq *sq)
{
    return sq->changed->owner;
}

/* -- forgetting -----------------------------------------------------------------------------
 */

int sq_events_expire(struct store *st, usec_t before_us, int64_t max_events, size_t max_blocks,
                     usec_t *ret_oldest_us, struct errinfo *e)
{
    AUTO(stmt) struct stmt *oldest = NULL;
    AUTO(stmt) struct stmt *forget = NULL;
    struct sq *sq = sq_of(st);
    int64_t too_many = max_events > 0 ? sq->ledger.change_seq - max_events : 0;
    int64_t gone = 0;
    int r;

    r = stmt_get(sq->db, OLDEST, &oldest, e);
    if (r < 0)
        return r;
    stmt_i64(oldest, 1, (int64_t)max_blocks);
    *ret_oldest_us = 0;
    while ((r = stmt_step(oldest, e)) > 0) {
        if (stmt_col_i64(oldest, 0) > too_many && stmt_col_i64(oldest, 1) >= before_us) {
            *ret_oldest_us = stmt_col_i64(oldest, 1);
            break;
        }
        gone = stmt_col_i64(oldest, 0);
    }
    if (r < 0 || gone == 0)
        return r < 0 ? r : 0;
    oldest = stmt_free(oldest);
    r = stmt_get(sq->db, FORGET, &forget, e);
    if (r < 0)
        return r;
    stmt_i64(forget, 1, gone);
    sq->ledger.events_gone_seq = gone;
    return stmt_change(forget, e);
}
