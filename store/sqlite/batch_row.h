/* store/sqlite/batch_row.h - from rows to struct batch. Internal to store/sqlite/. */
#ifndef JOBD_STORE_SQLITE_BATCH_ROW_H
#define JOBD_STORE_SQLITE_BATCH_ROW_H

#include "domain/batch.h"
#include "store/sqlite/db.h"
#include "store/sqlite/stmt.h"

/* The columns that batch_row_read() wants, from 0 on. */
#define BATCH_COLUMNS                                                                          \
    "id, id_rand, state, version, change_seq, closed, failure_policy, max_concurrency,"        \
    " array_size, array_made, scheduled, queued, running, canceling, succeeded, failed,"       \
    " canceled, stop, sweep_key, specs, called, error_groups, created_at_us, started_at_us,"   \
    " finished_at_us, updated_at_us, cancel_requested_at_us, tenant, created_by, name, "       \
    "reason,"                                                                                  \
    " labels"

/* Fill a zeroed batch from the row under s. On failure it is only to be ended. */
int batch_row_read(struct stmt *s, struct batch *b, struct errinfo *e);
/* Find one by both parts of its id, into a zeroed struct. ERR_BATCH_NOT_FOUND. */
int batch_row_find(struct db *db, struct uuid7 id, struct batch *b, struct errinfo *e);

#endif
