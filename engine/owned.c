#include "engine/owned.h"

#include <assert.h>

#include "base/mem.h"

/* One more or one less for this worker. */
static void count_load(struct owned_table *t, int64_t worker_id, int change)
{
    struct owned_load *load;

    HASH_FIND(hh, t->by_worker, &worker_id, sizeof worker_id, load);
    if (!load) {
        load = mem_new0(sizeof *load);
        load->worker_id = worker_id;
        HASH_ADD(hh, t->by_worker, worker_id, sizeof load->worker_id, load);
    }
    assert(change > 0 || load->busy > 0);
    load->busy += (unsigned)change;
    if (load->busy == 0) {
        HASH_DEL(t->by_worker, load);
        free(load);
    }
}

struct owned *owned_find(const struct owned_table *t, struct uuid7 id)
{
    int64_t key = uuid7_key(id);
    struct owned *o;

    HASH_FIND(hh, t->by_key, &key, sizeof key, o);
    return o;
}

struct owned *owned_find_attempt(const struct owned_table *t, struct uuid7 id, int attempt)
{
    struct owned *o = owned_find(t, id);

    return o && o->attempt == attempt ? o : NULL;
}

struct owned *owned_add(struct owned_table *t, struct uuid7 id, int attempt, int64_t worker_id,
                        usec_t started_at_us)
{
    struct owned *o;

    assert(!owned_find(t, id)); /* a job has at most one attempt in hand */
    o = mem_new0(sizeof *o);
    o->key = uuid7_key(id);
    o->id = id;
    o->attempt = attempt;
    o->worker_id = worker_id;
    o->started_at_us = started_at_us;
    HASH_ADD(hh, t->by_key, key, sizeof o->key, o);
    count_load(t, worker_id, 1);
    return o;
}

void owned_progress(struct owned *o, int ppm, char *take_message)
{
    free(o->progress_message);
    o->progress_message = take_message;
    o->progress_ppm = ppm;
    o->progressed = true;
}

void owned_settle(struct owned_table *t, struct owned *o)
{
    if (!o->settled)
        count_load(t, o->worker_id, -1);
    o->settled = true;
}

static void owned_free(struct owned *o)
{
    free(o->progress_message);
    free(o);
}

void owned_remove(struct owned_table *t, struct uuid7 id, int attempt)
{
    struct owned *o = owned_find_attempt(t, id, attempt);

    if (!o)
        return;
    owned_settle(t, o);
    HASH_DEL(t->by_key, o);
    owned_free(o);
}

size_t owned_count(const struct owned_table *t)
{
    return HASH_COUNT(t->by_key);
}

size_t owned_count_of(const struct owned_table *t, int64_t worker_id)
{
    const struct owned_load *load;

    HASH_FIND(hh, t->by_worker, &worker_id, sizeof worker_id, load);
    return load ? load->busy : 0;
}

void owned_table_fini(struct owned_table *t)
{
    struct owned *o = t->by_key;

    HASH_CLEAR(hh, t->by_key); /* the entries are still linked */
    while (o) {
        struct owned *next = o->hh.next;

        owned_settle(t, o);
        owned_free(o);
        o = next;
    }
}
