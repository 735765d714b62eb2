#include "engine/waiters.h"

#include <assert.h>
#include <pthread.h>
#include <utlist.h>

#include "base/hash64.h"
#include "base/mem.h"

/* Those who wait for one job. */
struct group {
    int64_t key;
    struct waiter *list;
    UT_hash_handle hh;
};

struct waiters {
    pthread_mutex_t mutex; /* guards all below; a leaf: nothing is called under it */
    struct group *groups;
    struct waiter **heap; /* by deadline; heap[0] is the earliest */
    size_t count;
    size_t capacity;
    size_t max;
    bool drained;
    void (*on_earlier)(void *ctx);
    void *ctx;
};

int waiters_new(size_t max_waiters, void (*on_earlier)(void *ctx), void *ctx,
                struct waiters **ret_waiters, struct errinfo *e)
{
    struct waiters *ws = mem_new0(sizeof *ws);

    if (pthread_mutex_init(&ws->mutex, NULL) != 0) {
        free(ws);
        return err_set(e, ERR_INTERNAL, "pthread_mutex_init failed");
    }
    ws->max = max_waiters;
    ws->on_earlier = on_earlier;
    ws->ctx = ctx;
    *ret_waiters = ws;
    return 0;
}

struct waiters *waiters_free(struct waiters *ws)
{
    if (!ws)
        return NULL;
    assert(ws->count == 0);
    free(ws->heap);
    (void)pthread_mutex_destroy(&ws->mutex);
    free(ws);
    return NULL;
}

/* -- the heap of deadlines ------------------------------------------------------------------
 */

static void heap_put(struct waiters *ws, size_t at, struct waiter *w)
{
    ws->heap[at] = w;
    w->heap_index = at;
}

static void heap_up(struct waiters *ws, size_t at)
{
    struct waiter *w = ws->heap[at];

    while (at > 0 && ws->heap[(at - 1) / 2]->deadline_us > w->deadline_us) {
        heap_put(ws, at, ws->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(ws, at, w);
}

static void heap_down(struct waiters *ws, size_t at)
{
    struct waiter *w = ws->heap[at];

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= ws->count)
            break;
        if (child + 1 < ws->count &&
            ws->heap[child + 1]->deadline_us < ws->heap[child]->deadline_us)
            child++;
        if (ws->heap[child]->deadline_us >= w->deadline_us)
            break;
        heap_put(ws, at, ws->heap[child]);
        at = child;
    }
    heap_put(ws, at, w);
}

static void heap_add(struct waiters *ws, struct waiter *w)
{
    if (ws->count == ws->capacity) {
        ws->capacity = ws->capacity ? ws->capacity * 2 : 64;
        ws->heap = mem_resize(ws->heap, ws->capacity, sizeof(struct waiter *));
    }
    heap_put(ws, ws->count++, w);
    heap_up(ws, w->heap_index);
}

static void heap_remove(struct waiters *ws, struct waiter *w)
{
    size_t at = w->heap_index;
    struct waiter *last = ws->heap[--ws->count];

    if (last == w)
        return;
    heap_put(ws, at, last);
    heap_up(ws, at);
    heap_down(ws, last->heap_index);
}

/* -- in and out -----------------------------------------------------------------------------
 */

static struct group *group_find(struct waiters *ws, int64_t key)
{
    struct group *g;

    HASH_FIND(hh, ws->groups, &key, sizeof key, g);
    return g;
}

static void take_out_locked(struct waiters *ws, struct group *g, struct waiter *w)
{
    DL_DELETE(g->list, w);
    heap_remove(ws, w);
    w->registered = false;
    if (!g->list) {
        HASH_DEL(ws->groups, g);
        free(g);
    }
}

static int add_locked(struct waiters *ws, struct waiter *w, bool *ret_earliest,
                      struct errinfo *e)
{
    int64_t key = uuid7_key(w->job_id);
    struct group *g;

    if (ws->drained)
        return err_set(e, ERR_DRAINING,
                       "the server is shutting down: ask again without waiting");
    if (ws->count >= ws->max)
        return err_set(e, ERR_LONG_POLLS,
                       "%zu requests are waiting already: ask again without waiting", ws->max);
    g = group_find(ws, key);
    if (!g) {
        g = mem_new0(sizeof *g);
        g->key = key;
        HASH_ADD(hh, ws->groups, key, sizeof g->key, g);
    }
    DL_APPEND(g->list, w);
    heap_add(ws, w);
    w->registered = true;
    *ret_earliest = w->heap_index == 0;
    return 0;
}

int waiters_add(struct waiters *ws, struct waiter *w, struct errinfo *e)
{
    bool earliest = false;
    int r;

    (void)pthread_mutex_lock(&ws->mutex);
    r = add_locked(ws, w, &earliest, e);
    (void)pthread_mutex_unlock(&ws->mutex);
    if (r == 0 && earliest && ws->on_earlier)
        ws->on_earlier(ws->ctx);
    return r;
}

bool waiters_remove(struct waiters *ws, struct waiter *w)
{
    bool was_in;

    (void)pthread_mutex_lock(&ws->mutex);
    was_in = w->registered;
    if (was_in)
        take_out_locked(ws, group_find(ws, uuid7_key(w->job_id)), w);
    (void)pthread_mutex_unlock(&ws->mutex);
    return was_in;
}

/* -- waking ---------------------------------------------------------------------------------
 */

/* The woken may free themselves, so the next is read before each call. */
static size_t wake_all(struct waiter *list, const struct job_end *end)
{
    struct waiter *w;
    struct waiter *next;
    size_t count = 0;

    for (w = list; w; w = next, count++) {
        next = w->next;
        if (end && w->ended)
            w->ended(w, end);
        else
            w->wake(w);
    }
    return count;
}

static size_t changed(struct waiters *ws, struct uuid7 job_id, enum job_state state,
                      const struct job_end *end)
{
    struct waiter *woken = NULL;
    struct waiter *w;
    struct waiter *next;
    struct group *g;

    (void)pthread_mutex_lock(&ws->mutex);
    g = group_find(ws, uuid7_key(job_id));
    for (w = g ? g->list : NULL; w; w = next) {
        next = w->next;
        if (!w->any_change && !job_state_is_final(state))
            continue;
        take_out_locked(ws, g, w);
        LL_PREPEND(woken, w);
    }
    (void)pthread_mutex_unlock(&ws->mutex);
    return wake_all(woken, end);
}

size_t waiters_changed(struct waiters *ws, struct uuid7 job_id, enum job_state state)
{
    return changed(ws, job_id, state, NULL);
}

size_t waiters_ended(struct waiters *ws, struct uuid7 job_id, const struct job_end *end)
{
    return changed(ws, job_id, end->state, end);
}

/* Take out those whose deadline is at or before now_mono_us. */
static struct waiter *take_due_locked(struct waiters *ws, usec_t now_mono_us)
{
    struct waiter *woken = NULL;

    while (ws->count > 0 && ws->heap[0]->deadline_us <= now_mono_us) {
        struct waiter *w = ws->heap[0];

        take_out_locked(ws, group_find(ws, uuid7_key(w->job_id)), w);
        LL_PREPEND(woken, w);
    }
    return woken;
}

usec_t waiters_tick(struct waiters *ws, usec_t now_mono_us)
{
    struct waiter *woken;
    usec_t next_us;

    (void)pthread_mutex_lock(&ws->mutex);
    woken = take_due_locked(ws, now_mono_us);
    next_us = ws->count > 0 ? ws->heap[0]->deadline_us : 0;
    (void)pthread_mutex_unlock(&ws->mutex);
    (void)wake_all(woken, NULL);
    return next_us;
}

void waiters_drain(struct waiters *ws)
{
    struct waiter *woken;

    (void)pthread_mutex_lock(&ws->mutex);
    ws->drained = true;
    woken = take_due_locked(ws, INT64_MAX);
    (void)pthread_mutex_unlock(&ws->mutex);
    (void)wake_all(woken, NULL);
}

size_t waiters_count(struct waiters *ws)
{
    size_t count;

    (void)pthread_mutex_lock(&ws->mutex);
    count = ws->count;
    (void)pthread_mutex_unlock(&ws->mutex);
    return count;
}
