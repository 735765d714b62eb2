/* As store/store.c, for the functions of store/store_batch.h. */
#include "store/store_batch.h"

#include <assert.h>
#include <stdlib.h>

#include "store/backend.h"

int store_batch_insert(struct store *st, const struct batch *b, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->batch_insert(st, b, e);
}

int store_batch_update(struct store *st, struct batch *b, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->batch_update(st, b, e);
}

int store_batch_get(struct store *st, struct uuid7 id, struct batch *ret_batch,
                    struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->batch_get(st, id, ret_batch, e);
}

int store_batch_spec_put(struct store *st, struct uuid7 id, enum batch_spec kind,
                         const struct batch_job *bj, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->batch_spec_put(st, id, kind, bj, e);
}

int store_batch_spec_get(struct store *st, struct uuid7 id, enum batch_spec kind,
                         struct batch_job *ret_bj, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->batch_spec_get(st, id, kind, ret_bj, e);
}

int store_batch_members(struct store *st, struct uuid7 id, int64_t after_key,
                        struct store_member *items, size_t max, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->batch_members(st, id, after_key, items, max, e);
}

int store_batches_busy(struct store *st, struct uuid7 **ret_ids, int64_t *ret_pending,
                       struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->batches_busy(st, ret_ids, ret_pending, e);
}

int store_batch_remove(struct store *st, struct uuid7 id, struct errinfo *e)
{
    return st->backend->batch_remove(st, id, e);
}

int store_batches_forget(struct store *st, usec_t before_us, size_t max, usec_t *ret_oldest_us,
                         struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->batches_forget(st, before_us, max, ret_oldest_us, e);
}

int store_failure_add(struct store *st, const struct failure_group *g, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->failure_add(st, g, e);
}

int store_failure_insert(struct store *st, const struct failure_group *g, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->failure_insert(st, g, e);
}

int store_failure_count(struct store *st, const char *tenant, int64_t *ret_count,
                        struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->failure_count(st, tenant, ret_count, e);
}

int store_failure_forget_oldest(struct store *st, const char *tenant, struct errinfo *e)
{
    assert(st->in_transaction);
    return st->backend->failure_forget_oldest(st, tenant, e);
}

int store_read_batch(struct store_reader *rd, struct uuid7 id, struct batch *ret_batch,
                     struct errinfo *e)
{
    return rd->backend->read_batch(rd, id, ret_batch, e);
}

int store_read_batches(struct store_reader *rd, const struct store_batch_filter *filter,
                       struct store_batches *ret_batches, struct errinfo *e)
{
    return rd->backend->read_batches(rd, filter, ret_batches, e);
}

int store_read_failures(struct store_reader *rd, const struct store_failure_filter *filter,
                        struct store_failures *ret_failures, struct errinfo *e)
{
    return rd->backend->read_failures(rd, filter, ret_failures, e);
}

void batch_job_fini(struct batch_job *bj)
{
    job_fini(&bj->job);
    *bj = (struct batch_job){ 0 };
}

void store_batches_fini(struct store_batches *batches)
{
    for (size_t i = 0; i < batches->count; i++)
        batch_fini(&batches->items[i]);
    free(batches->items);
    *batches = (struct store_batches){ 0 };
}

void failure_group_fini(struct failure_group *g)
{
    free(g->tenant);
    free(g->queue);
    free(g->function);
    free(g->message);
    *g = (struct failure_group){ 0 };
}

void store_failures_fini(struct store_failures *failures)
{
    for (size_t i = 0; i < failures->count; i++)
        failure_group_fini(&failures->items[i]);
    free(failures->items);
    *failures = (struct store_failures){ 0 };
}
