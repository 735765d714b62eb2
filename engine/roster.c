/* engine/roster.c - who works: what the links say, copied for other threads. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "engine/state.h"

static const char *const state_names[ENGINE_WORKER_STATE_MAX_] = {
    [ENGINE_WORKER_IDLE] = "idle",         [ENGINE_WORKER_BUSY] = "busy",
    [ENGINE_WORKER_STARTING] = "starting", [ENGINE_WORKER_CIRCUIT_OPEN] = "circuit_open",
    [ENGINE_WORKER_DRAINING] = "draining",
};

const char *engine_worker_state_name(enum engine_worker_state state)
{
    return state_names[state];
}

static enum engine_worker_state state_of(const struct engine *en, const struct link *link,
                                         unsigned held)
{
    if (en->draining || link->status.state == PROTO_STATE_DRAINING)
        return ENGINE_WORKER_DRAINING;
    if (link->status.state == PROTO_STATE_CIRCUIT_OPEN)
        return ENGINE_WORKER_CIRCUIT_OPEN;
    if (held > 0)
        return ENGINE_WORKER_BUSY;
    return link->status.state == PROTO_STATE_STARTING ? ENGINE_WORKER_STARTING
                                                      : ENGINE_WORKER_IDLE;
}

static void describe(const struct engine *en, const struct link *link,
                     struct engine_worker *ret_worker)
{
    unsigned held = (unsigned)owned_count_of(&en->owned, link->worker_id);

    *ret_worker = (struct engine_worker){
        .worker_id = link->worker_id,
        .pid = link->pid,
        .state = state_of(en, link, held),
        .capacity = link->capacity,
        .held = held,
        .jobs_total = link->jobs_total,
        .started_at_us = link->started_at_us,
        .program_pid = link->status.program_pid,
        .rss_bytes = link->status.rss_bytes,
    };
    (void)text_copy(ret_worker->pool, sizeof ret_worker->pool, link->pool);
    (void)text_copy(ret_worker->reason, sizeof ret_worker->reason, link->status.reason);
}

void roster_update(struct engine *en)
{
    size_t count = links_count(en->links);

    (void)pthread_mutex_lock(&en->status_mutex);
    if (count > en->worker_room) {
        en->worker_room = count;
        en->workers = mem_resize(en->workers, count, sizeof *en->workers);
    }
    en->worker_count = 0;
    for (const struct link *link = links_first(en->links); link; link = link->next)
        if (!link->broken && link->worker_id != 0)
            describe(en, link, &en->workers[en->worker_count++]);
    (void)pthread_mutex_unlock(&en->status_mutex);
}

static int by_id(const void *a, const void *b)
{
    const struct engine_worker *x = a;
    const struct engine_worker *y = b;

    return (x->worker_id > y->worker_id) - (x->worker_id < y->worker_id);
}

size_t engine_workers(struct engine *en, struct engine_worker **ret_list)
{
    struct engine_worker *list;
    size_t count;

    (void)pthread_mutex_lock(&en->status_mutex);
    count = en->worker_count;
    list = mem_array0(count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = en->workers[i];
    (void)pthread_mutex_unlock(&en->status_mutex);
    qsort(list, count, sizeof *list, by_id);
    *ret_list = list;
    return count;
}
