#include "pool/backlog.h"

#include <string.h>

bool backlog_put(struct backlog *b, struct order *take_order, usec_t now_us)
{
    unsigned at = b->count;

    if (b->count == BACKLOG_MAX)
        return false;
    while (at > 0 && b->items[at - 1].order.priority < take_order->priority)
        at--;
    memmove(&b->items[at + 1], &b->items[at], (b->count - at) * sizeof b->items[0]);
    b->items[at] = (struct backlog_item){ .order = *take_order, .since_us = now_us };
    b->count++;
    *take_order = (struct order){ 0 };
    return true;
}

static void take_at(struct backlog *b, unsigned at, struct order *ret_order)
{
    *ret_order = b->items[at].order;
    b->count--;
    memmove(&b->items[at], &b->items[at + 1], (b->count - at) * sizeof b->items[0]);
}

bool backlog_take(struct backlog *b, struct order *ret_order)
{
    if (b->count == 0)
        return false;
    take_at(b, 0, ret_order);
    return true;
}

/* Its place, or count. */
static unsigned find(const struct backlog *b, struct uuid7 job_id, int attempt)
{
    unsigned i = 0;

    while (i < b->count && (b->items[i].order.attempt != attempt ||
                            !uuid7_equal(b->items[i].order.job_id, job_id)))
        i++;
    return i;
}

bool backlog_has(const struct backlog *b, struct uuid7 job_id, int attempt)
{
    return find(b, job_id, attempt) < b->count;
}

bool backlog_take_out(struct backlog *b, struct uuid7 job_id, int attempt,
                      struct order *ret_order)
{
    unsigned at = find(b, job_id, attempt);

    if (at == b->count)
        return false;
    take_at(b, at, ret_order);
    return true;
}

bool backlog_take_old(struct backlog *b, usec_t since_us, struct order *ret_order)
{
    for (unsigned i = 0; i < b->count; i++)
        if (b->items[i].since_us <= since_us) {
            take_at(b, i, ret_order);
            return true;
        }
    return false;
}

usec_t backlog_since_us(const struct backlog *b)
{
    usec_t oldest_us = b->count > 0 ? b->items[0].since_us : 0;

    for (unsigned i = 1; i < b->count; i++)
        if (b->items[i].since_us < oldest_us)
            oldest_us = b->items[i].since_us;
    return oldest_us;
}

static bool has_ended_lately(usec_t ended_us)
{
    return ended_us < BACKLOG_ENDED_LATELY_US;
}

usec_t backlog_patience_us(usec_t wait_us, usec_t ended_us)
{
    return has_ended_lately(ended_us) ? wait_us * BACKLOG_MOST : wait_us;
}

usec_t backlog_next_look_us(const struct backlog *b, usec_t wait_us, usec_t now_us,
                            usec_t ended_us)
{
    return has_ended_lately(ended_us) ? now_us + BACKLOG_ENDED_LATELY_US
                                      : backlog_since_us(b) + wait_us;
}

unsigned backlog_list(const struct backlog *b, struct proto_attempt ret_list[BACKLOG_MAX])
{
    for (unsigned i = 0; i < b->count; i++)
        ret_list[i] =
            (struct proto_attempt){ b->items[i].order.job_id, b->items[i].order.attempt };
    return b->count;
}

void backlog_fini(struct backlog *b)
{
    for (unsigned i = 0; i < b->count; i++)
        order_fini(&b->items[i].order);
    b->count = 0;
}
