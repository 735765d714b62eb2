/* pool/backlog.h - orders that wait in a worker until those before them have ended.
 *
 * The front sends orders ahead to a worker whose attempts are short (engine/pace.h), so that
 * the next one need not wait for a commit. The highest priority is next, of these the first in.
 * Plain data, one thread.
 */
#ifndef JOBD_POOL_BACKLOG_H
#define JOBD_POOL_BACKLOG_H

#include <stdbool.h>

#include "base/clock.h"
#include "domain/order.h"
#include "pool/proto.h"

#define BACKLOG_MAX     32
#define BACKLOG_WAIT_US (20 * USEC_PER_MS) /* then it is better off with another worker */
/* Unless attempts end here all the time: then it was this process that had to wait, and any
 * other might. */
#define BACKLOG_MOST            5 /* times as long at most */
#define BACKLOG_ENDED_LATELY_US (5 * USEC_PER_MS)

struct backlog_item {
    struct order order;
    usec_t since_us; /* monotonic */
};

/* Zeroed: empty. */
struct backlog {
    struct backlog_item items[BACKLOG_MAX]; /* the next first */
    unsigned count;
};

/* False: it is full, and the order is still the caller's. */
bool backlog_put(struct backlog *b, struct order *take_order, usec_t now_us);
/* The next; false: there is none. *ret_order is the caller's. */
bool backlog_take(struct backlog *b, struct order *ret_order);
/* One that has waited since then or longer; false: there is none. */
bool backlog_take_old(struct backlog *b, usec_t since_us, struct order *ret_order);
/* This one; false: it is not there. */
bool backlog_take_out(struct backlog *b, struct uuid7 job_id, int attempt,
                      struct order *ret_order);
bool backlog_has(const struct backlog *b, struct uuid7 job_id, int attempt);
/* Since when the oldest waits; 0: there is none. */
usec_t backlog_since_us(const struct backlog *b);
/* How long an order may wait, of which wait_us is the rule, where the last attempt has ended
 * ended_us ago. */
usec_t backlog_patience_us(usec_t wait_us, usec_t ended_us);
/* When to look for the next that has waited too long. */
usec_t backlog_next_look_us(const struct backlog *b, usec_t wait_us, usec_t now_us,
                            usec_t ended_us);
/* All of them; returns how many. */
unsigned backlog_list(const struct backlog *b, struct proto_attempt ret_list[BACKLOG_MAX]);
void backlog_fini(struct backlog *b);

#endif
