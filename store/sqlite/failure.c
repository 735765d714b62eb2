/* Failures, counted by their kind. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "store/sqlite/job_row.h"
#include "store/sqlite/sq.h"

#define ID_BYTES 16 /* as in a UUID */

static const char ADD[] =
    "UPDATE failure SET count = count + ?4, last_seen_at_us = max(last_seen_at_us, ?5),"
    " last_job = ?6, samples = CASE WHEN length(samples) < 80"
    " THEN CAST(samples || substr(?7, 1, 80 - length(samples)) AS BLOB) ELSE samples END"
    " WHERE batch_key = ?1 AND tenant = ?2 AND fingerprint = ?3";
static const char INSERT[] =
    "INSERT INTO failure (batch_key, tenant, fingerprint, count, last_seen_at_us, last_job,"
    " samples, first_seen_at_us, reason, exit_code, signal, queue, function, message)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
_Static_assert(FAILURE_SAMPLES_MAX *ID_BYTES == 80, "the length in ADD");

static const char COUNT[] =
    "SELECT count(*) FROM failure INDEXED BY failure_by_time"
    " WHERE batch_key = 0 AND tenant = ?1";
static const char OLDEST[] =
    "SELECT fingerprint FROM failure INDEXED BY failure_by_time"
    " WHERE batch_key = 0 AND tenant = ?1"
    " ORDER BY last_seen_at_us LIMIT 1";
static const char FORGET[] =
    "DELETE FROM failure WHERE batch_key = 0 AND tenant = ?1 AND fingerprint = ?2";

static const char READ[] =
    "SELECT fingerprint, reason, exit_code, signal, count, first_seen_at_us, last_seen_at_us,"
    " last_job, samples, queue, function, message, tenant FROM failure"
    " WHERE batch_key = ?1 AND tenant = ?2";

/* -- ids in blobs ---------------------------------------------------------------------------
 */

static void put_u64(unsigned char *to, uint64_t number)
{
    for (int i = 7; i >= 0; i--, number >>= 8)
        to[i] = (unsigned char)(number & 0xff);
}

static uint64_t get_u64(const unsigned char *from)
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++)
        number = number << 8 | from[i];
    return number;
}

static void put_id(unsigned char *to, struct uuid7 id)
{
    put_u64(to, id.hi);
    put_u64(to + 8, id.lo);
}

static struct uuid7 get_id(const char *from)
{
    const unsigned char *bytes = (const unsigned char *)from;

    return (struct uuid7){ get_u64(bytes), get_u64(bytes + 8) };
}

/* -- writing --------------------------------------------------------------------------------
 */

struct ids {
    unsigned char last[ID_BYTES];
    unsigned char samples[FAILURE_SAMPLES_MAX * ID_BYTES];
};

static int64_t batch_key(struct uuid7 batch)
{
    return uuid7_is_set(batch) ? uuid7_key(batch) : 0;
}

/* What ADD and INSERT have in common; ids lives as long as s. */
static void bind_group(struct stmt *s, const struct failure_group *g, struct ids *ids)
{
    put_id(ids->last, g->last_job);
    for (size_t i = 0; i < g->sample_count; i++)
        put_id(ids->samples + i * ID_BYTES, g->samples[i]);
    stmt_i64(s, 1, batch_key(g->batch));
    stmt_text(s, 2, g->tenant);
    stmt_i64(s, 3, g->fingerprint);
    stmt_i64(s, 4, g->count);
    stmt_i64(s, 5, g->last_seen_at_us);
    stmt_blob(s, 6, ids->last, sizeof ids->last);
    stmt_blob(s, 7, ids->samples, g->sample_count * ID_BYTES);
}

int sq_failure_add(struct store *st, const struct failure_group *g, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    struct ids ids;
    int r;

    r = stmt_get(sq_of(st)->db, ADD, &s, e);
    if (r < 0)
        return r;
    bind_group(s, g, &ids);
    r = stmt_change(s, e);
    if (r < 0)
        return r;
    return r == 0 ? ERR_NOT_FOUND : 0; /* expected: no text */
}

int sq_failure_insert(struct store *st, const struct failure_group *g, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    struct ids ids;
    int r;

    r = stmt_get(sq_of(st)->db, INSERT, &s, e);
    if (r < 0)
        return r;
    bind_group(s, g, &ids);
    stmt_i64(s, 8, g->first_seen_at_us);
    stmt_text(s, 9, cause_meta(g->cause)->slug);
    stmt_i64(s, 10, g->exit_code);
    stmt_i64(s, 11, g->signal);
    stmt_text(s, 12, g->queue);
    stmt_text(s, 13, g->function);
    stmt_text(s, 14, g->message);
    r = stmt_change(s, e);
    return r < 0 ? r : 0;
}

/* The first column of the only row of a statement about a tenant. Returns whether there is one.
 */
static int ask(struct db *db, const char *sql, const char *tenant, int64_t *ret_number,
               struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, sql, &s, e);
    if (r < 0)
        return r;
    stmt_text(s, 1, tenant);
    r = stmt_step(s, e);
    if (r > 0)
        *ret_number = stmt_col_i64(s, 0);
    return r;
}

int sq_failure_count(struct store *st, const char *tenant, int64_t *ret_count,
                     struct errinfo *e)
{
    int r = ask(sq_of(st)->db, COUNT, tenant, ret_count, e);

    return r < 0 ? r : 0;
}

int sq_failure_forget_oldest(struct store *st, const char *tenant, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int64_t fingerprint;
    int r;

    r = ask(sq_of(st)->db, OLDEST, tenant, &fingerprint, e);
    if (r <= 0)
        return r;
    r = stmt_get(sq_of(st)->db, FORGET, &s, e);
    if (r < 0)
        return r;
    stmt_text(s, 1, tenant);
    stmt_i64(s, 2, fingerprint);
    r = stmt_change(s, e);
    return r < 0 ? r : 0;
}

/* -- reading --------------------------------------------------------------------------------
 */

static int read_samples(struct stmt *s, struct failure_group *g, struct errinfo *e)
{
    size_t last_len;
    size_t len;
    AUTO(mem) char *last = stmt_col_copy(s, 7, &last_len);
    AUTO(mem) char *samples = stmt_col_copy(s, 8, &len);

    if (last_len != ID_BYTES || len < ID_BYTES || len > (size_t)FAILURE_SAMPLES_MAX * ID_BYTES)
        return err_set(e, ERR_DATABASE, "a kind of failure has a bad list of jobs");
    g->last_job = get_id(last);
    for (g->sample_count = 0; g->sample_count < len / ID_BYTES; g->sample_count++)
        g->samples[g->sample_count] = get_id(samples + (size_t)g->sample_count * ID_BYTES);
    return 0;
}

static int read_group(struct stmt *s, struct failure_group *g, struct errinfo *e)
{
    const char *reason = stmt_col_text(s, 1);
    int cause = reason ? cause_parse(reason) : -1;

    if (cause < 0)
        return err_set(e, ERR_DATABASE, "a kind of failure has the reason '%s'",
                       reason ? reason : "NULL");
    g->fingerprint = stmt_col_i64(s, 0);
    g->cause = (enum cause)cause;
    g->exit_code = stmt_col_int(s, 2);
    g->signal = stmt_col_int(s, 3);
    g->count = stmt_col_i64(s, 4);
    g->first_seen_at_us = stmt_col_i64(s, 5);
    g->last_seen_at_us = stmt_col_i64(s, 6);
    g->queue = stmt_col_copy(s, 9, NULL);
    g->function = stmt_col_copy(s, 10, NULL);
    g->message = stmt_col_copy(s, 11, NULL);
    g->tenant = stmt_col_copy(s, 12, NULL);
    return read_samples(s, g, e);
}

static bool matches(const struct failure_group *g, const struct store_failure_filter *f)
{
    if (g->last_seen_at_us < f->since_us)
        return false;
    if (f->queue && (!g->queue || !text_equal(f->queue, g->queue)))
        return false;
    return !f->function || text_equal(f->function, g->function ? g->function : "");
}

static int by_count(const void *a, const void *b)
{
    const struct failure_group *x = a;
    const struct failure_group *y = b;

    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    if (x->last_seen_at_us != y->last_seen_at_us)
        return x->last_seen_at_us > y->last_seen_at_us ? -1 : 1;
    return (x->fingerprint > y->fingerprint) - (x->fingerprint < y->fingerprint);
}

static int read_all(struct stmt *s, const struct store_failure_filter *f,
                    struct store_failures *all, struct errinfo *e)
{
    int r;

    while ((r = stmt_step(s, e)) > 0) {
        AUTO_FINI(failure_group) struct failure_group g = { .batch = f->batch };

        r = read_group(s, &g, e);
        if (r < 0)
            return r;
        if (!matches(&g, f))
            continue;
        if (all->count % 16 == 0)
            all->items = mem_resize(all->items, all->count + 16, sizeof *all->items);
        all->items[all->count++] = g;
        g = (struct failure_group){ 0 };
    }
    return r;
}

int sq_read_failures(struct store_reader *rd, const struct store_failure_filter *filter,
                     struct store_failures *ret_failures, struct errinfo *e)
{
    AUTO_FINI(store_failures) struct store_failures all = { 0 };
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq_reader_db(rd), READ, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, batch_key(filter->batch));
    stmt_text(s, 2, filter->tenant);
    r = read_all(s, filter, &all, e);
    if (r < 0)
        return r;
    all.total = (int64_t)all.count;
    if (all.count > 0)
        qsort(all.items, all.count, sizeof *all.items, by_count);
    while (all.count > filter->limit)
        failure_group_fini(&all.items[--all.count]);
    *ret_failures = all;
    all = (struct store_failures){ 0 };
    return 0;
}
