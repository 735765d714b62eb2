#include "engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/batches.h"
#include "engine/state.h"

#define EVENTS_MAX      64
#define WAITERS_DEFAULT 20000
#define LEAVE_US        (3 * USEC_PER_SEC) /* at most, for those who are being answered */
#define LEAVE_QUIET_US  (20 * USEC_PER_MS)
#define LEAVE_LOOK_US   (2 * USEC_PER_MS) /* between looks at who is */
/* How late a job may become due when the wall clock has been set ahead. */
#define WALL_LOOK_US USEC_PER_SEC

static void on_earlier_waiter(void *ctx)
{
    struct engine *en = ctx;

    inbox_wake(&en->inbox);
}

/* -- pools ----------------------------------------------------------------------------------
 */

struct pool *engine_pool(struct engine *en, const char *name)
{
    for (size_t i = 0; i < en->pool_count; i++)
        if (text_equal(en->pools[i].name, name))
            return &en->pools[i];
    return NULL;
}

/* -- what the supervisor asks for -----------------------------------------------------------
 */

static void drain(struct engine *en, bool now)
{
    if (!en->draining) {
        en->draining = true;
        en->drain_deadline_us = clock_mono_us() + en->conf.drain_timeout_us;
        waiters_drain(en->waiters);
        log_info("engine.draining", LI64("running", owned_count(&en->owned)));
    }
    if (now)
        en->drain_deadline_us = clock_mono_us();
}

/* The time to finish is over: what still runs is stopped and goes back to its queue. */
static void force_drain(struct engine *en)
{
    en->drain_forced = true;
    for (const struct owned *o = en->owned.by_key; o; o = o->hh.next) {
        struct link *link = links_find(en->links, o->worker_id);
        struct proto_cancel cancel = { .job_id = o->id,
                                       .attempt = o->attempt,
                                       .mode = PROTO_CANCEL_SHUTDOWN,
                                       .grace_us = USEC_PER_SEC };

        log_info("attempt.stopped_for_shutdown", LI64("attempt", o->attempt));
        if (link)
            proto_put_cancel(&link->out, &cancel);
    }
    links_flush(en->links);
}

/* Another front will go on with everything: only those who are connected are still answered. */
static void leave(struct engine *en)
{
    if (en->leaving)
        return;
    en->leaving = true;
    en->leave_deadline_us = clock_mono_us() + LEAVE_US;
    if (en->conf.on_leave)
        en->conf.on_leave(en->conf.ctx);
    waiters_drain(en->waiters);
    log_info("engine.leaving", LI64("in_hand", owned_count(&en->owned)));
}

/* Whoever has just connected is given a moment to be heard. */
static bool has_left(struct engine *en)
{
    usec_t now_us = clock_mono_us();

    if (!en->leaving)
        return false;
    if (en->conf.is_serving && en->conf.is_serving(en->conf.ctx))
        en->leave_quiet_us = 0;
    else if (en->leave_quiet_us == 0)
        en->leave_quiet_us = now_us;
    if (now_us >= en->leave_deadline_us)
        return true;
    return en->leave_quiet_us != 0 && now_us - en->leave_quiet_us >= LEAVE_QUIET_US &&
           !en->endings;
}

static void control_event(struct engine *en)
{
    for (;;) {
        struct control_msg msg;
        ssize_t n = recv(en->control_fd, &msg, sizeof msg, MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n != (ssize_t)sizeof msg) {
            en->lost = true;
            return;
        }
        if (msg.type == CONTROL_WORKER_EXITED)
            reports_worker_exited(en, &msg);
        else if (msg.type == CONTROL_STOP || msg.type == CONTROL_STOP_NOW)
            drain(en, msg.type == CONTROL_STOP_NOW);
        else if (msg.type == CONTROL_LEAVE)
            leave(en);
    }
}

/* -- status ---------------------------------------------------------------------------------
 */

/* One whose program is not up is there all the same. */
static bool is_retiring(const struct link *link)
{
    return link->pool[0] == '\0' ? link->capacity == 0
                                 : link->status.state == PROTO_STATE_DRAINING;
}

static bool pool_has_a_worker(struct engine *en, const struct pool *pool)
{
    for (const struct link *link = links_first(en->links); link; link = link->next)
        if (!link->broken && link->worker_id != 0 && !is_retiring(link) &&
            text_equal(link->pool, pool->name))
            return true;
    return false;
}

static bool every_pool_has_a_worker(struct engine *en)
{
    for (size_t i = 0; i < en->pool_count; i++)
        if (en->pools[i].expected && !pool_has_a_worker(en, &en->pools[i]))
            return false;
    return true;
}

static void update_status(struct engine *en)
{
    struct engine_status s = { .draining = en->draining,
                               .workers = links_count(en->links),
                               .busy = (unsigned)owned_count(&en->owned),
                               .waiting_jobs = en->waiting_jobs };
    bool first = false;

    atomic_store_explicit(&en->waiting_shown, en->waiting_jobs, memory_order_relaxed);
    if (!en->was_ready && every_pool_has_a_worker(en)) {
        en->was_ready = true;
        first = true;
    }
    if (en->draining)
        (void)text_copy(s.why_not, sizeof s.why_not, "shutting down");
    else if (en->failing.now)
        (void)text_copy(s.why_not, sizeof s.why_not, en->failing.why.text);
    else if (!en->was_ready)
        (void)text_copy(s.why_not, sizeof s.why_not, "starting: workers are not connected yet");
    else if (s.workers == 0)
        (void)text_copy(s.why_not, sizeof s.why_not, "no worker is connected");
    s.ready = s.why_not[0] == '\0';
    (void)pthread_mutex_lock(&en->status_mutex);
    en->status = s;
    (void)pthread_mutex_unlock(&en->status_mutex);
    roster_update(en);
    if (first && en->conf.on_ready)
        en->conf.on_ready(en->conf.ctx);
}

void engine_status(struct engine *en, struct engine_status *ret_status)
{
    (void)pthread_mutex_lock(&en->status_mutex);
    *ret_status = en->status;
    (void)pthread_mutex_unlock(&en->status_mutex);
}

void engine_request(struct engine *en, struct engine_request *rq)
{
    inbox_put(&en->inbox, rq);
}

void engine_stop(struct engine *en, bool now)
{
    inbox_stop(&en->inbox, now);
}

int64_t engine_waiting_jobs(const struct engine *en)
{
    return atomic_load_explicit(&en->waiting_shown, memory_order_relaxed);
}

unsigned engine_pending(const struct engine *en)
{
    return atomic_load_explicit(&en->inbox.depth, memory_order_relaxed) +
           atomic_load_explicit(&en->inbox.taken, memory_order_relaxed);
}

int64_t engine_change_seq(const struct engine *en)
{
    return atomic_load_explicit(&en->change_seq, memory_order_acquire);
}

struct waiters *engine_waiters(struct engine *en)
{
    return en->waiters;
}

/* -- the loop -------------------------------------------------------------------------------
 */

/* Sentinels in epoll's data.ptr; all else is a link, but the listener, which is en->links. */
static void dispatch_event(struct engine *en, const struct epoll_event *ev)
{
    if (ev->data.ptr == &en->inbox)
        inbox_awake(&en->inbox);
    else if (ev->data.ptr == &en->control_fd)
        control_event(en);
    else if (ev->data.ptr == en->links)
        links_accept(en->links);
    else
        links_event(en->links, ev->data.ptr, ev->events);
}

static void earlier(usec_t *wait_us, usec_t candidate_us)
{
    if (candidate_us < 0)
        candidate_us = 0;
    if (*wait_us < 0 || candidate_us < *wait_us)
        *wait_us = candidate_us;
}

/* Jobs become due by the wall clock, sleep is measured by the other one: when the first is set
 * ahead nobody tells us, so we look again before long. */
static usec_t time_to_due(const struct engine *en)
{
    usec_t left_us = en->next_due_us - clock_wall_us();

    return left_us < WALL_LOOK_US ? left_us : WALL_LOOK_US;
}

/* How long nothing needs to be done: microseconds, < 0 for ever. */
static usec_t time_to_sleep(struct engine *en, usec_t next_waiter_us)
{
    usec_t now_us = clock_mono_us();
    usec_t keeping_us;
    usec_t wait_us = -1;

    if (next_waiter_us != 0)
        earlier(&wait_us, next_waiter_us - now_us);
    if (en->failing.now)
        earlier(&wait_us, en->failing.retry_us - now_us);
    else if (en->next_due_us != 0)
        earlier(&wait_us, time_to_due(en));
    keeping_us = housekeeping_wait_us(en, clock_wall_us(), now_us);
    if (!en->failing.now && keeping_us >= 0)
        earlier(&wait_us, keeping_us);
    if (!en->failing.now && en->progress_due_us != 0)
        earlier(&wait_us, en->progress_due_us - now_us);
    if (en->feed.due_us != 0)
        earlier(&wait_us, en->feed.due_us - now_us);
    if (links_pause_end_us(en->links) != 0)
        earlier(&wait_us, links_pause_end_us(en->links) - now_us);
    if (en->gather.until_us != 0)
        earlier(&wait_us, en->gather.until_us - now_us);
    if (en->draining && !en->drain_forced)
        earlier(&wait_us, en->drain_deadline_us - now_us);
    if (en->leaving)
        earlier(&wait_us, LEAVE_LOOK_US);
    return wait_us;
}

/* Whether it may sleep: nothing is to be done now, and has come since we looked. */
static bool may_sleep(struct engine *en, enum turn_need need)
{
    switch (need) {
    case TURN_NONE:
        return inbox_sleep(&en->inbox);
    case TURN_LATER:
        return inbox_doze(&en->inbox);
    case TURN_NOW:
        break;
    }
    return false;
}

/* Each outcome would wake us, only to wait for more. They lie in their sockets, and are read
 * when we listen again; whoever asks for something still wakes us. Returns how long there is to
 * wait afterwards. */
static usec_t wait_deaf(struct engine *en, usec_t wait_us)
{
    usec_t deaf_us = gather_deaf_us(en, clock_mono_us());
    struct pollfd fds[] = { { .fd = en->inbox.wake_fd, .events = POLLIN },
                            { .fd = en->control_fd, .events = POLLIN } };
    const struct timespec timeout = { .tv_nsec = (long)deaf_us * 1000 };

    if (deaf_us == 0 || wait_us < deaf_us)
        return wait_us;
    assert(deaf_us < USEC_PER_SEC);
    (void)ppoll(fds, COUNT_OF(fds), &timeout, NULL); /* what is ready epoll says, too */
    return 0;
}

static int wait_for_events(struct engine *en, enum turn_need need, usec_t next_waiter_us,
                           struct errinfo *e)
{
    struct epoll_event events[EVENTS_MAX];
    usec_t wait_us = 0;
    int timeout_ms;
    int n;

    if (may_sleep(en, need))
        wait_us = time_to_sleep(en, next_waiter_us);
    if (need == TURN_LATER && wait_us > 0)
        wait_us = wait_deaf(en, wait_us);
    /* Rounded up: waking early would only make the loop turn once more. A day at most. */
    if (wait_us > (usec_t)86400 * USEC_PER_SEC)
        wait_us = (usec_t)86400 * USEC_PER_SEC;
    timeout_ms = wait_us < 0 ? -1 : (int)((wait_us + USEC_PER_MS - 1) / USEC_PER_MS);
    n = epoll_wait(en->epoll_fd, events, EVENTS_MAX, timeout_ms);
    if (n < 0 && errno != EINTR)
        return err_sys(e, "epoll_wait");
    for (int i = 0; i < n; i++)
        dispatch_event(en, &events[i]);
    return 0;
}

static bool drained(const struct engine *en)
{
    return en->draining && owned_count(&en->owned) == 0 && !en->endings;
}

static struct engine_request *take_requests(struct engine *en)
{
    bool stop;
    bool stop_now;
    struct engine_request *requests = inbox_take(&en->inbox, &stop, &stop_now);

    if (stop || stop_now)
        drain(en, stop_now);
    return requests;
}

int engine_run(struct engine *en, struct errinfo *e)
{
    struct errinfo gone = { 0 };
    int r = 0;

    while (r == 0 && !en->lost && !drained(en) && !has_left(en)) {
        enum turn_need need = turn_need(en, clock_wall_us(), clock_mono_us());
        struct engine_request *requests = need == TURN_LATER ? NULL : take_requests(en);
        usec_t next_waiter_us;

        if (en->draining && !en->drain_forced && clock_mono_us() >= en->drain_deadline_us)
            force_drain(en);
        if (requests || need == TURN_NOW)
            turn_run(en, requests);
        links_flush(en->links);
        links_reap(en->links);
        update_status(en);
        feed_tick(&en->feed, en->waiters, clock_mono_us());
        next_waiter_us = waiters_tick(en->waiters, clock_mono_us());
        need = turn_need(en, clock_wall_us(), clock_mono_us());
        /* A request that takes many turns must not keep the workers from being heard. */
        if (!drained(en) && (need != TURN_NOW || en->unfinished))
            r = wait_for_events(en, need, next_waiter_us, e);
    }
    waiters_drain(en->waiters);
    (void)err_set(&gone, ERR_DRAINING, "the server is shutting down: ask again");
    turn_refuse_unfinished(en, &gone);
    inbox_close(&en->inbox);
    if (en->lost)
        return err_set(e, ERR_CLOSED, "the supervisor is gone");
    return r;
}

/* -- begin and end --------------------------------------------------------------------------
 */

static int watch(struct engine *en, int fd, void *ptr, struct errinfo *e)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = ptr };

    if (epoll_ctl(en->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        return err_sys(e, "epoll_ctl");
    return 0;
}

static int open_events(struct engine *en, struct errinfo *e)
{
    struct links_events events = reports_events;
    int r;

    en->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (en->epoll_fd < 0)
        return err_sys(e, "epoll_create1");
    r = watch(en, en->inbox.wake_fd, &en->inbox, e);
    if (r < 0)
        return r;
    r = watch(en, en->control_fd, &en->control_fd, e);
    if (r < 0)
        return r;
    events.ctx = en;
    return links_new(en->epoll_fd, en->conf.start->worker_listen_fd, &events, &en->links, e);
}

static void make_pools(struct engine *en)
{
    const struct function_table *functions = en->conf.functions;

    en->pools = mem_array0(functions->count + 1, sizeof *en->pools);
    en->pools[en->pool_count++].name = "";
    for (size_t i = 0; i < functions->count; i++)
        if (functions->items[i].kind == FUNCTION_PROGRAM)
            en->pools[en->pool_count++].name = function_pool(&functions->items[i]);
    for (size_t i = 0; i < en->pool_count; i++)
        pool_wake(&en->pools[i]);
    for (size_t i = 0; i < en->conf.start->worker_count; i++) {
        struct pool *pool = engine_pool(en, en->conf.start->workers[i].pool);

        if (pool)
            pool->expected = true;
    }
}

int engine_new(const struct engine_conf *conf, struct engine **ret_engine, struct errinfo *e)
{
    AUTO(engine) struct engine *en = mem_new0(sizeof *en);
    int r;

    en->conf = *conf;
    en->epoll_fd = -1;
    en->control_fd = conf->start->control_fd;
    en->endings_last_next = &en->endings;
    en->unfinished_last_next = &en->unfinished;
    (void)pthread_mutex_init(&en->status_mutex, NULL); /* cannot fail for the default kind */
    r = inbox_init(&en->inbox, gather_may_wait, en, e);
    if (r < 0)
        return r;
    make_pools(en);
    depths_init(&en->depths, conf->queue_depths, conf->queue_depth_count);
    r = waiters_new(conf->max_waiters ? conf->max_waiters : WAITERS_DEFAULT, on_earlier_waiter,
                    en, &en->waiters, e);
    if (r < 0)
        return r;
    r = open_events(en, e);
    if (r < 0)
        return r;
    r = recovery_run(en, e);
    if (r < 0)
        return r;
    if (conf->start->stopping)
        drain(en, false);
    en->conf.start = NULL; /* borrowed until here */
    atomic_store_explicit(&en->change_seq, store_change_seq(conf->store), memory_order_release);
    update_status(en);
    *ret_engine = TAKE(en);
    return 0;
}

struct engine *engine_free(struct engine *en)
{
    struct ending *end;

    if (!en)
        return NULL;
    inbox_fini(&en->inbox);
    while ((end = en->endings)) {
        en->endings = end->next;
        outcome_fini(&end->outcome);
        free(end);
    }
    owned_table_fini(&en->owned);
    depths_fini(&en->depths);
    batches_fini(en);
    en->links = links_free(en->links);
    en->waiters = waiters_free(en->waiters);
    fd_fini(&en->epoll_fd);
    fd_fini(&en->control_fd);
    free(en->cleared);
    free(en->pools);
    free(en->workers);
    (void)pthread_mutex_destroy(&en->status_mutex);
    free(en);
    return NULL;
}
