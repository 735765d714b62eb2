#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/outcome.h"

static void every_cause_has_a_slug_of_its_own_a_kind_and_a_sentence(void **state)
{
    (void)state;
    for (int i = 0; i < CAUSE_MAX_; i++) {
        const struct cause_meta *m = cause_meta((enum cause)i);

        assert_int_equal(cause_parse(m->slug), i); /* so no slug is there twice */
        assert_true(strcmp(m->kind, "job") == 0 || strcmp(m->kind, "system") == 0);
        assert_true(i == CAUSE_NONE || strlen(m->message) > 0);
    }
    assert_int_equal(cause_parse("no_such_cause"), -1);
    assert_int_equal(cause_parse(""), -1);
}

static void slugs_are_those_of_the_api(void **state)
{
    (void)state;
    assert_string_equal(cause_meta(CAUSE_EXIT_CODE)->slug, "exit_code");
    assert_string_equal(cause_meta(CAUSE_DEADLINE_EXCEEDED)->slug, "deadline_exceeded");
    assert_string_equal(cause_meta(CAUSE_WORKER_LOST)->kind, "system");
    assert_string_equal(cause_meta(CAUSE_SPAWN_FAILED)->kind, "system");
}

static void only_attempts_that_count_for_nothing_are_releases(void **state)
{
    (void)state;
    for (int i = 0; i < CAUSE_MAX_; i++) {
        struct outcome o = { .cause = (enum cause)i };

        assert_int_equal(outcome_is_release(&o),
                         i == CAUSE_NEVER_STARTED || i == CAUSE_SHUTDOWN);
    }
}

static void stream_names_round_trip(void **state)
{
    (void)state;
    assert_string_equal(stream_name(STREAM_STDOUT), "stdout");
    assert_string_equal(stream_name(STREAM_STDERR), "stderr");
    for (int i = 0; i < STREAM_MAX_; i++)
        assert_int_equal(stream_parse(stream_name((enum stream)i)), i);
    assert_int_equal(stream_parse("combined"), -1);
    assert_int_equal(stream_parse(""), -1);
}

static void fini_releases_all_and_may_be_called_twice(void **state)
{
    struct outcome o = { .message = mem_str("m"), .result = mem_str("{}"), .result_len = 2 };

    (void)state;
    o.captures[STREAM_STDOUT].data = mem_str("out");
    o.captures[STREAM_STDERR].data = mem_str("err");
    outcome_fini(&o); /* what is left behind is reported by the address sanitizer */
    assert_null(o.message);
    assert_null(o.result);
    assert_null(o.captures[STREAM_STDERR].data);
    outcome_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cause_has_a_slug_of_its_own_a_kind_and_a_sentence),
        cmocka_unit_test(slugs_are_those_of_the_api),
        cmocka_unit_test(only_attempts_that_count_for_nothing_are_releases),
        cmocka_unit_test(stream_names_round_trip),
        cmocka_unit_test(fini_releases_all_and_may_be_called_twice),
    };

    return cmocka_run_group_tests_name("domain/outcome", tests, NULL, NULL);
}
