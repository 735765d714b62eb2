/* A page of jobs, with bounded work.
 *
 * In the order of the ids the scan is in the page's order, and rows that pass are fetched as
 * they come. In any other order all rows that pass are gathered, key and value only, and
 * sorted: no index is kept for it, which every job would have to pay for (docs/adr/0014). Jobs
 * are fetched whole in the snapshot of the scan.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/sqlite/job_row.h"
#include "store/sqlite/job_scan.h"
#include "store/sqlite/sq.h"

/* What is being put together. */
struct filling {
    struct db *db; /* the snapshot */
    struct store_page page;
    size_t capacity;
    size_t bytes; /* of payloads */
};

static bool is_full(const struct filling *f, size_t limit)
{
    return f->page.count >= limit || f->bytes >= STORE_LIST_BYTES_MAX;
}

static int add_job(struct filling *f, int64_t key, struct errinfo *e)
{
    struct job *job;
    int r;

    if (f->page.count == f->capacity) {
        f->capacity = f->capacity ? 2 * f->capacity : 16;
        f->page.items = mem_resize(f->page.items, f->capacity, sizeof *f->page.items);
    }
    job = &f->page.items[f->page.count++];
    *job = (struct job){ 0 };
    r = job_row_find_key(f->db, key, job, e);
    if (r < 0)
        return r;
    f->bytes += job->payload_len;
    return job_row_outcome(f->db, 0, job, e);
}

/* -- by id ----------------------------------------------------------------------------------
 */

/* Look for one match beyond a full page, so that its position is given only when there is more.
 */
static int fill(struct filling *f, struct scan *scan, const struct store_query *q,
                struct errinfo *e)
{
    int64_t last_key = 0;
    size_t rows = 0;
    int r;

    while ((r = scan_next(scan, e)) > 0) {
        if (rows++ == STORE_LIST_SCAN_MAX)
            break;
        r = scan_passes(scan, f->db, &q->filter, e);
        if (r < 0)
            return r;
        if (r > 0 && is_full(f, q->limit))
            break;
        last_key = scan->current->key;
        if (r == 0)
            continue;
        r = add_job(f, last_key, e);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return r;
    if (scan->current)
        f->page.next.key = last_key;
    return 0;
}

/* -- by what they are sorted by -------------------------------------------------------------
 */

struct gathered {
    struct store_position *items;
    size_t count;
    size_t capacity;
};

static void gathered_fini(struct gathered *g)
{
    free(g->items);
}
DEFINE_AUTO_FINI(gathered, struct gathered)

/* What has not happened is later than anything upward, and earlier downward: it comes last. */
static int64_t value_of(struct stmt *s, enum store_sort sort, bool ascending)
{
    static const enum scan_column columns[STORE_SORT_MAX_] = {
        [STORE_BY_CREATED] = SCAN_ID,           [STORE_BY_PRIORITY] = SCAN_PRIORITY,
        [STORE_BY_QUEUED] = SCAN_QUEUED_AT,     [STORE_BY_STARTED] = SCAN_STARTED_AT,
        [STORE_BY_FINISHED] = SCAN_FINISHED_AT, [STORE_BY_UPDATED] = SCAN_UPDATED_AT,
    };
    int64_t value = stmt_col_i64(s, (int)columns[sort]);

    return value == 0 && ascending && sort != STORE_BY_PRIORITY ? INT64_MAX : value;
}

static int compare(const void *a, const void *b)
{
    const struct store_position *x = a;
    const struct store_position *y = b;

    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

static void gather_row(struct gathered *g, const struct scan *scan, const struct store_query *q)
{
    if (g->count == g->capacity) {
        g->capacity = g->capacity ? 2 * g->capacity : 64;
        g->items = mem_resize(g->items, g->capacity, sizeof *g->items);
    }
    g->items[g->count++] = (struct store_position){
        .value = value_of(scan->current->stmt, q->sort, q->ascending),
        .key = scan->current->key,
    };
}

/* All that pass, in ascending order. */
static int gather(struct gathered *g, struct scan *scan, struct db *db,
                  const struct store_query *q, struct errinfo *e)
{
    size_t rows = 0;
    int r;

    while ((r = scan_next(scan, e)) > 0) {
        if (rows++ == STORE_LIST_SCAN_MAX)
            return err_set(e, ERR_SORT_TOO_LARGE,
                           "more than %d jobs would have to be looked at to sort them",
                           STORE_LIST_SCAN_MAX);
        r = scan_passes(scan, db, &q->filter, e);
        if (r < 0)
            return r;
        if (r > 0)
            gather_row(g, scan, q);
    }
    if (r == 0 && g->count > 1)
        qsort(g->items, g->count, sizeof *g->items, compare);
    return r;
}

static int fill_sorted(struct filling *f, const struct gathered *g, const struct store_query *q,
                       struct errinfo *e)
{
    for (size_t i = 0; i < g->count; i++) {
        const struct store_position *at = &g->items[q->ascending ? i : g->count - 1 - i];
        int order = compare(at, &q->from);
        int r;

        if (q->from.key != 0 && (q->ascending ? order <= 0 : order >= 0))
            continue; /* on a page before */
        if (is_full(f, q->limit))
            return 0;
        r = add_job(f, at->key, e);
        if (r < 0)
            return r;
        f->page.next = *at;
    }
    f->page.next = (struct store_position){ 0 };
    return 0;
}

static int read_sorted(struct filling *f, struct scan *scan, const struct store_query *q,
                       struct errinfo *e)
{
    AUTO_FINI(gathered) struct gathered g = { 0 };
    int r;

    r = gather(&g, scan, f->db, q, e);
    return r < 0 ? r : fill_sorted(f, &g, q, e);
}

/* -- the backend ----------------------------------------------------------------------------
 */

int sq_read_jobs(struct store_reader *rd, const struct store_query *query,
                 struct store_page *ret_page, struct errinfo *e)
{
    AUTO(snapshot) struct db *snap = NULL;
    AUTO_FINI(scan) struct scan scan = { 0 };
    struct filling f = { 0 };
    bool by_id = query->sort == STORE_BY_CREATED;
    int r;

    assert(query->limit >= 1 && query->limit <= STORE_LIST_MAX);
    r = snapshot_begin(sq_reader_db(rd), &snap, e);
    if (r < 0)
        return r;
    f.db = snap;
    r = scan_init(&scan, snap, &query->filter, query->ascending, by_id ? query->from.key : 0,
                  e);
    if (r == 0)
        r = by_id ? fill(&f, &scan, query, e) : read_sorted(&f, &scan, query, e);
    if (r < 0) {
        store_page_fini(&f.page);
        return r;
    }
    *ret_page = f.page;
    return 0;
}

int sq_read_job_count(struct store_reader *rd, const struct store_filter *filter,
                      int64_t *ret_count, bool *ret_exact, struct errinfo *e)
{
    AUTO(snapshot) struct db *snap = NULL;
    AUTO_FINI(scan) struct scan scan = { 0 };
    int64_t count = 0;
    size_t rows = 0;
    int r;

    r = snapshot_begin(sq_reader_db(rd), &snap, e);
    if (r == 0)
        r = scan_init(&scan, snap, filter, false, 0, e);
    while (r >= 0 && rows < STORE_COUNT_SCAN_MAX && (r = scan_next(&scan, e)) > 0) {
        rows++;
        r = scan_passes(&scan, snap, filter, e);
        count += r > 0;
    }
    if (r < 0)
        return r;
    *ret_count = count;
    *ret_exact = rows < STORE_COUNT_SCAN_MAX;
    return 0;
}
