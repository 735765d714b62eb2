#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pool/proto.h"

static const struct uuid7 job_id = { 0x0190f0c2a1b27123, 0x8123456789abcdef };

/* The one frame in b: its type must be want; the body is borrowed from b. */
static const char *only_frame(const struct buf *b, enum proto_type want, size_t *ret_len)
{
    enum proto_type type;
    const char *body;

    assert_int_equal(proto_next(b, &type, &body, ret_len, NULL), (int)b->len);
    assert_int_equal(type, want);
    return body;
}

static char **list_of(const char *first, const char *second)
{
    char **list = mem_array0(3, sizeof *list);

    list[0] = mem_str(first);
    list[1] = mem_str(second);
    return list;
}

static void fill_order(struct order *o)
{
    *o = (struct order){
        .job_id = job_id,
        .attempt = 3,
        .function = mem_str("thumbnail"),
        .argv = list_of("convert", ""),
        .env = list_of("JOBD_ATTEMPT=3", "X=\xc3\xa4"),
        .input = mem_dup("a\0b\n", 4),
        .input_len = 4,
        .timeout_us = 30 * USEC_PER_SEC,
        .grace_us = 5,
        .priority = -7,
        .result_from_stdout = true,
        .leftover = LEFTOVER_DETACH,
        .inputs = { .items = mem_array0(2, sizeof *o->inputs.items), .count = 2 },
    };
    for (int i = 0; i < LIMIT_MAX_; i++)
        o->limits.values[i] = INT64_MAX - i;
    o->inputs.items[0] = (struct input){ mem_str("a/b"), mem_dup("\0\xff", 2), 2 };
    o->inputs.items[1] = (struct input){ mem_str("empty"), mem_str(""), 0 };
}

static void fill_outcome(struct outcome *o)
{
    *o = (struct outcome){
        .job_id = job_id,
        .attempt = 2147483647,
        .cause = CAUSE_SIGNAL,
        .exit_code = -1,
        .signal = 9,
        .message = mem_str("killed"),
        .spawn_stage = mem_str("execve"),
        .spawn_errno = 2,
        .started_at_us = 1,
        .finished_at_us = INT64_MAX,
        .user_cpu_us = 3,
        .system_cpu_us = 4,
        .max_rss_bytes = 5,
        .voluntary_switches = 8,
        .involuntary_switches = 9,
        .containment = CONTAINMENT_CGROUP,
        .limits_enforced = (1u << LIMIT_MAX_) - 1,
        .limits_by_cgroup = 1u << LIMIT_MEMORY,
        .limits_exceeded = 1u << LIMIT_CPU,
        .leftovers_killed = 6,
        .pid = 7,
        .result_kind = RESULT_JSON,
        .result = mem_str("{\"a\":1}"),
        .result_len = 7,
    };
    o->captures[STREAM_STDOUT] =
        (struct capture){ .total_bytes = 10, .kept_bytes = 3, .data = mem_dup("\0\xff\n", 3) };
    o->captures[STREAM_STDERR] = (struct capture){
        .total_bytes = 1 << 21, .kept_bytes = 1 << 20, .head_bytes = 1 << 19, .spilled = true
    };
}

static void a_hello_arrives_as_it_was_sent(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    struct proto_hello sent = {
        .worker_id = INT64_MAX,
        .pid = 42,
        .pool = "score",
        .capacity = 4,
        .started_at_us = 1795367553120000,
        .jobs_total = 17,
    };
    struct proto_hello got;
    const char *body;
    size_t len;

    (void)state;
    for (unsigned i = 0; i < PROTO_HELD_MAX; i++)
        sent.held[i] = (struct proto_attempt){ job_id, (int)i };
    sent.held_count = PROTO_HELD_MAX;
    proto_put_hello(&b, &sent);
    body = only_frame(&b, PROTO_HELLO, &len);
    assert_int_equal(proto_get_hello(body, len, &got, NULL), 0);
    assert_int_equal(got.worker_id, sent.worker_id);
    assert_int_equal(got.pid, 42);
    assert_string_equal(got.pool, "score");
    assert_int_equal(got.capacity, 4);
    assert_int_equal(got.started_at_us, 1795367553120000);
    assert_int_equal(got.jobs_total, 17);
    assert_int_equal(got.held_count, PROTO_HELD_MAX);
    assert_int_equal(got.held[63].attempt, 63);
    assert_true(uuid7_equal(got.held[63].job_id, job_id));
}

static void a_status_arrives_as_it_was_sent(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    const struct proto_status sent = {
        .state = PROTO_STATE_CIRCUIT_OPEN,
        .capacity = 64,
        .program_pid = 4711,
        .rss_bytes = INT64_MAX,
        .reason = "the program exited with code 1",
    };
    struct proto_status got;
    const char *body;
    size_t len;

    (void)state;
    proto_put_status(&b, &sent);
    body = only_frame(&b, PROTO_STATUS, &len);
    assert_int_equal(proto_get_status(body, len, &got, NULL), 0);
    assert_int_equal(got.state, sent.state);
    assert_int_equal(got.capacity, 64);
    assert_int_equal(got.program_pid, 4711);
    assert_int_equal(got.rss_bytes, INT64_MAX);
    assert_string_equal(got.reason, sent.reason);
}

static void a_hello_of_another_version_is_refused(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    struct proto_hello hello = { .worker_id = 1 };
    struct errinfo e;
    const char *body;
    size_t len;
    char other[32];

    (void)state;
    proto_put_hello(&b, &hello);
    b.data[5]++; /* the version follows the length and the type */
    body = only_frame(&b, PROTO_HELLO, &len);
    assert_int_equal(proto_get_hello(body, len, &hello, &e), ERR_PROTOCOL);
    (void)snprintf(other, sizeof other, "version %d", PROTO_VERSION + 1);
    assert_non_null(strstr(e.text, other));
}

static void an_order_arrives_as_it_was_sent(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    AUTO_FINI(order) struct order sent = { 0 };
    AUTO_FINI(order) struct order got = { 0 };
    const char *body;
    size_t len;

    (void)state;
    fill_order(&sent);
    proto_put_run(&b, &sent);
    body = only_frame(&b, PROTO_RUN, &len);
    assert_int_equal(proto_get_run(body, len, &got, NULL), 0);
    assert_true(uuid7_equal(got.job_id, job_id));
    assert_int_equal(got.attempt, 3);
    assert_string_equal(got.function, "thumbnail");
    assert_string_equal(got.argv[0], "convert");
    assert_string_equal(got.argv[1], "");
    assert_null(got.argv[2]);
    assert_string_equal(got.env[1], "X=\xc3\xa4");
    assert_null(got.env[2]);
    assert_int_equal(got.input_len, 4);
    assert_memory_equal(got.input, "a\0b\n", 4);
    assert_int_equal(got.timeout_us, 30 * USEC_PER_SEC);
    assert_int_equal(got.grace_us, 5);
    assert_int_equal(got.priority, -7);
    assert_true(got.result_from_stdout);
    for (int i = 0; i < LIMIT_MAX_; i++)
        assert_int_equal(got.limits.values[i], INT64_MAX - i);
    assert_int_equal(got.leftover, LEFTOVER_DETACH);
    assert_int_equal(got.inputs.count, 2);
    assert_string_equal(got.inputs.items[0].path, "a/b");
    assert_int_equal(got.inputs.items[0].len, 2);
    assert_memory_equal(got.inputs.items[0].data, "\0\xff", 2);
    assert_string_equal(got.inputs.items[1].path, "empty");
    assert_int_equal(got.inputs.items[1].len, 0);
    assert_non_null(got.inputs.items[1].data);
}

static void an_empty_order_has_empty_lists_and_no_texts(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    AUTO_FINI(order) struct order sent = { .job_id = job_id };
    AUTO_FINI(order) struct order got = { 0 };
    const char *body;
    size_t len;

    (void)state;
    proto_put_run(&b, &sent);
    body = only_frame(&b, PROTO_RUN, &len);
    assert_int_equal(proto_get_run(body, len, &got, NULL), 0);
    assert_null(got.function);
    assert_null(got.input);
    assert_non_null(got.argv);
    assert_null(got.argv[0]);
    assert_null(got.env[0]);
}

static void an_outcome_arrives_as_it_was_sent(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    AUTO_FINI(outcome) struct outcome sent = { 0 };
    AUTO_FINI(outcome) struct outcome got = { 0 };
    const char *body;
    size_t len;

    (void)state;
    fill_outcome(&sent);
    proto_put_outcome(&b, &sent);
    body = only_frame(&b, PROTO_OUTCOME, &len);
    assert_int_equal(proto_get_outcome(body, len, &got, NULL), 0);
    assert_int_equal(got.attempt, 2147483647);
    assert_int_equal(got.cause, CAUSE_SIGNAL);
    assert_int_equal(got.exit_code, -1);
    assert_int_equal(got.signal, 9);
    assert_string_equal(got.message, "killed");
    assert_string_equal(got.spawn_stage, "execve");
    assert_int_equal(got.spawn_errno, 2);
    assert_int_equal(got.finished_at_us, INT64_MAX);
    assert_int_equal(got.system_cpu_us, 4);
    assert_int_equal(got.max_rss_bytes, 5);
    assert_int_equal(got.voluntary_switches, 8);
    assert_int_equal(got.involuntary_switches, 9);
    assert_int_equal(got.containment, CONTAINMENT_CGROUP);
    assert_int_equal(got.limits_enforced, (1u << LIMIT_MAX_) - 1);
    assert_int_equal(got.limits_by_cgroup, 1u << LIMIT_MEMORY);
    assert_int_equal(got.limits_exceeded, 1u << LIMIT_CPU);
    assert_int_equal(got.leftovers_killed, 6);
    assert_int_equal(got.pid, 7);
    assert_int_equal(got.captures[STREAM_STDOUT].total_bytes, 10);
    assert_int_equal(got.captures[STREAM_STDOUT].kept_bytes, 3);
    assert_memory_equal(got.captures[STREAM_STDOUT].data, "\0\xff\n", 3);
    assert_int_equal(got.captures[STREAM_STDERR].head_bytes, 1 << 19);
    assert_true(got.captures[STREAM_STDERR].spilled);
    assert_null(got.captures[STREAM_STDERR].data);
    assert_int_equal(got.result_kind, RESULT_JSON);
    assert_string_equal(got.result, "{\"a\":1}");
    assert_int_equal(got.result_len, 7);
}

static void cancel_ack_and_progress_arrive_as_they_were_sent(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    const struct proto_cancel cancel = { job_id, 5, PROTO_CANCEL_SHUTDOWN, -1 };
    const struct proto_attempt ack = { job_id, 6 };
    char message[] = "half \"way\"";
    const struct proto_progress progress = { job_id, 7, 0.5, message };
    struct proto_cancel got_cancel;
    struct proto_attempt got_ack;
    struct proto_progress got_progress;
    const char *body;
    size_t len;

    (void)state;
    proto_put_cancel(&b, &cancel);
    body = only_frame(&b, PROTO_CANCEL, &len);
    assert_int_equal(proto_get_cancel(body, len, &got_cancel, NULL), 0);
    assert_int_equal(got_cancel.attempt, 5);
    assert_int_equal(got_cancel.mode, PROTO_CANCEL_SHUTDOWN);
    assert_int_equal(got_cancel.grace_us, -1);

    buf_clear(&b);
    proto_put_ack(&b, &ack);
    body = only_frame(&b, PROTO_ACK, &len);
    assert_int_equal(proto_get_ack(body, len, &got_ack, NULL), 0);
    assert_int_equal(got_ack.attempt, 6);
    assert_true(uuid7_equal(got_ack.job_id, job_id));

    buf_clear(&b);
    proto_put_progress(&b, &progress);
    body = only_frame(&b, PROTO_PROGRESS, &len);
    assert_int_equal(proto_get_progress(body, len, &got_progress, NULL), 0);
    assert_true(got_progress.fraction == 0.5);
    assert_string_equal(got_progress.message, message);
    free(got_progress.message);

    buf_clear(&b);
    proto_put_tidy(&b);
    body = only_frame(&b, PROTO_TIDY, &len);
    assert_int_equal(proto_get_tidy(body, len, NULL), 0);
}

static void frames_are_found_one_after_another(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    const struct proto_attempt first = { job_id, 1 };
    const struct proto_attempt second = { job_id, 2 };
    struct proto_attempt got;
    enum proto_type type;
    const char *body;
    size_t len;
    int n;

    (void)state;
    proto_put_ack(&b, &first);
    proto_put_ack(&b, &second);
    n = proto_next(&b, &type, &body, &len, NULL);
    assert_true(n > 0);
    buf_consume(&b, (size_t)n);
    n = proto_next(&b, &type, &body, &len, NULL);
    assert_int_equal(n, (int)b.len);
    assert_int_equal(proto_get_ack(body, len, &got, NULL), 0);
    assert_int_equal(got.attempt, 2);
}

static void a_frame_that_is_not_whole_asks_for_more(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    AUTO_FINI(outcome) struct outcome o = { 0 };
    enum proto_type type;
    const char *body;
    size_t len;

    (void)state;
    fill_outcome(&o);
    proto_put_outcome(&b, &o);
    while (b.len > 0) {
        b.len--;
        assert_int_equal(proto_next(&b, &type, &body, &len, NULL), 0);
    }
}

static void an_impossible_length_or_type_is_refused_at_once(void **state)
{
    static const char too_long[] = "\xff\xff\xff\xff\x01";
    static const char empty[] = "\0\0\0\0\x01";
    static const char no_type[] = "\x01\0\0\0\x63";
    static const char *const bad[] = { too_long, empty, no_type };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_FINI(buf) struct buf b = { 0 };
        enum proto_type type;
        const char *body;
        size_t len;

        buf_add(&b, bad[i], 5);
        assert_int_equal(proto_next(&b, &type, &body, &len, NULL), ERR_PROTOCOL);
    }
}

/* Decode as `type`; the caller only wants to know whether it is taken. */
static int decode(enum proto_type type, const char *body, size_t len)
{
    struct proto_hello hello;
    struct proto_cancel cancel;
    struct proto_attempt ack;
    struct proto_progress progress;
    struct proto_status status;
    AUTO_FINI(order) struct order order = { 0 };
    AUTO_FINI(outcome) struct outcome outcome = { 0 };
    int r;

    switch (type) {
    case PROTO_HELLO:
        return proto_get_hello(body, len, &hello, NULL);
    case PROTO_RUN:
        return proto_get_run(body, len, &order, NULL);
    case PROTO_CANCEL:
        return proto_get_cancel(body, len, &cancel, NULL);
    case PROTO_OUTCOME:
        return proto_get_outcome(body, len, &outcome, NULL);
    case PROTO_ACK:
        return proto_get_ack(body, len, &ack, NULL);
    case PROTO_PROGRESS:
        r = proto_get_progress(body, len, &progress, NULL);
        if (r == 0)
            free(progress.message);
        return r;
    case PROTO_STATUS:
        return proto_get_status(body, len, &status, NULL);
    case PROTO_TIDY:
        return proto_get_tidy(body, len, NULL);
    }
    return ERR_PROTOCOL;
}

/* One frame of each type, decoded from exactly sized blocks, so that ASan sees a byte too far.
 */
static void put_sample(struct buf *b, enum proto_type type)
{
    AUTO_FINI(order) struct order order = { 0 };
    AUTO_FINI(outcome) struct outcome outcome = { 0 };
    struct proto_hello hello = { .pool = "p", .held_count = 1 };
    struct proto_cancel cancel = { .job_id = job_id };
    struct proto_attempt ack = { .job_id = job_id };
    char message[] = "m";
    struct proto_progress progress = { .job_id = job_id, .message = message };

    fill_order(&order);
    fill_outcome(&outcome);
    switch (type) {
    case PROTO_HELLO:
        proto_put_hello(b, &hello);
        break;
    case PROTO_RUN:
        proto_put_run(b, &order);
        break;
    case PROTO_CANCEL:
        proto_put_cancel(b, &cancel);
        break;
    case PROTO_OUTCOME:
        proto_put_outcome(b, &outcome);
        break;
    case PROTO_ACK:
        proto_put_ack(b, &ack);
        break;
    case PROTO_PROGRESS:
        proto_put_progress(b, &progress);
        break;
    case PROTO_STATUS:
        proto_put_status(b, &(struct proto_status){ .reason = "r" });
        break;
    case PROTO_TIDY:
        proto_put_tidy(b);
        break;
    }
}

static void every_cut_body_is_refused(void **state)
{
    (void)state;
    for (enum proto_type type = PROTO_HELLO; type <= PROTO_TIDY; type++) {
        AUTO_FINI(buf) struct buf b = { 0 };
        const char *body;
        size_t len;

        put_sample(&b, type);
        body = only_frame(&b, type, &len);
        for (size_t cut = 0; cut < len; cut++) {
            AUTO(mem) char *block = malloc(cut > 0 ? cut : 1);

            assert_non_null(block);
            memcpy(block, body, cut);
            assert_int_equal(decode(type, block, cut), ERR_PROTOCOL);
        }
    }
}

static void a_body_with_bytes_left_over_is_refused(void **state)
{
    (void)state;
    for (enum proto_type type = PROTO_HELLO; type <= PROTO_TIDY; type++) {
        AUTO_FINI(buf) struct buf b = { 0 };

        put_sample(&b, type);
        buf_add_char(&b, 0);
        assert_int_equal(decode(type, b.data + 5, b.len - 5), ERR_PROTOCOL);
    }
}

/* Not every changed byte can be noticed; none may be read beyond the end or freed twice. */
static void no_changed_byte_harms_the_decoder(void **state)
{
    static const unsigned char values[] = { 0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff };
    unsigned refused = 0;

    (void)state;
    for (enum proto_type type = PROTO_HELLO; type <= PROTO_TIDY; type++) {
        AUTO_FINI(buf) struct buf b = { 0 };

        put_sample(&b, type);
        for (size_t at = 5; at < b.len; at++) {
            char old = b.data[at];

            for (size_t v = 0; v < COUNT_OF(values); v++) {
                b.data[at] = (char)values[v];
                if (decode(type, b.data + 5, b.len - 5) < 0)
                    refused++;
            }
            b.data[at] = old;
        }
    }
    assert_true(refused > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_arrives_as_it_was_sent),
        cmocka_unit_test(a_status_arrives_as_it_was_sent),
        cmocka_unit_test(a_hello_of_another_version_is_refused),
        cmocka_unit_test(an_order_arrives_as_it_was_sent),
        cmocka_unit_test(an_empty_order_has_empty_lists_and_no_texts),
        cmocka_unit_test(an_outcome_arrives_as_it_was_sent),
        cmocka_unit_test(cancel_ack_and_progress_arrive_as_they_were_sent),
        cmocka_unit_test(frames_are_found_one_after_another),
        cmocka_unit_test(a_frame_that_is_not_whole_asks_for_more),
        cmocka_unit_test(an_impossible_length_or_type_is_refused_at_once),
        cmocka_unit_test(every_cut_body_is_refused),
        cmocka_unit_test(a_body_with_bytes_left_over_is_refused),
        cmocka_unit_test(no_changed_byte_harms_the_decoder),
    };

    return cmocka_run_group_tests_name("pool/proto", tests, NULL, NULL);
}
