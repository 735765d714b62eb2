/* store/sqlite/job_scan.h - the rows that a filter may let pass, in the order of their ids.
 *
 * Internal to store/sqlite/. The narrowest way to them is chosen: the jobs of a batch, those
 * whose failure is of a kind, those with one of the wanted labels, those with the wanted name,
 * those in rare states, else all. When `succeeded`
 * is asked for that is the table. Else a cursor for each wanted state walks the index
 * job_by_state, and the first of their heads is next (a merge: one statement over several
 * states would sort them all). Queued jobs are in the index job_ready, in another order, and
 * are sorted when there are few; else the table is walked for them too: they are then many.
 *
 * One snapshot; plain data, ended by scan_fini().
 */
#ifndef JOBD_STORE_SQLITE_JOB_SCAN_H
#define JOBD_STORE_SQLITE_JOB_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/err.h"
#include "store/sqlite/db.h"
#include "store/sqlite/stmt.h"
#include "store/store.h"

/* The columns of each row. */
enum scan_column {
    SCAN_ID,
    SCAN_ID_RAND,
    SCAN_STATE,
    SCAN_QUEUE,
    SCAN_FUNCTION,
    SCAN_NAME,
    SCAN_TENANT,
    SCAN_CREATED_BY,
    SCAN_ATTEMPT,
    SCAN_PRIORITY,
    SCAN_QUEUED_AT,
    SCAN_STARTED_AT,
    SCAN_FINISHED_AT,
    SCAN_UPDATED_AT,
    SCAN_BATCH_KEY,
    SCAN_BATCH_RAND,
    SCAN_FINGERPRINT,
};

struct scan_cursor {
    struct stmt *stmt;
    int64_t key; /* of the row under it; 0: no more rows */
};

/* Zeroed: nothing. */
struct scan {
    bool ascending;
    struct scan_cursor cursors[JOB_STATE_MAX_];
    size_t count;
    struct scan_cursor *current; /* whose row was given last; NULL at first and at the end */
};

/* Rows behind from_key; 0: all. */
int scan_init(struct scan *scan, struct db *db, const struct store_filter *filter,
              bool ascending, int64_t from_key, struct errinfo *e);
void scan_fini(struct scan *scan);
DEFINE_AUTO_FINI(scan, struct scan)

/* Go to the next row: returns 1, and 0 when there is none. */
int scan_next(struct scan *scan, struct errinfo *e);

/* Whether the row under the scan passes the filter: 1 or 0. */
int scan_passes(const struct scan *scan, struct db *db, const struct store_filter *filter,
                struct errinfo *e);

#endif
