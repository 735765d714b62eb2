/* tests/unit/test_engine.c - the ledger loop against a real store, with this test as the
 * workers and as the supervisor: it speaks the wire protocol, so it can die, lie and come back
 * at any moment. */
#include "tests/support/test.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/requests.h"
#include "pool/backlog.h"
#include "pool/begun.h"
#include "pool/paths.h"
#include "pool/proto.h"
#include "pool/spool.h"
#include "tests/support/tmp.h"

static char function_name[] = "count";
static char arg_wc[] = "wc";
static char *function_argv[] = { arg_wc, NULL };
static struct function functions[] = {
    { .name = function_name, .kind = FUNCTION_COMMAND, .argv = function_argv, .argc = 1 },
};
static const struct function_table table = { .items = functions, .count = 1 };

/* -- a front around the engine --------------------------------------------------------------
 */

struct fixture {
    char dir[TMP_SIZE];
    struct store *store;
    struct engine *engine;
    pthread_t thread;
    int control; /* the supervisor's end */
    int run_result;
    struct worker_info workers[2];
    size_t worker_count;
    int64_t max_waiting_jobs;
    struct queue_depth depth; /* queue NULL: none */
};

static void *engine_thread(void *arg)
{
    struct fixture *fx = arg;
    struct errinfo e = { 0 };

    fx->run_result = engine_run(fx->engine, &e);
    return NULL;
}

static struct sockaddr_un socket_address(const struct fixture *fx)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/run/front.sock", fx->dir);
    return address;
}

static void start_front(struct fixture *fx)
{
    struct store_conf store_conf = { .data_dir = fx->dir, .durability = STORE_RELAXED };
    struct sockaddr_un address = socket_address(fx);
    struct errinfo e = { 0 };
    struct front_start start = { .workers = fx->workers, .worker_count = fx->worker_count };
    struct engine_conf conf = { .data_dir = fx->dir,
                                .functions = &table,
                                .start = &start,
                                .max_waiting_jobs = fx->max_waiting_jobs,
                                .queue_depths = &fx->depth,
                                .queue_depth_count = fx->depth.queue ? 1 : 0,
                                .quarantine_after = 3,
                                .drain_timeout_us = 50 * USEC_PER_MS };
    int control[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
    fx->control = control[0];
    start.control_fd = control[1];
    start.worker_listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlink(address.sun_path);
    assert_int_equal(bind(start.worker_listen_fd, (struct sockaddr *)&address, sizeof address),
                     0);
    assert_int_equal(listen(start.worker_listen_fd, 8), 0);
    assert_int_equal(store_open("sqlite", &store_conf, &fx->store, &e), 0);
    conf.store = fx->store;
    assert_int_equal(engine_new(&conf, &fx->engine, &e), 0);
    assert_int_equal(pthread_create(&fx->thread, NULL, engine_thread, fx), 0);
}

/* End the front as SIGKILL would: nothing more is read, answered or written. */
static void kill_front(struct fixture *fx)
{
    (void)close(fx->control); /* the engine gives up at once */
    (void)pthread_join(fx->thread, NULL);
    fx->engine = engine_free(fx->engine);
    fx->store = store_free(fx->store);
}

static int setup(void **state)
{
    struct fixture *fx = mem_new0(sizeof *fx);

    log_set_level(LOG_ERROR);
    (void)tmp_dir_make(fx->dir);
    assert_int_equal(paths_prepare(fx->dir, NULL), 0);
    fx->max_waiting_jobs = 1000;
    start_front(fx);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    if (fx->engine)
        kill_front(fx);
    tmp_dir_remove(fx->dir);
    free(fx);
    return 0;
}

/* -- clients --------------------------------------------------------------------------------
 */

struct client {
    union {
        struct engine_request rq; /* first: done() casts back */
        struct submit_request submit;
        struct cancel_request cancel;
    };
    sem_t done;
};

static void on_done(struct engine_request *rq)
{
    (void)sem_post(&((struct client *)rq)->done);
}

static void ask(struct fixture *fx, struct client *c)
{
    (void)sem_init(&c->done, 0, 0);
    c->rq.done = on_done;
    engine_request(fx->engine, &c->rq);
    while (sem_wait(&c->done) != 0)
        ;
    (void)sem_destroy(&c->done);
}

static struct client submission(void)
{
    struct client c = { .rq = { .op = ENGINE_SUBMIT } };

    c.submit.job.state = JOB_QUEUED;
    c.submit.job.version = 1;
    c.submit.job.function = mem_str("count");
    c.submit.job.pool = mem_str("");
    c.submit.job.queue = mem_str("default");
    c.submit.job.payload = mem_str("{}");
    c.submit.job.payload_len = 2;
    c.submit.job.grace_us = USEC_PER_SEC;
    return c;
}

static struct uuid7 submit(struct fixture *fx)
{
    struct client c = submission();
    struct uuid7 id;

    ask(fx, &c);
    assert_int_equal(c.rq.result, 0);
    id = c.submit.job.id;
    job_fini(&c.submit.job);
    return id;
}

static int cancel(struct fixture *fx, struct uuid7 id, enum cancel_mode mode)
{
    struct client c = {
        .cancel = { .rq.op = ENGINE_CANCEL, .id = id, .way = { .mode = mode, .grace_us = -1 } }
    };

    ask(fx, &c);
    return c.rq.result;
}

static struct job read_job(struct fixture *fx, struct uuid7 id)
{
    struct store_reader *rd = NULL;
    struct job job = { 0 };

    assert_int_equal(store_reader_get(fx->store, &rd, NULL), 0);
    assert_int_equal(store_read_job(rd, id, 1000, &job, NULL), 0);
    store_reader_put(fx->store, rd);
    return job;
}

static sem_t changed;

static void on_change(struct waiter *w)
{
    (void)w;
    (void)sem_post(&changed);
}

/* Wait until the job is in that state, by the events that long-polls use. */
static void await_state(struct fixture *fx, struct uuid7 id, enum job_state want)
{
    for (;;) {
        struct waiter w = { .job_id = id,
                            .any_change = true,
                            .deadline_us = clock_mono_us() + PATIENCE_US,
                            .wake = on_change };
        struct job job;
        enum job_state now;

        (void)sem_init(&changed, 0, 0);
        assert_int_equal(waiters_add(engine_waiters(fx->engine), &w, NULL), 0);
        job = read_job(fx, id);
        now = job.state;
        job_fini(&job);
        if (now == want) {
            if (!waiters_remove(engine_waiters(fx->engine), &w))
                (void)sem_wait(&changed);
            return;
        }
        (void)sem_wait(&changed);
        assert_true(clock_mono_us() < w.deadline_us);
    }
}

/* -- workers --------------------------------------------------------------------------------
 */

struct worker {
    int fd;
    struct buf in;
};

static void send_frames(struct worker *w, struct buf *out)
{
    assert_int_equal(fd_write_all(w->fd, out->data, out->len, NULL), 0);
    buf_fini(out);
}

static struct worker worker_connect(struct fixture *fx, int64_t worker_id,
                                    const struct proto_attempt *held)
{
    struct worker w = { .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    struct sockaddr_un address = socket_address(fx);
    struct proto_hello hello = { .worker_id = worker_id, .pid = 4000, .capacity = 1 };
    struct buf out = { 0 };

    if (held) {
        hello.held[0] = *held;
        hello.held_count = 1;
    }
    assert_int_equal(connect(w.fd, (struct sockaddr *)&address, sizeof address), 0);
    proto_put_hello(&out, &hello);
    send_frames(&w, &out);
    return w;
}

static void worker_close(struct worker *w)
{
    (void)close(w->fd);
    buf_fini(&w->in);
}

/* The next frame's type and body; fails the test when none comes. */
static enum proto_type next_frame(struct worker *w, struct buf *body)
{
    for (;;) {
        enum proto_type type;
        const char *bytes;
        size_t len;
        int r = proto_next(&w->in, &type, &bytes, &len, NULL);
        struct pollfd pfd = { .fd = w->fd, .events = POLLIN };
        ssize_t n;

        assert_true(r >= 0);
        if (r > 0) {
            buf_clear(body);
            buf_add(body, bytes, len);
            buf_consume(&w->in, (size_t)r);
            return type;
        }
        assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
        n = read(w->fd, buf_reserve(&w->in, 4096), 4096);
        assert_true(n > 0);
        buf_commit(&w->in, (size_t)n);
    }
}

static struct proto_attempt expect_run(struct worker *w)
{
    AUTO_FINI(buf) struct buf body = { 0 };
    AUTO_FINI(order) struct order order = { 0 };

    assert_int_equal(next_frame(w, &body), PROTO_RUN);
    assert_int_equal(proto_get_run(body.data, body.len, &order, NULL), 0);
    assert_string_equal(order.argv[0], "wc");
    return (struct proto_attempt){ .job_id = order.job_id, .attempt = order.attempt };
}

static struct proto_cancel expect_cancel(struct worker *w)
{
    AUTO_FINI(buf) struct buf body = { 0 };
    struct proto_cancel cancel = { 0 };

    assert_int_equal(next_frame(w, &body), PROTO_CANCEL);
    assert_int_equal(proto_get_cancel(body.data, body.len, &cancel, NULL), 0);
    return cancel;
}

static void expect_ack(struct worker *w, const struct proto_attempt *want)
{
    AUTO_FINI(buf) struct buf body = { 0 };
    struct proto_attempt ack = { 0 };

    assert_int_equal(next_frame(w, &body), PROTO_ACK);
    assert_int_equal(proto_get_ack(body.data, body.len, &ack, NULL), 0);
    assert_true(uuid7_equal(ack.job_id, want->job_id));
    assert_int_equal(ack.attempt, want->attempt);
}

static struct outcome outcome_of(const struct proto_attempt *a, enum cause cause)
{
    return (struct outcome){ .job_id = a->job_id,
                             .attempt = a->attempt,
                             .cause = cause,
                             .exit_code = cause == CAUSE_NONE ? 0 : -1,
                             .started_at_us = 1,
                             .finished_at_us = 2 };
}

static void send_outcome(struct worker *w, const struct proto_attempt *a, enum cause cause)
{
    struct outcome o = outcome_of(a, cause);
    struct buf out = { 0 };

    proto_put_outcome(&out, &o);
    send_frames(w, &out);
}

static void report_exit(struct fixture *fx, int64_t worker_id)
{
    struct control_msg msg = {
        .type = CONTROL_WORKER_EXITED, .pid = 4000, .worker_id = worker_id, .wait_status = 9
    };

    assert_int_equal(send(fx->control, &msg, sizeof msg, 0), sizeof msg);
}

static void control(struct fixture *fx, int32_t type)
{
    struct control_msg msg = { .type = type };

    assert_int_equal(send(fx->control, &msg, sizeof msg, 0), sizeof msg);
}

/* -- the tests ------------------------------------------------------------------------------
 */

static void a_job_is_run_recorded_and_acknowledged(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit(fx);
    struct proto_attempt a = expect_run(&w);
    struct job job;

    assert_true(uuid7_equal(a.job_id, id));
    assert_int_equal(a.attempt, 1);
    job = read_job(fx, id);
    assert_int_equal(job.state, JOB_RUNNING); /* on disk before the order was sent */
    assert_int_equal(job.worker_id, 1);
    job_fini(&job);
    send_outcome(&w, &a, CAUSE_NONE);
    expect_ack(&w, &a);
    job = read_job(fx, id);
    assert_int_equal(job.state, JOB_SUCCEEDED);
    assert_int_equal(job.version, 3);
    job_fini(&job);
    worker_close(&w);
}

static void a_failed_attempt_fails_the_job(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit(fx);
    struct proto_attempt a = expect_run(&w);
    struct job job;

    send_outcome(&w, &a, CAUSE_SIGNAL);
    expect_ack(&w, &a);
    job = read_job(fx, id);
    assert_int_equal(job.state, JOB_FAILED);
    assert_int_equal(job.outcome.cause, CAUSE_SIGNAL);
    job_fini(&job);
    worker_close(&w);
}

static void a_worker_gets_no_second_job_before_the_first_has_ended(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 first = submit(fx);
    struct uuid7 second = submit(fx);
    struct proto_attempt a = expect_run(&w);
    struct job job = read_job(fx, second);

    assert_true(uuid7_equal(a.job_id, first));
    assert_int_equal(job.state, JOB_QUEUED);
    job_fini(&job);
    send_outcome(&w, &a, CAUSE_NONE);
    expect_ack(&w, &a);
    a = expect_run(&w);
    assert_true(uuid7_equal(a.job_id, second));
    worker_close(&w);
}

/* Its attempts are short. */
static void become_quick(struct fixture *fx, struct worker *w)
{
    for (int i = 0; i < 20; i++) {
        struct proto_attempt a;

        (void)submit(fx);
        a = expect_run(w);
        send_outcome(w, &a, CAUSE_NONE);
        expect_ack(w, &a);
    }
}

static void a_quick_worker_is_sent_orders_ahead(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);

    become_quick(fx, &w);
    for (int i = 0; i < 3; i++)
        (void)submit(fx);
    for (int i = 0; i < 3; i++)
        (void)expect_run(&w);
    worker_close(&w);
}

static void what_a_dead_worker_had_not_begun_is_queued_again(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct begun begun = { 0 };
    struct proto_attempt first;
    struct proto_attempt second;

    become_quick(fx, &w);
    (void)submit(fx);
    (void)submit(fx);
    first = expect_run(&w);
    second = expect_run(&w);
    assert_int_equal(begun_open(fx->dir, 1, &begun, NULL), 0);
    assert_int_equal(begun_add(&begun, first.job_id, first.attempt), 0);
    begun_close(&begun);
    worker_close(&w);
    report_exit(fx, 1);
    await_state(fx, first.job_id, JOB_FAILED);
    await_state(fx, second.job_id, JOB_QUEUED);

    w = worker_connect(fx, 2, NULL);
    first = expect_run(&w);
    assert_true(uuid7_equal(first.job_id, second.job_id));
    assert_int_equal(first.attempt, 2);
    worker_close(&w);
}

static struct uuid7 submit_priority(struct fixture *fx, int priority)
{
    struct client c = submission();
    struct uuid7 id;

    c.submit.job.priority = priority;
    ask(fx, &c);
    id = c.submit.job.id;
    job_fini(&c.submit.job);
    return id;
}

/* Whether it was queued before or comes just now. */
static void the_highest_priority_comes_next_then_the_oldest(void **state)
{
    struct fixture *fx = *state;
    struct uuid7 low = submit_priority(fx, -1);
    struct uuid7 same = submit_priority(fx, 5);
    struct uuid7 high;
    struct uuid7 same_but_later;
    struct worker w = worker_connect(fx, 1, NULL);
    struct proto_attempt a = expect_run(&w);
    const struct uuid7 *want[] = { &high, &same_but_later, &low };

    assert_true(uuid7_equal(a.job_id, same));
    same_but_later = submit_priority(fx, 5);
    high = submit_priority(fx, 6);
    send_outcome(&w, &a, CAUSE_NONE);
    expect_ack(&w, &a);
    for (size_t i = 0; i < COUNT_OF(want); i++) { /* it was quick: the others come ahead */
        a = expect_run(&w);
        assert_true(uuid7_equal(a.job_id, *want[i]));
    }
    worker_close(&w);
}

/* Nothing but jobs that come after it wait when a worker has room. */
static void one_of_higher_priority_passes_those_that_wait_for_room(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 high;
    struct proto_attempt a;

    become_quick(fx, &w);
    for (int i = 0; i < BACKLOG_MAX + 5; i++)
        (void)submit_priority(fx, 0);
    a = expect_run(&w);
    for (int i = 1; i < BACKLOG_MAX + 1; i++)
        (void)expect_run(&w);
    high = submit_priority(fx, 1);
    send_outcome(&w, &a, CAUSE_NONE);
    expect_ack(&w, &a);
    a = expect_run(&w);
    assert_true(uuid7_equal(a.job_id, high));
    worker_close(&w);
}

static void send_status(struct worker *w, enum proto_state state, unsigned capacity)
{
    const struct proto_status status = {
        .state = state,
        .capacity = capacity,
        .program_pid = 4711,
        .rss_bytes = 1 << 20,
        .reason = "as a test",
    };
    struct buf out = { 0 };

    proto_put_status(&out, &status);
    send_frames(w, &out);
}

static void what_a_worker_takes_changes_with_its_status(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 7, NULL);
    struct uuid7 ids[3];
    struct proto_attempt first;
    struct proto_attempt second;

    send_status(&w, PROTO_STATE_CIRCUIT_OPEN, 0);
    for (int i = 0; i < 3; i++)
        ids[i] = submit(fx);
    send_status(&w, PROTO_STATE_UP, 2);
    first = expect_run(&w); /* not one was sent before */
    second = expect_run(&w);
    assert_true(uuid7_equal(first.job_id, ids[0]));
    assert_true(uuid7_equal(second.job_id, ids[1]));
    await_state(fx, ids[2], JOB_QUEUED);
    send_outcome(&w, &second, CAUSE_NONE);
    expect_ack(&w, &second);
    assert_true(uuid7_equal(expect_run(&w).job_id, ids[2]));
    worker_close(&w);
}

static void the_roster_says_what_workers_say(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 7, NULL);
    struct engine_worker *list = NULL;
    struct proto_attempt run;
    struct uuid7 id;

    send_status(&w, PROTO_STATE_UP, 1);
    id = submit(fx);
    run = expect_run(&w);
    send_outcome(&w, &run, CAUSE_NONE);
    expect_ack(&w, &run);
    await_state(fx, id, JOB_SUCCEEDED);
    send_status(&w, PROTO_STATE_CIRCUIT_OPEN, 0);
    for (;;) { /* until it has read that: nobody tells */
        struct pollfd never = { .fd = -1 };

        assert_int_equal(engine_workers(fx->engine, &list), 1);
        if (list->state == ENGINE_WORKER_CIRCUIT_OPEN)
            break;
        free(list);
        (void)poll(&never, 1, 1);
    }
    assert_int_equal(list->worker_id, 7);
    assert_int_equal(list->pid, 4000);
    assert_int_equal(list->capacity, 0);
    assert_int_equal(list->held, 0);
    assert_int_equal(list->jobs_total, 1);
    assert_int_equal(list->program_pid, 4711);
    assert_int_equal(list->rss_bytes, 1 << 20);
    assert_string_equal(list->reason, "as a test");
    assert_string_equal(engine_worker_state_name(list->state), "circuit_open");
    free(list);
    worker_close(&w);
}

static void canceling_a_queued_job_ends_it_at_once(void **state)
{
    struct fixture *fx = *state;
    struct uuid7 id = submit(fx);
    struct job job;

    assert_int_equal(cancel(fx, id, CANCEL_GRACEFUL), 0);
    assert_int_equal(cancel(fx, id, CANCEL_GRACEFUL), 0); /* twice is fine */
    job = read_job(fx, id);
    assert_int_equal(job.state, JOB_CANCELED);
    assert_int_equal(job.version, 2);
    job_fini(&job);
}

static void canceling_a_running_job_waits_for_the_worker_s_proof(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit(fx);
    struct proto_attempt a = expect_run(&w);
    struct proto_cancel c;
    struct job job;

    assert_int_equal(cancel(fx, id, CANCEL_GRACEFUL), 0);
    c = expect_cancel(&w);
    assert_int_equal(c.mode, PROTO_CANCEL_GRACEFUL);
    job = read_job(fx, id);
    assert_int_equal(job.state, JOB_CANCELING);
    job_fini(&job);
    assert_int_equal(cancel(fx, id, CANCEL_FORCE), 0); /* impatience goes through */
    c = expect_cancel(&w);
    assert_int_equal(c.mode, PROTO_CANCEL_FORCE);
    send_outcome(&w, &a, CAUSE_CANCELED);
    expect_ack(&w, &a);
    job = read_job(fx, id);
    assert_int_equal(job.state, JOB_CANCELED);
    job_fini(&job);
    worker_close(&w);
}

static void a_job_that_finishes_well_in_its_grace_has_succeeded(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit(fx);
    struct proto_attempt a = expect_run(&w);
    struct job job;

    assert_int_equal(cancel(fx, id, CANCEL_GRACEFUL), 0);
    (void)expect_cancel(&w);
    send_outcome(&w, &a, CAUSE_NONE);
    expect_ack(&w, &a);
    job = read_job(fx, id);
    assert_int_equal(job.state, JOB_SUCCEEDED);
    assert_true(job.cancel_requested_at_us > 0);
    job_fini(&job);
    assert_int_equal(cancel(fx, id, CANCEL_GRACEFUL), ERR_JOB_FINISHED);
    worker_close(&w);
}

static void canceling_an_unknown_job_is_not_found(void **state)
{
    assert_int_equal(cancel(*state, uuid7_from_parts(12345, 6), CANCEL_FORCE),
                     ERR_JOB_NOT_FOUND);
}

static void an_exited_worker_s_attempt_is_lost(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit(fx);
    struct job job;

    (void)expect_run(&w);
    worker_close(&w);
    report_exit(fx, 1);
    await_state(fx, id, JOB_FAILED);
    job = read_job(fx, id);
    assert_int_equal(job.outcome.cause, CAUSE_WORKER_LOST);
    assert_non_null(strstr(job.outcome.message, "signal 9"));
    job_fini(&job);
}

static void the_last_words_of_a_dead_worker_count(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit(fx);
    struct proto_attempt a = expect_run(&w);

    send_outcome(&w, &a, CAUSE_NONE); /* and dies before the acknowledgement */
    worker_close(&w);
    report_exit(fx, 1);
    await_state(fx, id, JOB_SUCCEEDED);
}

static void an_outcome_left_in_the_spool_counts(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit(fx);
    struct proto_attempt a = expect_run(&w);
    struct outcome o = outcome_of(&a, CAUSE_NONE);
    struct outcome left = { 0 };

    assert_int_equal(spool_write(fx->dir, &o, NULL), 0);
    worker_close(&w);
    report_exit(fx, 1);
    await_state(fx, id, JOB_SUCCEEDED);
    kill_front(fx); /* now the file must be gone */
    assert_int_equal(spool_read(fx->dir, id, 1, &left, NULL), ERR_NOT_FOUND);
}

static void a_worker_that_comes_back_goes_on_with_its_attempt(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit(fx);
    struct proto_attempt a = expect_run(&w);
    struct job job;

    kill_front(fx);
    worker_close(&w);
    fx->workers[0] = (struct worker_info){ .worker_id = 1, .pid = 4000 };
    fx->worker_count = 1;
    start_front(fx);
    w = worker_connect(fx, 1, &a);
    send_outcome(&w, &a, CAUSE_NONE);
    expect_ack(&w, &a);
    job = read_job(fx, id);
    assert_int_equal(job.state, JOB_SUCCEEDED);
    assert_int_equal(job.attempt, 1);
    job_fini(&job);
    worker_close(&w);
}

static void an_attempt_that_never_reached_its_worker_is_queued_again(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit(fx);
    struct proto_attempt a = expect_run(&w);
    struct proto_attempt again;

    kill_front(fx); /* as if it had died between the commit and the sending */
    worker_close(&w);
    fx->workers[0] = (struct worker_info){ .worker_id = 1, .pid = 4000 };
    fx->worker_count = 1;
    start_front(fx);
    w = worker_connect(fx, 1, NULL); /* holds nothing */
    for (;;) { /* the settling is acknowledged, then the job comes again */
        AUTO_FINI(buf) struct buf body = { 0 };
        AUTO_FINI(order) struct order order = { 0 };

        if (next_frame(&w, &body) != PROTO_RUN)
            continue;
        assert_int_equal(proto_get_run(body.data, body.len, &order, NULL), 0);
        again = (struct proto_attempt){ .job_id = order.job_id, .attempt = order.attempt };
        break;
    }
    assert_true(uuid7_equal(again.job_id, id));
    assert_true(again.attempt > a.attempt); /* a fence is never used twice */
    worker_close(&w);
}

static void after_a_restart_attempts_of_dead_workers_are_lost(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit(fx);

    (void)expect_run(&w);
    kill_front(fx);
    worker_close(&w);
    start_front(fx); /* no workers are alive */
    await_state(fx, id, JOB_FAILED);
}

static void a_stale_outcome_is_acknowledged_and_changes_nothing(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit(fx);
    struct proto_attempt a = expect_run(&w);
    struct proto_attempt stale = { .job_id = id, .attempt = 7 };
    struct job job;

    send_outcome(&w, &stale, CAUSE_NONE);
    expect_ack(&w, &stale);
    job = read_job(fx, id);
    assert_int_equal(job.state, JOB_RUNNING);
    job_fini(&job);
    send_outcome(&w, &a, CAUSE_NONE);
    expect_ack(&w, &a);
    send_outcome(&w, &a, CAUSE_SIGNAL); /* told twice: the first counts */
    expect_ack(&w, &a);
    job = read_job(fx, id);
    assert_int_equal(job.state, JOB_SUCCEEDED);
    job_fini(&job);
    worker_close(&w);
}

static void a_worker_that_holds_what_it_should_not_is_told_to_stop(void **state)
{
    struct fixture *fx = *state;
    struct proto_attempt held = { .job_id = uuid7_from_parts(99, 1), .attempt = 1 };
    struct worker w = worker_connect(fx, 5, &held);

    assert_int_equal(expect_cancel(&w).mode, PROTO_CANCEL_FORCE);
    worker_close(&w);
}

static void too_many_waiting_jobs_are_refused(void **state)
{
    struct fixture *fx = *state;
    struct client c = submission();

    kill_front(fx);
    fx->max_waiting_jobs = 2;
    start_front(fx);
    (void)submit(fx);
    (void)submit(fx);
    ask(fx, &c);
    assert_int_equal(c.rq.result, ERR_QUEUE_FULL);
    job_fini(&c.submit.job);
}

static int submit_to(struct fixture *fx, const char *queue)
{
    struct client c = submission();
    int result;

    free(c.submit.job.queue);
    c.submit.job.queue = mem_str(queue);
    ask(fx, &c);
    result = c.rq.result;
    job_fini(&c.submit.job);
    return result;
}

static void a_queue_may_have_a_bound_of_its_own(void **state)
{
    struct fixture *fx = *state;
    struct uuid7 id;

    (void)submit(fx);
    kill_front(fx);
    fx->depth = (struct queue_depth){ .queue = "default=2", .queue_len = 7, .max = 2 };
    start_front(fx);
    id = submit(fx);
    assert_int_equal(submit_to(fx, "default"), ERR_QUEUE_FULL);
    assert_int_equal(submit_to(fx, "other"), 0);
    assert_int_equal(cancel(fx, id, CANCEL_GRACEFUL), 0);
    while (submit_to(fx, "default") == ERR_QUEUE_FULL)
        ; /* until it has been counted again */
    assert_int_equal(submit_to(fx, "default"), ERR_QUEUE_FULL);
}

static void a_job_is_there_for_its_tenant_only(void **state)
{
    struct fixture *fx = *state;
    struct client c = submission();
    struct client stop = { .cancel = { .rq.op = ENGINE_CANCEL, .way = { .grace_us = -1 } } };
    struct job job;

    c.submit.job.tenant = mem_str("ours");
    c.submit.job.created_by = mem_str("key7");
    ask(fx, &c);
    job = read_job(fx, c.submit.job.id);
    assert_string_equal(job_tenant(&job), "ours");
    assert_string_equal(job.created_by, "key7");
    job_fini(&job);

    stop.cancel.id = c.submit.job.id;
    stop.rq.tenant = "";
    ask(fx, &stop);
    assert_int_equal(stop.rq.result, ERR_JOB_NOT_FOUND);
    stop.rq.tenant = "ours";
    ask(fx, &stop);
    assert_int_equal(stop.rq.result, 0);
    job_fini(&c.submit.job);
}

static void a_job_of_a_removed_function_is_rejected_not_looped(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct client c = submission();
    struct job job;

    free(c.submit.job.function);
    c.submit.job.function = mem_str("gone");
    ask(fx, &c);
    assert_int_equal(c.rq.result, 0);
    await_state(fx, c.submit.job.id, JOB_FAILED);
    job = read_job(fx, c.submit.job.id);
    assert_int_equal(job.outcome.cause, CAUSE_REJECTED);
    job_fini(&job);
    job_fini(&c.submit.job);
    worker_close(&w);
}

/* As the handler does it: whoever waits for the end begins to when the submit is answered. */
struct patient {
    struct client client;
    struct fixture *fx;
    struct waiter waiter;
};

static void wait_from_now_on(struct engine_request *rq)
{
    struct patient *p = (struct patient *)rq;

    p->waiter = (struct waiter){ .job_id = p->client.submit.job.id,
                                 .deadline_us = clock_mono_us() + PATIENCE_US,
                                 .wake = on_change };
    if (waiters_add(engine_waiters(p->fx->engine), &p->waiter, NULL) < 0)
        abort();
}

static void who_waits_is_told_what_the_turn_of_the_submit_has_done(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct patient p = { .client = submission(), .fx = fx };
    struct proto_attempt before;

    (void)submit(fx);
    before = expect_run(&w);
    send_outcome(&w, &before, CAUSE_NONE);
    expect_ack(&w, &before); /* the worker is free now, and gets the next one at once */
    free(p.client.submit.job.function);
    p.client.submit.job.function = mem_str("gone");
    (void)sem_init(&changed, 0, 0);
    p.client.rq.done = wait_from_now_on;
    engine_request(fx->engine, &p.client.rq);
    while (sem_wait(&changed) != 0)
        ;
    assert_true(clock_mono_us() < p.waiter.deadline_us); /* by the end, not by the deadline */
    job_fini(&p.client.submit.job);
    worker_close(&w);
}

static void a_scheduled_job_runs_when_its_time_has_come(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct client c = submission();
    usec_t due_us = clock_wall_us() + 30 * USEC_PER_MS;
    struct proto_attempt a;

    c.submit.job.state = JOB_SCHEDULED;
    c.submit.job.scheduled_at_us = due_us;
    ask(fx, &c);
    assert_int_equal(c.rq.result, 0);
    a = expect_run(&w);
    assert_true(clock_wall_us() >= due_us);
    assert_true(uuid7_equal(a.job_id, c.submit.job.id));
    job_fini(&c.submit.job);
    worker_close(&w);
}

/* -- more than one attempt ------------------------------------------------------------------
 */

#define RETRY_DELAY_US (30 * USEC_PER_MS)

static struct uuid7 submit_policy(struct fixture *fx, char *take_payload)
{
    struct client c = submission();
    struct uuid7 id;

    free(c.submit.job.payload);
    c.submit.job.payload = take_payload;
    c.submit.job.payload_len = strlen(take_payload);
    ask(fx, &c);
    assert_int_equal(c.rq.result, 0);
    id = c.submit.job.id;
    job_fini(&c.submit.job);
    return id;
}

/* A job that is tried again, at most so often, after RETRY_DELAY_US. more: other members. */
static struct uuid7 submit_patient(struct fixture *fx, int max_attempts, const char *more)
{
    return submit_policy(fx,
                         mem_printf("{\"retry\":{\"max_attempts\":%d,\"backoff\":\"constant\","
                                    "\"initial_delay_seconds\":0.03,\"jitter\":0%s}}",
                                    max_attempts, more));
}

static void assert_failed(struct fixture *fx, struct uuid7 id, int attempt, enum cause cause)
{
    struct job job = read_job(fx, id);

    assert_int_equal(job.state, JOB_FAILED);
    assert_int_equal(job.attempt, attempt);
    assert_int_equal(job.outcome.cause, cause);
    job_fini(&job);
}

/* The worker gets this attempt, which ends so. */
static void run_attempt(struct worker *w, int attempt, enum cause cause)
{
    struct proto_attempt a = expect_run(w);

    assert_int_equal(a.attempt, attempt);
    send_outcome(w, &a, cause);
    expect_ack(w, &a);
}

/* The same, and no other attempt comes to this worker, however soon it is due. */
static void run_last_attempt(struct worker *w, int attempt, enum cause cause)
{
    struct proto_attempt a = expect_run(w);

    assert_int_equal(a.attempt, attempt);
    send_status(w, PROTO_STATE_CIRCUIT_OPEN, 0);
    send_outcome(w, &a, cause);
    expect_ack(w, &a);
}

static void a_failed_attempt_is_followed_by_another_after_its_delay(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit_patient(fx, 3, "");
    usec_t before_us = clock_wall_us();
    usec_t failed_us;
    struct job job;

    run_attempt(&w, 1, CAUSE_SIGNAL);
    failed_us = clock_wall_us();
    job = read_job(fx, id);
    if (job.state == JOB_SCHEDULED) { /* else the next attempt was quicker than this thread */
        assert_string_equal(job.reason, "retry_backoff");
        assert_int_equal(job.outcome.cause, CAUSE_SIGNAL);
    }
    assert_in_range(job.scheduled_at_us, before_us + RETRY_DELAY_US,
                    failed_us + RETRY_DELAY_US);
    run_attempt(&w, 2, CAUSE_NONE);
    assert_true(clock_wall_us() >= job.scheduled_at_us);
    job_fini(&job);
    job = read_job(fx, id);
    assert_int_equal(job.state, JOB_SUCCEEDED);
    assert_int_equal(job.attempt, 2);
    job_fini(&job);
    worker_close(&w);
}

static void attempts_run_out(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit_patient(fx, 3, "");

    run_attempt(&w, 1, CAUSE_SIGNAL);
    run_attempt(&w, 2, CAUSE_EXIT_CODE);
    run_attempt(&w, 3, CAUSE_DEADLINE_EXCEEDED);
    assert_failed(fx, id, 3, CAUSE_DEADLINE_EXCEEDED);
    worker_close(&w);
}

static void a_cause_that_the_policy_does_not_name_ends_the_job(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit_patient(fx, 9, ",\"on\":[\"worker_lost\",\"exit_code\"]");

    run_attempt(&w, 1, CAUSE_EXIT_CODE);
    run_attempt(&w, 2, CAUSE_SIGNAL);
    assert_failed(fx, id, 2, CAUSE_SIGNAL);
    worker_close(&w);
}

static void an_attempt_that_was_given_back_is_not_one_of_those_allowed(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit_patient(fx, 2, "");

    run_attempt(&w, 1, CAUSE_NEVER_STARTED);
    run_attempt(&w, 2, CAUSE_SIGNAL);
    run_attempt(&w, 3, CAUSE_NEVER_STARTED);
    run_attempt(&w, 4, CAUSE_SIGNAL);
    assert_failed(fx, id, 4, CAUSE_SIGNAL);
    worker_close(&w);
}

static void a_job_that_is_canceled_is_not_tried_again(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit_patient(fx, 9, "");
    struct proto_attempt a = expect_run(&w);

    assert_int_equal(cancel(fx, id, CANCEL_GRACEFUL), 0);
    (void)expect_cancel(&w);
    send_outcome(&w, &a, CAUSE_SIGNAL);
    expect_ack(&w, &a);
    await_state(fx, id, JOB_CANCELED);
    worker_close(&w);
}

static void a_retry_waits_for_its_time_over_a_restart(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit_patient(fx, 2, "");

    run_last_attempt(&w, 1, CAUSE_SIGNAL);
    worker_close(&w);
    kill_front(fx);
    start_front(fx);
    w = worker_connect(fx, 2, NULL);
    run_attempt(&w, 2, CAUSE_NONE);
    await_state(fx, id, JOB_SUCCEEDED);
    worker_close(&w);
}

static void a_job_between_two_attempts_counts_as_waiting(void **state)
{
    struct fixture *fx = *state;
    struct client c = submission();
    struct worker w;

    kill_front(fx);
    fx->max_waiting_jobs = 1;
    start_front(fx);
    w = worker_connect(fx, 1, NULL);
    (void)submit_policy(
        fx, mem_str("{\"retry\":{\"max_attempts\":2,\"initial_delay_seconds\":3600}}"));
    run_attempt(&w, 1, CAUSE_SIGNAL);
    ask(fx, &c);
    assert_int_equal(c.rq.result, ERR_QUEUE_FULL);
    job_fini(&c.submit.job);
    worker_close(&w);
}

/* A worker that gets this attempt and dies of it. */
static void lose_worker(struct fixture *fx, int64_t worker_id, int attempt)
{
    struct worker w = worker_connect(fx, worker_id, NULL);

    assert_int_equal(expect_run(&w).attempt, attempt);
    worker_close(&w);
    report_exit(fx, worker_id);
}

static void a_job_that_loses_its_worker_is_tried_again(void **state)
{
    struct fixture *fx = *state;
    struct uuid7 id = submit_patient(fx, 9, "");
    struct worker w;

    lose_worker(fx, 1, 1);
    lose_worker(fx, 2, 2);
    w = worker_connect(fx, 3, NULL);
    run_attempt(&w, 3, CAUSE_NONE);
    await_state(fx, id, JOB_SUCCEEDED);
    worker_close(&w);
}

static void a_job_that_ends_one_worker_after_another_is_quarantined(void **state)
{
    struct fixture *fx = *state;
    struct uuid7 id = submit_patient(fx, 9, "");
    struct worker w;
    struct job job;

    lose_worker(fx, 1, 1);
    w = worker_connect(fx, 2, NULL);
    run_last_attempt(&w, 2, CAUSE_SIGNAL); /* counts for nothing here */
    worker_close(&w);
    report_exit(fx, 2);
    lose_worker(fx, 3, 3);
    lose_worker(fx, 4, 4);
    await_state(fx, id, JOB_FAILED);
    assert_failed(fx, id, 4, CAUSE_QUARANTINED);
    job = read_job(fx, id);
    assert_non_null(strstr(job.outcome.message, "3 attempts have ended their worker"));
    assert_non_null(strstr(job.outcome.message, "signal 9"));
    job_fini(&job);
}

static void draining_waits_for_the_running_then_gives_them_back(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 running = submit(fx);
    struct proto_attempt a = expect_run(&w);
    struct client late = submission();
    struct job job;

    control(fx, CONTROL_STOP);
    assert_int_equal(expect_cancel(&w).mode, PROTO_CANCEL_SHUTDOWN); /* after the drain time */
    ask(fx, &late);
    assert_int_equal(late.rq.result, ERR_DRAINING);
    job_fini(&late.submit.job);
    send_outcome(&w, &a, CAUSE_SHUTDOWN);
    expect_ack(&w, &a);
    (void)pthread_join(fx->thread, NULL);
    assert_int_equal(fx->run_result, 0);
    job = read_job(fx, running);
    assert_int_equal(job.state, JOB_QUEUED);
    job_fini(&job);
    assert_int_equal(pthread_create(&fx->thread, NULL, engine_thread, fx),
                     0); /* for teardown */
    worker_close(&w);
}

static void a_front_that_leaves_answers_and_leaves_attempts_to_their_workers(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 running = submit(fx);
    struct proto_attempt a = expect_run(&w);
    struct waiter waiter = { .job_id = running, .deadline_us = INT64_MAX, .wake = on_change };
    struct job job;

    (void)sem_init(&changed, 0, 0);
    assert_int_equal(waiters_add(engine_waiters(fx->engine), &waiter, NULL), 0);
    control(fx, CONTROL_LEAVE);
    (void)sem_wait(&changed); /* whoever waits is answered */
    (void)pthread_join(fx->thread, NULL);
    assert_int_equal(fx->run_result, 0);
    job = read_job(fx, running);
    assert_int_equal(job.state, JOB_RUNNING);
    job_fini(&job);
    (void)close(fx->control);
    fx->engine = engine_free(fx->engine);
    fx->store = store_free(fx->store);

    /* The next one hears from the worker how it ended. */
    fx->workers[0] = (struct worker_info){ .worker_id = 1, .pid = 4000 };
    fx->worker_count = 1;
    start_front(fx);
    worker_close(&w);
    w = worker_connect(fx, 1, &a);
    send_outcome(&w, &a, CAUSE_NONE);
    expect_ack(&w, &a);
    await_state(fx, running, JOB_SUCCEEDED);
    worker_close(&w);
}

static void a_worker_that_was_done_has_not_begun_what_it_left_no_trace_of(void **state)
{
    struct fixture *fx = *state;
    struct worker w = worker_connect(fx, 1, NULL);
    struct uuid7 id = submit(fx);
    struct control_msg ended = { .type = CONTROL_WORKER_EXITED, .worker_id = 1 };
    struct job job;

    (void)expect_run(&w);
    worker_close(&w);
    assert_int_equal(send(fx->control, &ended, sizeof ended, 0), sizeof ended);
    await_state(fx, id, JOB_QUEUED);
    job = read_job(fx, id);
    assert_int_equal(job.state, JOB_QUEUED);
    job_fini(&job);
}

static void the_engine_stops_when_the_supervisor_is_gone(void **state)
{
    struct fixture *fx = *state;

    (void)close(fx->control);
    (void)pthread_join(fx->thread, NULL);
    assert_int_equal(fx->run_result, ERR_CLOSED);
    fx->engine = engine_free(fx->engine);
    fx->store = store_free(fx->store);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_job_is_run_recorded_and_acknowledged),
        T(a_failed_attempt_fails_the_job),
        T(a_worker_gets_no_second_job_before_the_first_has_ended),
        T(a_quick_worker_is_sent_orders_ahead),
        T(what_a_dead_worker_had_not_begun_is_queued_again),
        T(the_highest_priority_comes_next_then_the_oldest),
        T(one_of_higher_priority_passes_those_that_wait_for_room),
        T(what_a_worker_takes_changes_with_its_status),
        T(the_roster_says_what_workers_say),
        T(canceling_a_queued_job_ends_it_at_once),
        T(canceling_a_running_job_waits_for_the_worker_s_proof),
        T(a_job_that_finishes_well_in_its_grace_has_succeeded),
        T(canceling_an_unknown_job_is_not_found),
        T(an_exited_worker_s_attempt_is_lost),
        T(the_last_words_of_a_dead_worker_count),
        T(an_outcome_left_in_the_spool_counts),
        T(a_worker_that_comes_back_goes_on_with_its_attempt),
        T(an_attempt_that_never_reached_its_worker_is_queued_again),
        T(after_a_restart_attempts_of_dead_workers_are_lost),
        T(a_stale_outcome_is_acknowledged_and_changes_nothing),
        T(a_worker_that_holds_what_it_should_not_is_told_to_stop),
        T(too_many_waiting_jobs_are_refused),
        T(a_queue_may_have_a_bound_of_its_own),
        T(a_job_is_there_for_its_tenant_only),
        T(a_job_of_a_removed_function_is_rejected_not_looped),
        T(who_waits_is_told_what_the_turn_of_the_submit_has_done),
        T(a_scheduled_job_runs_when_its_time_has_come),
        T(a_failed_attempt_is_followed_by_another_after_its_delay),
        T(attempts_run_out),
        T(a_cause_that_the_policy_does_not_name_ends_the_job),
        T(an_attempt_that_was_given_back_is_not_one_of_those_allowed),
        T(a_job_that_is_canceled_is_not_tried_again),
        T(a_retry_waits_for_its_time_over_a_restart),
        T(a_job_between_two_attempts_counts_as_waiting),
        T(a_job_that_loses_its_worker_is_tried_again),
        T(a_job_that_ends_one_worker_after_another_is_quarantined),
        T(draining_waits_for_the_running_then_gives_them_back),
        T(a_front_that_leaves_answers_and_leaves_attempts_to_their_workers),
        T(a_worker_that_was_done_has_not_begun_what_it_left_no_trace_of),
        T(the_engine_stops_when_the_supervisor_is_gone),
    };

    return cmocka_run_group_tests_name("engine/engine", tests, NULL, NULL);
}
