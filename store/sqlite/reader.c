#include "store/sqlite/reader.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "store/sqlite/sq.h"

#define MIB                (INT64_C(1) << 20)
#define LOOK_AT_SIZE_EVERY 4096 /* times that a reader is lent */

/* A 300th of the file are inner pages of its tables: a cache has room for these, and for as
 * many others. Then to look up a job costs one page. */
static const struct {
    int64_t file_bytes; /* up to here */
    const char *sql;
} caches[] = {
    { 75 * MIB, "PRAGMA cache_size = -512" },
    { 300 * MIB, "PRAGMA cache_size = -2048" },
    { 1200 * MIB, "PRAGMA cache_size = -8192" },
    { INT64_MAX, "PRAGMA cache_size = -16384" },
};

void reader_pool_init(struct reader_pool *pool, const char *path)
{
    (void)pthread_mutex_init(&pool->mutex, NULL); /* cannot fail with glibc */
    pool->idle = NULL;
    pool->lent = 0;
    pool->path = mem_str(path);
}

void reader_pool_fini(struct reader_pool *pool)
{
    if (!pool->path)
        return;
    assert(pool->lent == 0);
    while (pool->idle) {
        struct sq_reader *rd = pool->idle;

        pool->idle = rd->next;
        (void)db_free(rd->db);
        free(rd);
    }
    (void)pthread_mutex_destroy(&pool->mutex);
    free(pool->path);
    pool->path = NULL;
}

static size_t cache_for(const char *path)
{
    struct stat st;
    size_t i = 0;

    if (stat(path, &st) < 0)
        return 0; /* somebody has moved it: reading goes on */
    while (st.st_size > caches[i].file_bytes)
        i++;
    return i;
}

static int size_cache(struct reader_pool *pool, struct sq_reader *rd, struct errinfo *e)
{
    size_t cache = cache_for(pool->path);
    int r;

    if (cache == rd->cache && rd->times > 0)
        return 0;
    r = db_exec(rd->db, caches[cache].sql, e);
    if (r == 0)
        rd->cache = cache;
    return r;
}

static int open_reader(struct sq *sq, struct sq_reader **ret_reader, struct errinfo *e)
{
    struct sq_reader *rd;
    struct db *db = NULL;
    int r;

    r = db_open_reader(sq->readers.path, &db, e);
    if (r < 0)
        return r;
    rd = mem_new0(sizeof *rd);
    rd->reader.backend = sq->store.backend;
    rd->db = db;
    *ret_reader = rd;
    return 0;
}

static struct sq_reader *take_idle(struct reader_pool *pool)
{
    struct sq_reader *rd;

    (void)pthread_mutex_lock(&pool->mutex); /* fails only for a mutex that is none */
    rd = pool->idle;
    if (rd) {
        pool->idle = rd->next;
        pool->lent++;
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return rd;
}

int sq_reader_get(struct store *st, struct store_reader **ret_reader, struct errinfo *e)
{
    struct sq *sq = sq_of(st);
    struct sq_reader *rd = take_idle(&sq->readers);
    int r;

    if (!rd) {
        r = open_reader(sq, &rd, e);
        if (r < 0)
            return r;
        (void)pthread_mutex_lock(&sq->readers.mutex);
        sq->readers.lent++;
        (void)pthread_mutex_unlock(&sq->readers.mutex);
    }
    r = rd->times % LOOK_AT_SIZE_EVERY == 0 ? size_cache(&sq->readers, rd, e) : 0;
    rd->times++;
    if (r < 0) {
        sq_reader_put(st, &rd->reader);
        return r;
    }
    *ret_reader = &rd->reader;
    return 0;
}

void sq_reader_put(struct store *st, struct store_reader *rd)
{
    struct reader_pool *pool = &sq_of(st)->readers;
    struct sq_reader *sr = (struct sq_reader *)rd;

    assert(
        sqlite3_get_autocommit(sr->db->handle)); /* an open snapshot would stop checkpoints */
    (void)pthread_mutex_lock(&pool->mutex);
    assert(pool->lent > 0);
    pool->lent--;
    sr->db->tenant = NULL;
    sr->next = pool->idle;
    pool->idle = sr;
    (void)pthread_mutex_unlock(&pool->mutex);
}

void sq_reader_see(struct store_reader *rd, const char *tenant)
{
    sq_reader_db(rd)->tenant = tenant;
}
