/* store/sqlite/reader.h - read-only connections, lent to any thread for one read at a time.
 *
 * Internal to store/sqlite/. There are as many as were ever lent at once; the last one given
 * back is lent first, so that its statements and pages are warm. Each has a cache of 0.5 to 16
 * MiB, as the file is large.
 */
#ifndef JOBD_STORE_SQLITE_READER_H
#define JOBD_STORE_SQLITE_READER_H

#include <pthread.h>

#include "base/err.h"

struct sq_reader;
struct store;
struct store_reader;

struct reader_pool {
    /* Guards idle and lent. A leaf: nothing else is locked, and no SQL is run, while it is
     * held. */
    pthread_mutex_t mutex;
    struct sq_reader *idle;
    unsigned lent;
    char *path; /* of the database file */
};

/* path is copied. */
void reader_pool_init(struct reader_pool *pool, const char *path);
/* Close all; none may be lent. A zeroed pool is fine. */
void reader_pool_fini(struct reader_pool *pool);

int sq_reader_get(struct store *st, struct store_reader **ret_reader, struct errinfo *e);
void sq_reader_put(struct store *st, struct store_reader *rd);
void sq_reader_see(struct store_reader *rd, const char *tenant);

#endif
