/* tests/unit/test_gather.c - which outcomes and requests wait for company, and how long. The
 * engine does not run here: the test looks into it, and says what time it is. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/requests.h"
#include "engine/state.h"
#include "pool/paths.h"
#include "tests/support/tmp.h"

#define MEAN_US   1000
#define NOW_US    (1000 * USEC_PER_SEC)
#define GATHER_US (5 * USEC_PER_MS)

struct fixture {
    char dir[TMP_SIZE];
    struct store *store;
    struct engine *engine;
    int control;
    int workers[2];
    unsigned worker_count;
    uint64_t last_job;
    struct submit_request requests[2];
};

static const struct function_table no_functions;

static struct sockaddr_un socket_address(const struct fixture *fx)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/run/front.sock", fx->dir);
    return address;
}

static int setup(void **state)
{
    struct fixture *fx = mem_new0(sizeof *fx);
    struct store_conf store_conf = { .data_dir = fx->dir, .durability = STORE_RELAXED };
    struct sockaddr_un address;
    struct front_start start = { 0 };
    struct engine_conf conf = { .data_dir = fx->dir,
                                .functions = &no_functions,
                                .start = &start,
                                .max_waiting_jobs = 1000 };
    int control[2];

    log_set_level(LOG_ERROR);
    (void)tmp_dir_make(fx->dir);
    address = socket_address(fx);
    assert_int_equal(paths_prepare(fx->dir, NULL), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
    fx->control = control[0];
    start.control_fd = control[1];
    start.worker_listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(start.worker_listen_fd, (struct sockaddr *)&address, sizeof address),
                     0);
    assert_int_equal(listen(start.worker_listen_fd, 8), 0);
    assert_int_equal(store_open("sqlite", &store_conf, &fx->store, NULL), 0);
    conf.store = fx->store;
    assert_int_equal(engine_new(&conf, &fx->engine, NULL), 0);
    memset(fx->engine->keeping.due_us, 0, sizeof fx->engine->keeping.due_us);
    fx->engine->pools[0].may_have_jobs = false;
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    fx->engine = engine_free(fx->engine);
    fx->store = store_free(fx->store);
    for (unsigned i = 0; i < fx->worker_count; i++)
        (void)close(fx->workers[i]);
    (void)close(fx->control);
    tmp_dir_remove(fx->dir);
    for (size_t i = 0; i < COUNT_OF(fx->requests); i++)
        job_fini(&fx->requests[i].job);
    free(fx);
    return 0;
}

/* A worker of commands whose attempts take MEAN_US, and which has got so many orders. */
static struct link *connect_worker(struct fixture *fx, unsigned held)
{
    struct sockaddr_un address = socket_address(fx);
    struct proto_hello hello = { .worker_id = (int64_t)++fx->worker_count, .capacity = 1 };
    AUTO_FINI(buf) struct buf frame = { 0 };
    int *fd = &fx->workers[fx->worker_count - 1];
    struct link *link;

    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(*fd, (const struct sockaddr *)&address, sizeof address), 0);
    proto_put_hello(&frame, &hello);
    assert_int_equal(write(*fd, frame.data, frame.len), frame.len);
    links_read_rest(fx->engine->links);
    link = links_find(fx->engine->links, hello.worker_id);
    assert_non_null(link);
    link->pace.mean_us = MEAN_US;
    for (unsigned i = 0; i < held; i++)
        (void)owned_add(&fx->engine->owned, (struct uuid7){ .hi = ++fx->last_job << 16 }, 1,
                        hello.worker_id, NOW_US);
    return link;
}

/* The oldest of what it has has ended. */
static void end_one(struct fixture *fx, const struct link *link, enum cause cause)
{
    for (const struct owned *o = fx->engine->owned.by_key; o; o = o->hh.next)
        if (o->worker_id == link->worker_id && !o->settled) {
            struct outcome outcome = { .job_id = o->id, .attempt = 1, .cause = cause };

            engine_settle(fx->engine, link->worker_id, false, &outcome);
            return;
        }
    fail_msg("worker %lld has nothing", (long long)link->worker_id);
}

static void on_done(struct engine_request *rq)
{
    (void)rq; /* it is refused at the end */
}

static void submit(struct fixture *fx, bool waits_for_end, int priority)
{
    struct submit_request *submit =
        fx->requests[0].rq.done ? &fx->requests[1] : &fx->requests[0];

    submit->rq.op = ENGINE_SUBMIT;
    submit->rq.done = on_done;
    submit->waits_for_end = waits_for_end;
    submit->job.pool = mem_str("");
    submit->job.priority = priority;
    engine_request(fx->engine, &submit->rq);
}

static enum turn_need need_at(struct fixture *fx, usec_t at_us)
{
    return turn_need(fx->engine, 1, NOW_US + at_us);
}

static unsigned room(const struct link *link)
{
    return link->capacity + pace_ahead(&link->pace);
}

/* -- tests ----------------------------------------------------------------------------------
 */

static void an_outcome_waits_while_its_worker_has_plenty_to_do(void **state)
{
    struct fixture *fx = *state;
    struct link *link = connect_worker(fx, 9);

    assert_int_equal(room(link), 9);
    assert_int_equal(need_at(fx, 0), TURN_NONE);
    end_one(fx, link, CAUSE_NONE);
    assert_int_equal(need_at(fx, 0), TURN_LATER);
    end_one(fx, link, CAUSE_NONE);
    assert_int_equal(need_at(fx, GATHER_US - 1), TURN_LATER); /* since the first one */
    assert_int_equal(need_at(fx, GATHER_US), TURN_NOW);
}

static void it_does_not_wait_when_its_worker_might_have_nothing_to_do_soon(void **state)
{
    struct fixture *fx = *state;
    struct link *link = connect_worker(fx, 5);

    end_one(fx, link, CAUSE_NONE);
    assert_int_equal(need_at(fx, 0), TURN_LATER);
    end_one(fx, link, CAUSE_NONE); /* one runs, and the reserve is left */
    assert_int_equal(need_at(fx, 0), TURN_NOW);
}

static void the_outcome_of_a_worker_with_nothing_else_to_do_is_written_at_once(void **state)
{
    struct fixture *fx = *state;
    struct link *link = connect_worker(fx, 1);

    end_one(fx, link, CAUSE_NONE);
    assert_int_equal(need_at(fx, 0), TURN_NOW);
}

static void nothing_waits_while_another_worker_of_the_pool_is_free(void **state)
{
    struct fixture *fx = *state;
    struct link *busy = connect_worker(fx, 9);

    (void)connect_worker(fx, 0);
    end_one(fx, busy, CAUSE_NONE);
    assert_int_equal(need_at(fx, 0), TURN_NOW);
}

static void what_was_given_back_does_not_wait(void **state)
{
    struct fixture *fx = *state;
    struct link *link = connect_worker(fx, 9);

    end_one(fx, link, CAUSE_NEVER_STARTED);
    assert_int_equal(need_at(fx, 0), TURN_NOW);
}

static void a_submit_waits_with_them_when_it_is_answered_at_the_end_anyway(void **state)
{
    struct fixture *fx = *state;
    struct link *link = connect_worker(fx, 9);

    end_one(fx, link, CAUSE_NONE);
    assert_int_equal(need_at(fx, 0), TURN_LATER);
    submit(fx, true, 0);
    assert_int_equal(need_at(fx, 0), TURN_LATER);
    assert_true(inbox_doze(&fx->engine->inbox));
    submit(fx, false, 0); /* this one is to be answered as soon as it is on disk */
    assert_false(inbox_doze(&fx->engine->inbox));
    assert_int_equal(need_at(fx, 0), TURN_NOW);
}

static void a_submit_alone_waits_no_longer(void **state)
{
    struct fixture *fx = *state;

    (void)connect_worker(fx, 9);
    assert_int_equal(need_at(fx, 0), TURN_NONE);
    submit(fx, true, 0);
    assert_int_equal(need_at(fx, 0), TURN_LATER);
    assert_int_equal(need_at(fx, GATHER_US), TURN_NONE); /* its taker sees that there is one */
}

static void a_submit_of_high_priority_does_not_wait(void **state)
{
    struct fixture *fx = *state;
    struct link *link = connect_worker(fx, 9);

    end_one(fx, link, CAUSE_NONE);
    assert_int_equal(need_at(fx, 0), TURN_LATER);
    submit(fx, true, 1);
    assert_int_equal(need_at(fx, 0), TURN_NOW);
}

static void a_cancel_does_not_wait(void **state)
{
    struct fixture *fx = *state;
    struct link *link = connect_worker(fx, 9);

    end_one(fx, link, CAUSE_NONE);
    assert_int_equal(need_at(fx, 0), TURN_LATER);
    assert_true(inbox_doze(&fx->engine->inbox));
    submit(fx, true, 0);
    fx->requests[1].rq.op = ENGINE_CANCEL;
    fx->requests[1].rq.done = on_done;
    engine_request(fx->engine, &fx->requests[1].rq);
    assert_false(inbox_doze(&fx->engine->inbox));
    assert_int_equal(need_at(fx, 0), TURN_NOW);
}

/* Whoever waits in the inbox is not put off by outcomes that come one after the other. */
static void the_wait_is_not_begun_anew_by_what_comes_later(void **state)
{
    struct fixture *fx = *state;
    struct link *link = connect_worker(fx, 9);

    assert_int_equal(need_at(fx, 0), TURN_NONE);
    submit(fx, true, 0);
    for (usec_t at_us = 0; at_us < GATHER_US; at_us += 1000) {
        assert_int_equal(need_at(fx, at_us), TURN_LATER);
        if (at_us < 4000)
            end_one(fx, link, CAUSE_NONE);
    }
    submit(fx, true, 0);
    assert_int_equal(need_at(fx, GATHER_US), TURN_NOW);
}

static void the_outcome_of_a_worker_that_has_gone_does_not_wait(void **state)
{
    struct fixture *fx = *state;
    struct link *gone = connect_worker(fx, 9);

    (void)connect_worker(fx, 9);
    end_one(fx, gone, CAUSE_NONE);
    assert_int_equal(need_at(fx, 0), TURN_LATER);
    assert_int_equal(shutdown(fx->workers[0], SHUT_RDWR), 0);
    links_read_rest(fx->engine->links);
    links_reap(fx->engine->links);
    assert_int_equal(need_at(fx, 0), TURN_NOW);
}

/* For a pool that nobody has: it can never be begun. */
static void a_submit_that_nobody_can_begin_does_not_wait(void **state)
{
    struct fixture *fx = *state;
    struct link *link = connect_worker(fx, 9);

    end_one(fx, link, CAUSE_NONE);
    assert_int_equal(need_at(fx, 0), TURN_LATER);
    fx->requests[0].job.pool = mem_str("gone");
    fx->requests[0].waits_for_end = true;
    fx->requests[0].rq.op = ENGINE_SUBMIT;
    fx->requests[0].rq.done = on_done;
    engine_request(fx->engine, &fx->requests[0].rq);
    assert_int_equal(need_at(fx, 0), TURN_NOW);
}

static void nothing_waits_when_a_worker_has_become_free_meanwhile(void **state)
{
    struct fixture *fx = *state;
    struct link *link = connect_worker(fx, 9);

    assert_int_equal(need_at(fx, 0), TURN_NONE);
    submit(fx, true, 0);
    assert_int_equal(need_at(fx, 0), TURN_LATER);
    link->capacity = 8; /* its program has said so */
    assert_int_not_equal(need_at(fx, 0), TURN_LATER);
}

static void workers_need_not_be_heard_as_long_as_none_can_run_out(void **state)
{
    struct fixture *fx = *state;
    struct link *link = connect_worker(fx, 9);

    end_one(fx, link, CAUSE_NONE);
    assert_int_equal(need_at(fx, 0), TURN_LATER);
    assert_int_equal(gather_deaf_us(fx->engine, NOW_US), GATHER_US); /* it has five to spare */
    assert_int_equal(gather_deaf_us(fx->engine, NOW_US + 1000), GATHER_US - 1000);
    end_one(fx, link, CAUSE_NONE);
    end_one(fx, link, CAUSE_NONE);
    end_one(fx, link, CAUSE_NONE);
    assert_int_equal(gather_deaf_us(fx->engine, NOW_US), 2 * MEAN_US);
    assert_int_equal(gather_deaf_us(fx->engine, NOW_US + GATHER_US), 0);
    (void)connect_worker(fx, 1); /* what it does may be waited for by somebody */
    assert_int_equal(gather_deaf_us(fx->engine, NOW_US), 0);
}

static void nothing_waits_while_jobd_drains(void **state)
{
    struct fixture *fx = *state;
    struct link *link = connect_worker(fx, 9);

    fx->engine->draining = true;
    end_one(fx, link, CAUSE_NONE);
    assert_int_equal(need_at(fx, 0), TURN_NOW);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_outcome_waits_while_its_worker_has_plenty_to_do),
        TEST(it_does_not_wait_when_its_worker_might_have_nothing_to_do_soon),
        TEST(the_outcome_of_a_worker_with_nothing_else_to_do_is_written_at_once),
        TEST(nothing_waits_while_another_worker_of_the_pool_is_free),
        TEST(what_was_given_back_does_not_wait),
        TEST(a_submit_waits_with_them_when_it_is_answered_at_the_end_anyway),
        TEST(a_submit_alone_waits_no_longer),
        TEST(a_submit_of_high_priority_does_not_wait),
        TEST(a_cancel_does_not_wait),
        TEST(the_wait_is_not_begun_anew_by_what_comes_later),
        TEST(the_outcome_of_a_worker_that_has_gone_does_not_wait),
        TEST(a_submit_that_nobody_can_begin_does_not_wait),
        TEST(nothing_waits_when_a_worker_has_become_free_meanwhile),
        TEST(workers_need_not_be_heard_as_long_as_none_can_run_out),
        TEST(nothing_waits_while_jobd_drains),
    };

    return cmocka_run_group_tests_name("engine/gather", tests, NULL, NULL);
}
