#include "engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/state.h"

#define EVENTS_MAX                 64
#define PROGRESS_MESSAGE_MAX_BYTES ((size_t)1024)
#define WAITERS_DEFAULT            20000
/* A chatty program must not make the disk spin: what attempts say is written this often at
 * most. */
#define PROGRESS_INTERVAL_US (100 * USEC_PER_MS)
/* How late a job may become due when the wall clock has been set ahead. */
#define WALL_LOOK_US USEC_PER_SEC

/* -- requests from other threads ------------------------------------------------------------
 */

static void wake_up(struct engine *en)
{
    static const uint64_t one = 1;

    (void)!write(en->wake_fd, &one, sizeof one); /* fails only when it is readable already */
}

static void refuse_all(struct engine_request *list)
{
    struct engine_request *next;

    for (struct engine_request *rq = list; rq; rq = next) {
        next = rq->next;
        rq->result =
            err_set(&rq->err, ERR_DRAINING, "the server is shutting down: try another one");
        rq->done(rq);
    }
}

void engine_request(struct engine *en, struct engine_request *rq)
{
    bool asleep;
    bool closed;

    rq->next = NULL;
    rq->result = 0;
    (void)pthread_mutex_lock(&en->inbox.mutex);
    closed = en->inbox.closed;
    if (!closed) {
        *en->inbox.last_next = rq;
        en->inbox.last_next = &rq->next;
    }
    asleep = en->inbox.asleep;
    en->inbox.asleep = false;
    (void)pthread_mutex_unlock(&en->inbox.mutex);
    if (closed)
        refuse_all(rq);
    else if (asleep)
        wake_up(en);
}

void engine_stop(struct engine *en, bool now)
{
    (void)pthread_mutex_lock(&en->inbox.mutex);
    en->inbox.stop = true;
    en->inbox.stop_now = en->inbox.stop_now || now;
    (void)pthread_mutex_unlock(&en->inbox.mutex);
    wake_up(en);
}

static struct engine_request *inbox_take(struct engine *en, bool *ret_stop, bool *ret_stop_now)
{
    struct engine_request *list;

    (void)pthread_mutex_lock(&en->inbox.mutex);
    list = en->inbox.first;
    en->inbox.first = NULL;
    en->inbox.last_next = &en->inbox.first;
    en->inbox.asleep = false;
    *ret_stop = en->inbox.stop;
    *ret_stop_now = en->inbox.stop_now;
    (void)pthread_mutex_unlock(&en->inbox.mutex);
    return list;
}

/* Say that a write to wake_fd is needed from now on; false when something has come in already.
 */
static bool inbox_sleep(struct engine *en)
{
    bool empty;

    (void)pthread_mutex_lock(&en->inbox.mutex);
    empty = !en->inbox.first;
    en->inbox.asleep = empty;
    (void)pthread_mutex_unlock(&en->inbox.mutex);
    return empty;
}

static void on_earlier_waiter(void *ctx)
{
    wake_up(ctx);
}

/* -- attempts that end ----------------------------------------------------------------------
 */

struct pool *engine_pool(struct engine *en, const char *name)
{
    for (size_t i = 0; i < en->pool_count; i++)
        if (text_equal(en->pools[i].name, name))
            return &en->pools[i];
    return NULL;
}

static void acknowledge(struct engine *en, int64_t worker_id, struct uuid7 id, int attempt)
{
    struct proto_attempt ack = { .job_id = id, .attempt = attempt };
    struct link *link = links_find(en->links, worker_id);

    if (link)
        proto_put_ack(&link->out, &ack);
}

void engine_settle(struct engine *en, int64_t worker_id, bool from_spool,
                   struct outcome *take_outcome)
{
    struct owned *owned =
        owned_find_attempt(&en->owned, take_outcome->job_id, take_outcome->attempt);
    struct ending *end;

    if (!owned || owned->worker_id != worker_id) { /* recorded before, or never this worker's */
        log_info("attempt.stale", LI64("worker_id", worker_id),
                 LI64("attempt", take_outcome->attempt));
        acknowledge(en, worker_id, take_outcome->job_id, take_outcome->attempt);
        outcome_fini(take_outcome);
        return;
    }
    if (owned->settled) { /* told twice; the acknowledgement comes with the commit */
        outcome_fini(take_outcome);
        return;
    }
    owned->settled = true;
    end = mem_new0(sizeof *end);
    end->outcome = *take_outcome;
    end->worker_id = worker_id;
    end->from_spool = from_spool;
    *en->endings_last_next = end;
    en->endings_last_next = &end->next;
}

/* -- what workers say -----------------------------------------------------------------------
 */

static bool hello_holds(const struct proto_hello *hello, const struct owned *o)
{
    for (unsigned i = 0; i < hello->held_count; i++)
        if (uuid7_equal(hello->held[i].job_id, o->id) && hello->held[i].attempt == o->attempt)
            return true;
    return false;
}

void engine_settle_never_started(struct engine *en, const struct owned *o)
{
    struct outcome outcome = { .job_id = o->id,
                               .attempt = o->attempt,
                               .cause = CAUSE_NEVER_STARTED,
                               .exit_code = -1,
                               .started_at_us = clock_wall_us(),
                               .finished_at_us = clock_wall_us() };

    engine_settle(en, o->worker_id, false, &outcome);
}

/* Held by the worker, but not its attempt in the ledger: it must not run on. */
static void stop_strangers(struct engine *en, struct link *link,
                           const struct proto_hello *hello)
{
    for (unsigned i = 0; i < hello->held_count; i++) {
        const struct proto_attempt *held = &hello->held[i];
        const struct owned *o = owned_find_attempt(&en->owned, held->job_id, held->attempt);
        struct proto_cancel cancel = { .job_id = held->job_id,
                                       .attempt = held->attempt,
                                       .grace_us = -1 };

        if (o && o->worker_id == hello->worker_id && !o->canceling)
            continue;
        cancel.mode =
            o && o->worker_id == hello->worker_id ? PROTO_CANCEL_GRACEFUL : PROTO_CANCEL_FORCE;
        proto_put_cancel(&link->out, &cancel);
    }
}

static void on_hello(void *ctx, struct link *link, const struct proto_hello *hello)
{
    struct engine *en = ctx;

    log_info("worker.connected", LI64("worker_id", hello->worker_id),
             LI64("worker_pid", hello->pid), LSTR("pool", hello->pool),
             LI64("held", hello->held_count));
    for (const struct owned *o = en->owned.by_key; o; o = o->hh.next)
        if (o->worker_id == hello->worker_id && !hello_holds(hello, o))
            engine_settle_never_started(en, o);
    stop_strangers(en, link, hello);
}

static void on_outcome(void *ctx, struct link *link, struct outcome *take_outcome)
{
    engine_settle(ctx, link->worker_id, false, take_outcome);
}

/* A copy of at most PROGRESS_MESSAGE_MAX_BYTES, cut between characters (UTF-8: RFC 3629). */
static char *progress_message(const char *text)
{
    size_t len = text ? strnlen(text, PROGRESS_MESSAGE_MAX_BYTES + 1) : 0;

    if (!text)
        return NULL;
    if (len > PROGRESS_MESSAGE_MAX_BYTES)
        for (len = PROGRESS_MESSAGE_MAX_BYTES;
             len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80;)
            len--;
    return mem_dup(text, len);
}

static void on_progress(void *ctx, struct link *link, const struct proto_progress *progress)
{
    struct engine *en = ctx;
    struct owned *o = owned_find_attempt(&en->owned, progress->job_id, progress->attempt);

    if (!o || o->worker_id != link->worker_id)
        return;
    owned_progress(o, progress->fraction < 0 ? -1 : (int)(progress->fraction * 1e6 + 0.5),
                   progress_message(progress->message));
    if (en->progress_due_us == 0)
        en->progress_due_us = en->progress_last_us + PROGRESS_INTERVAL_US;
}

/* -- what the supervisor says ---------------------------------------------------------------
 */

/* For people; NULL when it has ended as it should. */
static const char *why_lost(const struct control_msg *msg, char room[96])
{
    if (msg->wait_status == 0)
        return NULL;
    if (msg->wait_status == CONTROL_STATUS_UNKNOWN)
        (void)snprintf(room, 96, "worker process %d of an earlier jobd has died", msg->pid);
    else if (WIFSIGNALED(msg->wait_status))
        (void)snprintf(room, 96, "worker process %d was killed by signal %d", msg->pid,
                       WTERMSIG(msg->wait_status));
    else
        (void)snprintf(room, 96, "worker process %d ended with exit code %d", msg->pid,
                       WEXITSTATUS(msg->wait_status));
    return room;
}

static void worker_exited(struct engine *en, const struct control_msg *msg)
{
    char room[96];
    const char *why = why_lost(msg, room);

    log_write(why ? LOG_WARN : LOG_INFO, "worker.exited",
              (const struct log_field[]){
                  LI64("worker_id", msg->worker_id), LSTR("why", why), { .name = NULL } });
    links_read_rest(en->links); /* its last words come first */
    for (const struct owned *o = en->owned.by_key; o; o = o->hh.next)
        if (o->worker_id == msg->worker_id && !o->settled)
            engine_settle_lost(en, o, why);
}

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
            worker_exited(en, &msg);
        else if (msg.type == CONTROL_STOP || msg.type == CONTROL_STOP_NOW)
            drain(en, msg.type == CONTROL_STOP_NOW);
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

struct waiters *engine_waiters(struct engine *en)
{
    return en->waiters;
}

/* -- the loop -------------------------------------------------------------------------------
 */

/* Sentinels in epoll's data.ptr; all else is a link, but the listener, which is en->links. */
static void dispatch_event(struct engine *en, const struct epoll_event *ev)
{
    uint64_t count;

    if (ev->data.ptr == &en->wake_fd)
        (void)!read(en->wake_fd, &count, sizeof count);
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
    usec_t wait_us = -1;

    if (next_waiter_us != 0)
        earlier(&wait_us, next_waiter_us - now_us);
    if (en->failing.now)
        earlier(&wait_us, en->failing.retry_us - now_us);
    else if (en->next_due_us != 0)
        earlier(&wait_us, time_to_due(en));
    if (!en->failing.now && en->progress_due_us != 0)
        earlier(&wait_us, en->progress_due_us - now_us);
    if (links_pause_end_us(en->links) != 0)
        earlier(&wait_us, links_pause_end_us(en->links) - now_us);
    if (en->draining && !en->drain_forced)
        earlier(&wait_us, en->drain_deadline_us - now_us);
    return wait_us;
}

static int wait_for_events(struct engine *en, usec_t next_waiter_us, struct errinfo *e)
{
    struct epoll_event events[EVENTS_MAX];
    usec_t wait_us = 0;
    int timeout_ms;
    int n;

    if (inbox_sleep(en))
        wait_us = time_to_sleep(en, next_waiter_us);
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

/* The loop is over: nobody would answer what came in late. */
static void inbox_close(struct engine *en)
{
    struct engine_request *late;
    bool stop;
    bool stop_now;

    (void)pthread_mutex_lock(&en->inbox.mutex);
    en->inbox.closed = true;
    (void)pthread_mutex_unlock(&en->inbox.mutex);
    late = inbox_take(en, &stop, &stop_now);
    refuse_all(late);
}

static bool drained(const struct engine *en)
{
    return en->draining && owned_count(&en->owned) == 0 && !en->endings;
}

int engine_run(struct engine *en, struct errinfo *e)
{
    int r = 0;

    while (r == 0 && !en->lost && !drained(en)) {
        struct engine_request *requests;
        usec_t next_waiter_us;
        bool stop;
        bool stop_now;

        requests = inbox_take(en, &stop, &stop_now);
        if (stop || stop_now)
            drain(en, stop_now);
        if (en->draining && !en->drain_forced && clock_mono_us() >= en->drain_deadline_us)
            force_drain(en);
        if (requests || turn_is_due(en, clock_wall_us(), clock_mono_us()))
            turn_run(en, requests);
        links_flush(en->links);
        links_reap(en->links);
        update_status(en);
        next_waiter_us = waiters_tick(en->waiters, clock_mono_us());
        if (!drained(en) && !turn_is_due(en, clock_wall_us(), clock_mono_us()))
            r = wait_for_events(en, next_waiter_us, e);
    }
    waiters_drain(en->waiters);
    inbox_close(en);
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
    const struct links_events events = {
        .on_hello = on_hello, .on_outcome = on_outcome, .on_progress = on_progress, .ctx = en
    };
    int r;

    en->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (en->epoll_fd < 0)
        return err_sys(e, "epoll_create1");
    en->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (en->wake_fd < 0)
        return err_sys(e, "eventfd");
    r = watch(en, en->wake_fd, &en->wake_fd, e);
    if (r < 0)
        return r;
    r = watch(en, en->control_fd, &en->control_fd, e);
    if (r < 0)
        return r;
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
        en->pools[i].may_have_jobs = true;
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
    en->wake_fd = -1;
    en->control_fd = conf->start->control_fd;
    en->inbox.last_next = &en->inbox.first;
    en->endings_last_next = &en->endings;
    (void)pthread_mutex_init(&en->inbox.mutex, NULL); /* cannot fail for the default kind */
    (void)pthread_mutex_init(&en->status_mutex, NULL);
    make_pools(en);
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
    update_status(en);
    *ret_engine = TAKE(en);
    return 0;
}

struct engine *engine_free(struct engine *en)
{
    struct ending *end;

    if (!en)
        return NULL;
    refuse_all(en->inbox.first);
    while ((end = en->endings)) {
        en->endings = end->next;
        outcome_fini(&end->outcome);
        free(end);
    }
    owned_table_fini(&en->owned);
    en->links = links_free(en->links);
    en->waiters = waiters_free(en->waiters);
    fd_fini(&en->wake_fd);
    fd_fini(&en->epoll_fd);
    fd_fini(&en->control_fd);
    free(en->pools);
    free(en->workers);
    (void)pthread_mutex_destroy(&en->inbox.mutex);
    (void)pthread_mutex_destroy(&en->status_mutex);
    free(en);
    return NULL;
}
