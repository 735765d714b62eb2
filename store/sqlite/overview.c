/* Questions about all jobs: what is due next, who owns what, how many wait. */
#include <stdlib.h>

#include "base/mem.h"
#include "store/sqlite/job_row.h"
#include "store/sqlite/sq.h"

static const char NEXT_DUE[] =
    "SELECT scheduled_at_us FROM job INDEXED BY job_due"
    " WHERE state = 'scheduled' ORDER BY scheduled_at_us LIMIT 1";
static const char COUNT_QUEUED[] =
    "SELECT count(*) FROM job INDEXED BY job_ready WHERE state = 'queued'";
static const char COUNT_SCHEDULED[] =
    "SELECT count(*) FROM job INDEXED BY job_due WHERE state = 'scheduled'";
static const char COUNT_QUEUED_IN[] =
    "SELECT count(*) FROM job INDEXED BY job_ready WHERE state = 'queued' AND queue = ?1";
static const char COUNT_SCHEDULED_IN[] =
    "SELECT count(*) FROM job INDEXED BY job_due WHERE state = 'scheduled' AND queue = ?1";
static const char OWNED_RUNNING[] =
    "SELECT id, id_rand, state, attempt, worker_id, started_at_us FROM job INDEXED BY "
    "job_by_state"
    " WHERE state = 'running' AND state <> 'succeeded' AND state <> 'queued' ORDER BY id";
static const char OWNED_CANCELING[] =
    "SELECT id, id_rand, state, attempt, worker_id, started_at_us FROM job INDEXED BY "
    "job_by_state"
    " WHERE state = 'canceling' AND state <> 'succeeded' AND state <> 'queued' ORDER BY id";
static const char PING[] = "SELECT 1 FROM ledger WHERE one = 1";

int sq_next_due(struct store *st, usec_t *ret_at_us, struct errinfo *e)
{
    return stmt_number(sq_of(st)->db, NEXT_DUE, ret_at_us, e);
}

int sq_count_waiting(struct store *st, int64_t *ret_count, struct errinfo *e)
{
    int64_t queued;
    int64_t scheduled;
    int r;

    r = stmt_number(sq_of(st)->db, COUNT_QUEUED, &queued, e);
    if (r < 0)
        return r;
    r = stmt_number(sq_of(st)->db, COUNT_SCHEDULED, &scheduled, e);
    if (r < 0)
        return r;
    *ret_count = queued + scheduled;
    return 0;
}

static int count_in(struct db *db, const char *sql, const char *queue, int64_t *count,
                    struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, sql, &s, e);
    if (r < 0)
        return r;
    stmt_text(s, 1, queue);
    r = stmt_step(s, e);
    if (r > 0)
        *count += stmt_col_i64(s, 0);
    return r < 0 ? r : 0;
}

int sq_count_waiting_in(struct store *st, const char *queue, int64_t *ret_count,
                        struct errinfo *e)
{
    struct db *db = sq_of(st)->db;
    int64_t count = 0;
    int r;

    r = count_in(db, COUNT_QUEUED_IN, queue, &count, e);
    if (r == 0)
        r = count_in(db, COUNT_SCHEDULED_IN, queue, &count, e);
    if (r == 0)
        *ret_count = count;
    return r;
}

int sq_last_key(struct store *st, int64_t *ret_key, struct errinfo *e)
{
    (void)e;
    *ret_key = sq_of(st)->ledger.last_key;
    return 0;
}

struct owned_list {
    struct store_owned *items;
    size_t count;
    size_t capacity;
};

static struct store_owned *owned_add(struct owned_list *list)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 16;
        list->items = mem_resize(list->items, list->capacity, sizeof *list->items);
    }
    return &list->items[list->count++];
}

static int add_owned(struct db *db, const char *sql, struct owned_list *list, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, sql, &s, e);
    if (r < 0)
        return r;
    while ((r = stmt_step(s, e)) > 0) {
        struct store_owned *owned = owned_add(list);

        owned->id = row_id(s, 0);
        owned->attempt = stmt_col_int(s, 3);
        owned->worker_id = stmt_col_i64(s, 4);
        owned->started_at_us = stmt_col_i64(s, 5);
        r = row_state(s, 2, &owned->state, e);
        if (r < 0)
            return r;
    }
    return r;
}

int sq_jobs_owned(struct store *st, struct store_owned **ret_items, struct errinfo *e)
{
    struct db *db = sq_of(st)->db;
    struct owned_list list = { 0 };
    int r;

    r = add_owned(db, OWNED_RUNNING, &list, e);
    if (r == 0)
        r = add_owned(db, OWNED_CANCELING, &list, e);
    if (r < 0) {
        free(list.items);
        return r;
    }
    *ret_items = list.items;
    return (int)list.count;
}

int sq_read_ping(struct store_reader *rd, struct errinfo *e)
{
    int64_t one = 0;
    int r;

    r = stmt_number(sq_reader_db(rd), PING, &one, e);
    if (r < 0)
        return r;
    return one == 1 ? 0 : err_set(e, ERR_DATABASE, "the table ledger is empty");
}
