#include "engine/depths.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "engine/turn.h"

#define RECOUNT_US (50 * USEC_PER_MS)

void depths_init(struct depths *d, const struct queue_depth *list, size_t count)
{
    d->items = mem_array0(count + 1, sizeof *d->items);
    d->count = count;
    for (size_t i = 0; i < count; i++)
        d->items[i] = (struct depth){
            .queue = mem_printf("%.*s", (int)list[i].queue_len, list[i].queue),
            .max = list[i].max,
        };
}

void depths_fini(struct depths *d)
{
    for (size_t i = 0; i < d->count; i++)
        free(d->items[i].queue);
    free(d->items);
    *d = (struct depths){ 0 };
}

static int recount(struct turn *t, struct depth *depth)
{
    usec_t age_us = t->now_us - depth->counted_at_us;
    int r;

    if (depth->counted_at_us > 0 && age_us >= 0 && age_us < RECOUNT_US)
        return 0;
    r = store_count_waiting_in(t->en->conf.store, depth->queue, &depth->waiting, &t->err);
    if (r == 0)
        depth->counted_at_us = t->now_us;
    return r;
}

static int admit(struct turn *t, struct engine_request *rq, struct depth *depth, int64_t count)
{
    int r = 0;

    if (count == 0)
        return 1;
    if (depth->counted_at_us == 0 || depth->waiting + count > depth->max)
        r = recount(t, depth);
    if (r < 0)
        return r;
    if (depth->waiting + count > depth->max) {
        rq->result = err_set(&rq->err, ERR_QUEUE_FULL,
                             "%lld jobs are waiting in the queue %s; queue_depths allows %lld",
                             (long long)depth->waiting, depth->queue, (long long)depth->max);
        return 0;
    }
    depth->waiting += count;
    return 1;
}

int depths_admit(struct turn *t, struct engine_request *rq, const struct job *jobs,
                 size_t count)
{
    struct depths *d = &t->en->depths;
    int r = 1;

    for (size_t i = 0; r > 0 && i < d->count; i++) {
        int64_t of_it = 0;

        for (size_t j = 0; j < count; j++)
            of_it += text_equal(jobs[j].queue, d->items[i].queue);
        r = admit(t, rq, &d->items[i], of_it);
    }
    return r;
}
