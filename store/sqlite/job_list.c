/* A page of jobs, newest first, with bounded work.
 *
 * A scan gives the ids, newest first, with what the filter looks at. When `succeeded` is asked
 * for it walks the table downward. Else it opens a cursor for each wanted state and takes the
 * newest of their heads each time (a merge: one statement over several states would sort them
 * all). The cursors walk the index job_by_state; queued jobs are in the index job_ready, in
 * another order, and are sorted when there are few, else the table is walked for them too: they
 * are then many. The rows that match are fetched whole, in the same snapshot.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "store/sqlite/job_row.h"
#include "store/sqlite/sq.h"

#define ALL_STATES ((1u << JOB_STATE_MAX_) - 1)
#define SUCCEEDED  (1u << JOB_SUCCEEDED)
#define QUEUED     (1u << JOB_QUEUED)

#define SCAN_COLUMNS "id, state, queue, function"
#define SCAN_STATE(name)                                                                       \
    "SELECT " SCAN_COLUMNS                                                                     \
    " FROM job INDEXED BY job_by_state"                                                        \
    " WHERE state = '" name                                                                    \
    "' AND state <> 'succeeded' AND state <> 'queued' AND id < ?1"                             \
    " ORDER BY id DESC"

static const char SCAN_ALL[] =
    "SELECT " SCAN_COLUMNS " FROM job WHERE id < ?1 ORDER BY id DESC";
/* Each its own text, because several are open at once. */
static const char SCAN_SCHEDULED[] = SCAN_STATE("scheduled");
static const char SCAN_QUEUED[] = "SELECT " SCAN_COLUMNS
                                  " FROM job INDEXED BY job_ready"
                                  " WHERE state = 'queued' AND id < ?1 ORDER BY id DESC";
static const char SCAN_RUNNING[] = SCAN_STATE("running");
static const char SCAN_CANCELING[] = SCAN_STATE("canceling");
static const char SCAN_FAILED[] = SCAN_STATE("failed");
static const char SCAN_CANCELED[] = SCAN_STATE("canceled");

static const char COUNT_QUEUED[] =
    "SELECT count(*) FROM (SELECT 1 FROM job INDEXED BY job_ready"
    " WHERE state = 'queued' LIMIT ?1)";

static const char *const scan_sql[JOB_STATE_MAX_] = {
    [JOB_SCHEDULED] = SCAN_SCHEDULED, [JOB_QUEUED] = SCAN_QUEUED,
    [JOB_RUNNING] = SCAN_RUNNING,     [JOB_CANCELING] = SCAN_CANCELING,
    [JOB_FAILED] = SCAN_FAILED,       [JOB_CANCELED] = SCAN_CANCELED,
};

struct cursor {
    struct stmt *stmt;
    int64_t key; /* of the row under it; 0: no more rows */
};

struct scan {
    struct cursor cursors[JOB_STATE_MAX_];
    size_t count;
    struct cursor *current; /* whose row was given last; NULL at first */
};

static void scan_fini(struct scan *scan)
{
    for (size_t i = 0; i < scan->count; i++)
        (void)stmt_free(scan->cursors[i].stmt);
}
DEFINE_AUTO_FINI(scan, struct scan)

static int cursor_step(struct cursor *c, struct errinfo *e)
{
    int r;

    r = stmt_step(c->stmt, e);
    if (r < 0)
        return r;
    c->key = r > 0 ? stmt_col_i64(c->stmt, 0) : 0;
    return 0;
}

static int scan_add(struct scan *scan, struct db *db, const char *sql, int64_t before_key,
                    struct errinfo *e)
{
    struct cursor *c = &scan->cursors[scan->count];
    int r;

    r = stmt_get(db, sql, &c->stmt, e);
    if (r < 0)
        return r;
    scan->count++;
    stmt_i64(c->stmt, 1, before_key);
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

static int scan_init(struct scan *scan, struct db *db, unsigned states, int64_t before_key,
                     struct errinfo *e)
{
    int r;

    if (states & SUCCEEDED)
        return scan_add(scan, db, SCAN_ALL, before_key, e);
    r = states & QUEUED ? many_queued(db, e) : 0;
    if (r != 0)
        return r < 0 ? r : scan_add(scan, db, SCAN_ALL, before_key, e);
    for (int state = 0; state < JOB_STATE_MAX_; state++) {
        if (!(states & 1u << state))
            continue;
        r = scan_add(scan, db, scan_sql[state], before_key, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Go to the next row: returns 1, and 0 when there is none. */
static int scan_next(struct scan *scan, struct errinfo *e)
{
    struct cursor *newest = &scan->cursors[0];
    int r;

    if (scan->current) {
        r = cursor_step(scan->current, e);
        if (r < 0)
            return r;
    }
    for (size_t i = 1; i < scan->count; i++)
        if (scan->cursors[i].key > newest->key)
            newest = &scan->cursors[i];
    scan->current = newest;
    return newest->key > 0;
}

/* Returns 1 when the row under the scan passes the filter, 0 when not. */
static int matches(const struct scan *scan, const struct store_filter *f, unsigned states,
                   struct errinfo *e)
{
    struct stmt *s = scan->current->stmt;
    const char *function;
    enum job_state state;
    int r;

    r = row_state(s, 1, &state, e);
    if (r < 0)
        return r;
    if (!(states & 1u << state))
        return 0;
    if (f->queue && !text_equal(stmt_col_text(s, 2), f->queue))
        return 0;
    if (!f->function)
        return 1;
    function = stmt_col_text(s, 3);
    return text_equal(function ? function : "", f->function);
}

/* What is being put together. */
struct filling {
    struct store_page page;
    size_t capacity;
    size_t bytes; /* of payloads */
    size_t rows;  /* looked at */
};

static bool is_full(const struct filling *f, size_t limit)
{
    return f->page.count >= limit || f->bytes >= STORE_LIST_BYTES_MAX;
}

static int add_job(struct filling *f, struct db *db, int64_t key, struct errinfo *e)
{
    struct job *job;
    int r;

    if (f->page.count == f->capacity) {
        f->capacity = f->capacity ? 2 * f->capacity : 16;
        f->page.items = mem_resize(f->page.items, f->capacity, sizeof *f->page.items);
    }
    job = &f->page.items[f->page.count++];
    *job = (struct job){ 0 };
    r = job_row_find_key(db, key, job, e);
    if (r < 0)
        return r;
    f->bytes += job->payload_len;
    return job_row_outcome(db, 0, job, e);
}

/* Look for one match beyond a full page, so that its cursor is given only when there is more.
 */
static int fill(struct filling *f, struct db *db, struct scan *scan,
                const struct store_filter *filter, unsigned states, struct errinfo *e)
{
    int64_t last_key = 0;
    int r;

    while ((r = scan_next(scan, e)) > 0) {
        if (f->rows++ == STORE_LIST_SCAN_MAX)
            break;
        r = matches(scan, filter, states, e);
        if (r < 0)
            return r;
        if (r > 0 && is_full(f, filter->limit))
            break;
        last_key = scan->current->key;
        if (r == 0)
            continue;
        r = add_job(f, db, last_key, e);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return r;
    f->page.next_before_key = scan->current->key > 0 ? last_key : 0;
    return 0;
}

int sq_read_jobs(struct store_reader *rd, const struct store_filter *filter,
                 struct store_page *ret_page, struct errinfo *e)
{
    AUTO(snapshot) struct db *snap = NULL;
    AUTO_FINI(scan) struct scan scan = { 0 };
    struct filling f = { 0 };
    unsigned states = filter->states ? filter->states & ALL_STATES : ALL_STATES;
    int r;

    assert(states && filter->limit >= 1 && filter->limit <= STORE_LIST_MAX);
    r = snapshot_begin(sq_reader_db(rd), &snap, e);
    if (r < 0)
        return r;
    r = scan_init(&scan, snap, states, filter->before_key ? filter->before_key : INT64_MAX, e);
    if (r == 0)
        r = fill(&f, snap, &scan, filter, states, e);
    if (r < 0) {
        store_page_fini(&f.page);
        return r;
    }
    *ret_page = f.page;
    return 0;
}
