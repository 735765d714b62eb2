/* Whether a row of a scan passes the filter: what costs least is asked first. */
#include <string.h>

#include "base/text.h"
#include "store/sqlite/job_labels.h"
#include "store/sqlite/job_row.h"
#include "store/sqlite/job_scan.h"
#include "store/sqlite/sq.h"

static const char CAUSE_OF[] = "SELECT cause FROM attempt WHERE job_id = ?1 AND number = ?2";

/* wanted NULL: whatever it is. A column that is NULL counts as "". */
static bool is_text(struct stmt *s, enum scan_column column, const char *wanted)
{
    const char *is;

    if (!wanted)
        return true;
    is = stmt_col_text(s, (int)column);
    return text_equal(is ? is : "", wanted);
}

/* Not as is_text(): an exact name is one. */
static bool is_name(struct stmt *s, const struct store_filter *f)
{
    const char *name;

    if (!f->name && !f->name_prefix)
        return true;
    name = stmt_col_text(s, SCAN_NAME);
    if (!name || (f->name && !text_equal(name, f->name)))
        return false;
    return !f->name_prefix || text_starts(name, f->name_prefix, NULL);
}

static bool has_text(struct stmt *s, const char *text)
{
    const char *name;
    char id[UUID7_TEXT_SIZE];

    if (!text)
        return true;
    name = stmt_col_text(s, SCAN_NAME);
    if (name && strcasestr(name, text))
        return true;
    return strcasestr(uuid7_format(row_id(s, SCAN_ID), id), text) != NULL;
}

static bool finished_between(struct stmt *s, const struct store_filter *f)
{
    usec_t at_us;

    if (!f->finished_after_us && !f->finished_before_us)
        return true;
    at_us = stmt_col_i64(s, SCAN_FINISHED_AT);
    return at_us != 0 && at_us >= f->finished_after_us &&
           (!f->finished_before_us || at_us < f->finished_before_us);
}

static bool is_of_group(struct stmt *s, const struct store_filter *f)
{
    if (f->batch.hi && (stmt_col_i64(s, SCAN_BATCH_KEY) != uuid7_key(f->batch) ||
                        stmt_col_i64(s, SCAN_BATCH_RAND) != uuid7_rand(f->batch)))
        return false;
    return !f->fingerprint || stmt_col_i64(s, SCAN_FINGERPRINT) == f->fingerprint;
}

static int has_cause(struct stmt *row, struct db *db, enum cause cause, struct errinfo *e)
{
    AUTO_FINI(outcome) struct outcome last = { 0 };
    AUTO(stmt) struct stmt *s = NULL;
    struct sq_owner owner;
    const char *is;
    int r;

    r = sq_last_outcome(db, stmt_col_i64(row, SCAN_ID), &last, &owner, e);
    if (r != 0)
        return r < 0 ? r : last.cause == cause;
    r = stmt_get(db, CAUSE_OF, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, stmt_col_i64(row, SCAN_ID));
    stmt_i64(s, 2, stmt_col_i64(row, SCAN_ATTEMPT));
    r = stmt_step(s, e);
    if (r <= 0)
        return r;
    is = stmt_col_text(s, 0);
    return is && text_equal(is, cause_meta(cause)->slug);
}

/* The first one, too: the scan may have come another way. */
static int has_labels(struct stmt *row, struct db *db, const struct store_filter *f,
                      struct errinfo *e)
{
    int r = 1;

    for (size_t i = 0; i < f->label_count && r > 0; i++)
        r = job_labels_have(db, stmt_col_i64(row, SCAN_ID), f->labels[i].name,
                            f->labels[i].value, e);
    return r;
}

int scan_passes(const struct scan *scan, struct db *db, const struct store_filter *f,
                struct errinfo *e)
{
    struct stmt *s = scan->current->stmt;
    enum job_state state;
    int r;

    r = row_state(s, SCAN_STATE, &state, e);
    if (r < 0)
        return r;
    if (f->states && !(f->states & 1u << state))
        return 0;
    if (!is_text(s, SCAN_TENANT, f->tenant) || !is_text(s, SCAN_QUEUE, f->queue) ||
        !is_text(s, SCAN_FUNCTION, f->function) ||
        !is_text(s, SCAN_CREATED_BY, f->created_by) || !is_name(s, f) ||
        !has_text(s, f->text) || !finished_between(s, f) || !is_of_group(s, f))
        return 0;
    if (f->cause != CAUSE_NONE) {
        r = state == JOB_FAILED ? has_cause(s, db, f->cause, e) : 0;
        if (r <= 0)
            return r;
    }
    return has_labels(s, db, f, e);
}
