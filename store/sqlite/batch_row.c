#include "store/sqlite/batch_row.h"

#include "base/text.h"

#include "store/sqlite/job_row.h"
#include "store/sqlite/sq.h"

enum {
    COL_ID,
    COL_ID_RAND,
    COL_STATE,
    COL_VERSION,
    COL_CHANGE_SEQ,
    COL_CLOSED,
    COL_POLICY,
    COL_MAX_CONCURRENCY,
    COL_ARRAY_SIZE,
    COL_ARRAY_MADE,
    COL_COUNTS, /* as many as there are states of a job, in their order */
    COL_STOP = COL_COUNTS + JOB_STATE_MAX_,
    COL_SWEEP_KEY,
    COL_SPECS,
    COL_CALLED,
    COL_ERROR_GROUPS,
    COL_CREATED_AT,
    COL_STARTED_AT,
    COL_FINISHED_AT,
    COL_UPDATED_AT,
    COL_CANCEL_REQUESTED_AT,
    COL_TENANT,
    COL_CREATED_BY,
    COL_NAME,
    COL_REASON,
    COL_LABELS,
};

static const char FIND[] = "SELECT " BATCH_COLUMNS " FROM batch WHERE id = ?1 AND id_rand = ?2";

static int bad_word(const char *word, struct errinfo *e)
{
    return err_set(e, ERR_DATABASE, "a batch has the word '%s'", word ? word : "NULL");
}

static int read_words(struct stmt *s, struct batch *b, struct errinfo *e)
{
    const char *state = stmt_col_text(s, COL_STATE);
    const char *policy = stmt_col_text(s, COL_POLICY);
    int state_value = state ? batch_state_parse(state) : -1;
    int policy_value = policy ? failure_policy_parse(policy) : -1;

    if (state_value < 0 || policy_value < 0)
        return bad_word(state_value < 0 ? state : policy, e);
    b->state = (enum batch_state)state_value;
    b->failure_policy = (enum failure_policy)policy_value;
    return 0;
}

int batch_row_read(struct stmt *s, struct batch *b, struct errinfo *e)
{
    int r;

    r = read_words(s, b, e);
    if (r < 0)
        return r;
    b->id = row_id(s, COL_ID);
    b->version = stmt_col_i64(s, COL_VERSION);
    b->change_seq = stmt_col_i64(s, COL_CHANGE_SEQ);
    b->closed = stmt_col_i64(s, COL_CLOSED) != 0;
    b->max_concurrency = stmt_col_i64(s, COL_MAX_CONCURRENCY);
    b->array_size = stmt_col_i64(s, COL_ARRAY_SIZE);
    b->array_made = stmt_col_i64(s, COL_ARRAY_MADE);
    for (int i = 0; i < JOB_STATE_MAX_; i++)
        b->counts[i] = stmt_col_i64(s, COL_COUNTS + i);
    b->stop = (enum batch_stop)stmt_col_int(s, COL_STOP);
    b->sweeping = !stmt_col_is_null(s, COL_SWEEP_KEY);
    b->sweep_key = stmt_col_i64(s, COL_SWEEP_KEY);
    b->specs = (unsigned)stmt_col_int(s, COL_SPECS);
    b->called = (unsigned)stmt_col_int(s, COL_CALLED);
    b->error_groups = stmt_col_i64(s, COL_ERROR_GROUPS);
    b->created_at_us = stmt_col_i64(s, COL_CREATED_AT);
    b->started_at_us = stmt_col_i64(s, COL_STARTED_AT);
    b->finished_at_us = stmt_col_i64(s, COL_FINISHED_AT);
    b->updated_at_us = stmt_col_i64(s, COL_UPDATED_AT);
    b->cancel_requested_at_us = stmt_col_i64(s, COL_CANCEL_REQUESTED_AT);
    b->tenant = stmt_col_copy(s, COL_TENANT, NULL);
    b->created_by = stmt_col_copy(s, COL_CREATED_BY, NULL);
    b->name = stmt_col_copy(s, COL_NAME, NULL);
    b->reason = stmt_col_copy(s, COL_REASON, NULL);
    b->labels = stmt_col_copy(s, COL_LABELS, NULL);
    return 0;
}

static int missing(struct uuid7 id, struct errinfo *e)
{
    char text[UUID7_TEXT_SIZE];

    return err_set(e, ERR_BATCH_NOT_FOUND, "there is no batch %s", uuid7_format(id, text));
}

int batch_row_find(struct db *db, struct uuid7 id, struct batch *b, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_find(db, FIND, id, &s, e);
    if (r <= 0)
        return r < 0 ? r : missing(id, e);
    r = batch_row_read(s, b, e);
    if (r < 0)
        return r;
    return db->tenant && !text_equal(db->tenant, batch_tenant(b)) ? missing(id, e) : 0;
}
