#include "store/sqlite/job_scan.h"

#include "store/sqlite/job_row.h"

#define ALL_STATES   ((1u << JOB_STATE_MAX_) - 1)
#define SUCCEEDED    (1u << JOB_SUCCEEDED)
#define QUEUED       (1u << JOB_QUEUED)
#define FAILED       (1u << JOB_FAILED)
#define FINAL_STATES (SUCCEEDED | FAILED | 1u << JOB_CANCELED)

/* ?1 and ?2: the bounds of the id, neither of them included. ?3, ?4: what is looked up. */
#define COLUMNS                                                                                \
    "SELECT job.id, job.id_rand, job.state, job.queue, job.function, job.name, job.tenant,"    \
    " job.created_by, job.attempt, job.priority, job.queued_at_us, job.started_at_us,"         \
    " job.finished_at_us, job.updated_at_us, job.batch_key, job.batch_rand,"                   \
    " job.fingerprint FROM "
#define BETWEEN "job.id > ?1 AND job.id < ?2"

#define SCAN_JOBS(order) COLUMNS "job WHERE " BETWEEN " ORDER BY id " order
#define SCAN_QUEUED(order)                                                                     \
    COLUMNS "job INDEXED BY job_ready WHERE state = 'queued' AND " BETWEEN                     \
            " ORDER BY "                                                                       \
            "id " order
#define SCAN_IN(name, order)                                                                   \
    COLUMNS "job INDEXED BY job_by_state WHERE state = '" name                                 \
            "' AND state <> 'succeeded' AND state <> 'queued' AND " BETWEEN                    \
            " ORDER BY id " order
#define SCAN_NAMED(order)                                                                      \
    COLUMNS "job INDEXED BY job_by_name WHERE name = ?3 AND " BETWEEN " ORDER BY id " order
#define SCAN_LABELLED(order)                                                                   \
    COLUMNS                                                                                    \
    "job_label AS l CROSS JOIN job ON job.id = l.job_id"                                       \
    " WHERE l.name = ?3 AND l.value = ?4 AND l.job_id > ?1 AND l.job_id < ?2"                  \
    " ORDER BY l.job_id " order

#define SCAN_BATCH(order)                                                                      \
    COLUMNS "job INDEXED BY job_by_batch WHERE batch_key = ?3 AND " BETWEEN                    \
            " ORDER BY id " order
#define SCAN_KIND(order)                                                                       \
    COLUMNS "job INDEXED BY job_by_fingerprint WHERE fingerprint = ?3 AND " BETWEEN            \
            " ORDER BY id " order

/* Each downward and upward; each its own text, because several are open at once. */
/* clang-format off */
static const char *const all_sql[] = { SCAN_JOBS("DESC"), SCAN_JOBS("ASC") };
static const char *const named_sql[] = { SCAN_NAMED("DESC"), SCAN_NAMED("ASC") };
static const char *const labelled_sql[] = { SCAN_LABELLED("DESC"), SCAN_LABELLED("ASC") };
static const char *const batch_sql[] = { SCAN_BATCH("DESC"), SCAN_BATCH("ASC") };
static const char *const kind_sql[] = { SCAN_KIND("DESC"), SCAN_KIND("ASC") };
static const char *const state_sql[JOB_STATE_MAX_][2] = {
    [JOB_SCHEDULED] = { SCAN_IN("scheduled", "DESC"), SCAN_IN("scheduled", "ASC") },
    [JOB_QUEUED]    = { SCAN_QUEUED("DESC"),          SCAN_QUEUED("ASC") },
    [JOB_RUNNING]   = { SCAN_IN("running", "DESC"),   SCAN_IN("running", "ASC") },
    [JOB_CANCELING] = { SCAN_IN("canceling", "DESC"), SCAN_IN("canceling", "ASC") },
    [JOB_FAILED]    = { SCAN_IN("failed", "DESC"),    SCAN_IN("failed", "ASC") },
    [JOB_CANCELED]  = { SCAN_IN("canceled", "DESC"),  SCAN_IN("canceled", "ASC") },
};
/* clang-format on */

static const char COUNT_QUEUED[] =
    "SELECT count(*) FROM (SELECT 1 FROM job INDEXED BY job_ready"
    " WHERE state = 'queued' LIMIT ?1)";

void scan_fini(struct scan *scan)
{
    for (size_t i = 0; i < scan->count; i++)
        (void)stmt_free(scan->cursors[i].stmt);
    *scan = (struct scan){ 0 };
}

static int cursor_step(struct scan_cursor *c, struct errinfo *e)
{
    int r;

    r = stmt_step(c->stmt, e);
    if (r < 0)
        return r;
    c->key = r > 0 ? stmt_col_i64(c->stmt, SCAN_ID) : 0;
    return 0;
}

/* What the statements above are given. */
struct bounds {
    int64_t above;
    int64_t below;
    const char *name;
    const char *value; /* bound when it is not NULL, as name is */
    int64_t number;    /* bound instead of name when it is not 0 */
};

static int scan_add(struct scan *scan, struct db *db, const char *const sql[2],
                    const struct bounds *b, struct errinfo *e)
{
    struct scan_cursor *c = &scan->cursors[scan->count];
    int r;

    r = stmt_get(db, sql[scan->ascending], &c->stmt, e);
    if (r < 0)
        return r;
    scan->count++;
    stmt_i64(c->stmt, 1, b->above);
    stmt_i64(c->stmt, 2, b->below);
    if (b->number)
        stmt_i64(c->stmt, 3, b->number);
    else if (b->name)
        stmt_text(c->stmt, 3, b->name);
    if (b->value)
        stmt_text(c->stmt, 4, b->value);
    return cursor_step(c, e);
}

/* Returns 1 or 0. */
static int many_queued(struct db *db, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, COUNT_QUEUED, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, STORE_LIST_SCAN_MAX + 1);
    r = stmt_step(s, e);
    return r <= 0 ? r : stmt_col_i64(s, 0) > STORE_LIST_SCAN_MAX;
}

/* Those that jobs which pass can be in. */
static unsigned states_of(const struct store_filter *filter)
{
    unsigned states = filter->states ? filter->states & ALL_STATES : ALL_STATES;

    if (filter->cause != CAUSE_NONE || filter->fingerprint)
        states &= FAILED;
    if (filter->finished_after_us || filter->finished_before_us)
        states &= FINAL_STATES;
    return states;
}

static struct bounds bounds_of(const struct store_filter *filter, bool ascending,
                               int64_t from_key)
{
    struct bounds b = { .above = 0, .below = INT64_MAX };

    if (filter->created_after_us)
        b.above = uuid7_key_at(filter->created_after_us) - 1;
    if (filter->created_before_us)
        b.below = uuid7_key_at(filter->created_before_us);
    if (from_key && ascending && from_key > b.above)
        b.above = from_key;
    if (from_key && !ascending && from_key < b.below)
        b.below = from_key;
    return b;
}

static int scan_states(struct scan *scan, struct db *db, unsigned states,
                       const struct bounds *b, struct errinfo *e)
{
    int r;

    if (states & SUCCEEDED)
        return scan_add(scan, db, all_sql, b, e);
    r = states & QUEUED ? many_queued(db, e) : 0;
    if (r != 0)
        return r < 0 ? r : scan_add(scan, db, all_sql, b, e);
    for (int state = 0; state < JOB_STATE_MAX_; state++) {
        if (!(states & 1u << state))
            continue;
        r = scan_add(scan, db, state_sql[state], b, e);
        if (r < 0)
            return r;
    }
    return 0;
}

int scan_init(struct scan *scan, struct db *db, const struct store_filter *filter,
              bool ascending, int64_t from_key, struct errinfo *e)
{
    struct bounds b = bounds_of(filter, ascending, from_key);

    scan->ascending = ascending;
    b.number = filter->fingerprint;
    if (b.number)
        return scan_add(scan, db, kind_sql, &b, e);
    if (filter->batch.hi) {
        b.number = uuid7_key(filter->batch);
        if (b.number == 0)
            b.number = -1; /* the batch of no job */
        return scan_add(scan, db, batch_sql, &b, e);
    }
    if (filter->label_count > 0) {
        b.name = filter->labels[0].name;
        b.value = filter->labels[0].value;
        return scan_add(scan, db, labelled_sql, &b, e);
    }
    if (filter->name) {
        b.name = filter->name;
        return scan_add(scan, db, named_sql, &b, e);
    }
    return scan_states(scan, db, states_of(filter), &b, e);
}

static bool is_before(const struct scan *scan, const struct scan_cursor *a,
                      const struct scan_cursor *b)
{
    if (a->key == 0 || b->key == 0)
        return a->key != 0;
    return scan->ascending ? a->key < b->key : a->key > b->key;
}

int scan_next(struct scan *scan, struct errinfo *e)
{
    struct scan_cursor *first = &scan->cursors[0];
    int r;

    if (scan->current) {
        r = cursor_step(scan->current, e);
        if (r < 0)
            return r;
    }
    for (size_t i = 1; i < scan->count; i++)
        if (is_before(scan, &scan->cursors[i], first))
            first = &scan->cursors[i];
    scan->current = first->key != 0 ? first : NULL;
    return scan->current != NULL;
}
