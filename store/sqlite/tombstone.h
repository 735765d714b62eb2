/* store/sqlite/tombstone.h - a job that is not there, and whether there was one. Internal to
 * store/sqlite/; any connection. */
#ifndef JOBD_STORE_SQLITE_TOMBSTONE_H
#define JOBD_STORE_SQLITE_TOMBSTONE_H

#include "base/err.h"
#include "base/uuid7.h"

struct db;

/* The error for a job that was not found: ERR_JOB_EXPIRED when it has a tombstone, else
 * ERR_JOB_NOT_FOUND, or that of the database. */
int tombstone_missing(struct db *db, struct uuid7 id, struct errinfo *e);
/* ERR_JOB_NOT_FOUND, as for a job that has never been there. */
int tombstone_never(struct uuid7 id, struct errinfo *e);

#endif
