#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "domain/channel.h"

static struct channel_line decode(const char *line)
{
    struct channel_line l;

    channel_decode(line, strlen(line), &l);
    return l;
}

static void a_result_keeps_its_id_and_its_json(void **state)
{
    AUTO_FINI(channel_line)
    struct channel_line l = decode("{ \"id\": \"j1\", \"result\": { \"a\" : [1, null] } }");

    (void)state;
    assert_int_equal(l.kind, CHANNEL_RESULT);
    assert_string_equal(l.id, "j1");
    assert_string_equal(l.result, "{\"a\":[1,null]}");
    assert_int_equal(l.result_len, strlen(l.result));
}

static void null_is_a_result_like_any_other(void **state)
{
    AUTO_FINI(channel_line) struct channel_line l = decode("{\"result\":null,\"error\":null}");

    (void)state;
    assert_int_equal(l.kind, CHANNEL_RESULT);
    assert_null(l.id);
    assert_string_equal(l.result, "null");
}

static void an_error_is_an_object_with_a_message_or_a_text(void **state)
{
    static const struct {
        const char *line;
        const char *message;
    } cases[] = {
        { "{\"id\":\"j\",\"error\":{\"message\":\"no such user\"}}", "no such user" },
        { "{\"id\":\"j\",\"error\":\"boom\",\"result\":1}", "boom" },
        { "{\"id\":\"j\",\"error\":{\"code\":7}}", "{\"code\":7}" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(channel_line) struct channel_line l = decode(cases[i].line);

        assert_int_equal(l.kind, CHANNEL_ERROR);
        assert_string_equal(l.message, cases[i].message);
    }
}

static void progress_has_a_fraction_or_a_message_or_both(void **state)
{
    AUTO_FINI(channel_line)
    struct channel_line both = decode("{\"progress\":0.25,\"message\":\"a\"}");
    AUTO_FINI(channel_line) struct channel_line fraction = decode("{\"progress\":1}");
    AUTO_FINI(channel_line) struct channel_line message = decode("{\"message\":\"b\"}");

    (void)state;
    assert_int_equal(both.kind, CHANNEL_PROGRESS);
    assert_true(both.fraction == 0.25);
    assert_string_equal(both.message, "a");
    assert_int_equal(fraction.kind, CHANNEL_PROGRESS);
    assert_true(fraction.fraction == 1);
    assert_null(fraction.message);
    assert_int_equal(message.kind, CHANNEL_PROGRESS);
    assert_true(message.fraction < 0);
    assert_string_equal(message.message, "b");
}

static void ready_is_true_and_nothing_else(void **state)
{
    AUTO_FINI(channel_line)
    struct channel_line ready = decode("{\"ready\":true,\"concurrency\":4}");
    AUTO_FINI(channel_line) struct channel_line no = decode("{\"ready\":1}");

    (void)state;
    assert_int_equal(ready.kind, CHANNEL_READY);
    assert_int_equal(no.kind, CHANNEL_INVALID);
}

static void ready_may_say_for_how_many_jobs_at_once(void **state)
{
    static const struct {
        const char *line;
        unsigned concurrency; /* 0: the line is invalid */
    } cases[] = {
        { "{\"ready\":true}", 1 },
        { "{\"ready\":true,\"concurrency\":1}", 1 },
        { "{\"ready\":true,\"concurrency\":64}", 64 },
        { "{\"ready\":true,\"concurrency\":9007199254740993}", CHANNEL_CONCURRENCY_MAX },
        { "{\"ready\":true,\"concurrency\":0}", 0 },
        { "{\"ready\":true,\"concurrency\":-1}", 0 },
        { "{\"ready\":true,\"concurrency\":1.5}", 0 },
        { "{\"ready\":true,\"concurrency\":\"2\"}", 0 },
        { "{\"ready\":true,\"concurrency\":null}", 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(channel_line) struct channel_line l = decode(cases[i].line);

        assert_int_equal(l.kind, cases[i].concurrency > 0 ? CHANNEL_READY : CHANNEL_INVALID);
        assert_int_equal(l.concurrency, cases[i].concurrency);
    }
}

static void everything_else_is_invalid_and_says_why(void **state)
{
    static const char *const lines[] = {
        "",
        "hello",
        "42",
        "[]",
        "{}",
        "{\"result\":1",
        "{\"result\":1}{}",
        "{\"result\":NaN}",
        "{\"result\":\"\xff\"}",
        "{\"id\":7,\"result\":1}",
        "{\"progress\":1.5}",
        "{\"progress\":-0.1}",
        "{\"progress\":\"half\"}",
        "{\"progress\":0.5,\"message\":{}}",
        "{\"result\":1,\"result\":2}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        AUTO_FINI(channel_line) struct channel_line l = decode(lines[i]);

        assert_int_equal(l.kind, CHANNEL_INVALID);
        assert_non_null(l.message);
        assert_true(strlen(l.message) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_keeps_its_id_and_its_json),
        cmocka_unit_test(null_is_a_result_like_any_other),
        cmocka_unit_test(an_error_is_an_object_with_a_message_or_a_text),
        cmocka_unit_test(progress_has_a_fraction_or_a_message_or_both),
        cmocka_unit_test(ready_is_true_and_nothing_else),
        cmocka_unit_test(ready_may_say_for_how_many_jobs_at_once),
        cmocka_unit_test(everything_else_is_invalid_and_says_why),
    };

    return cmocka_run_group_tests_name("domain/channel", tests, NULL, NULL);
}
