#include "tests/support/test.h"

#include <string.h>

#include "base/clean.h"
#include "domain/fingerprint.h"

static struct failure_kind kind_of(const struct outcome *o, const char *function,
                                   const char *queue)
{
    struct failure_kind k;

    failure_kind_of(o, function, queue, &k);
    return k;
}

static struct outcome failed(char *err)
{
    struct outcome o = { .cause = CAUSE_EXIT_CODE, .exit_code = 3 };
    static char said[] = "it exited with code 3";

    o.message = said;
    o.captures[STREAM_STDERR].data = err;
    o.captures[STREAM_STDERR].kept_bytes = (int64_t)strlen(err);
    return o;
}

static void a_command_is_known_by_the_last_line_of_its_stderr(void **state)
{
    char err[] = "Traceback:\n  File \"x.py\", line 3\nValueError: row 4711 is bad\n\n";
    struct outcome o = failed(err);

    (void)state;
    assert_string_equal(kind_of(&o, NULL, "q").message, "ValueError: row <num> is bad");
    o.cause = CAUSE_SIGNAL;
    assert_string_equal(kind_of(&o, NULL, "q").message, "ValueError: row <num> is bad");
}

static void without_stderr_it_is_what_jobd_says(void **state)
{
    char blank[] = " \n";
    struct outcome o = failed(blank);

    (void)state;
    assert_string_equal(kind_of(&o, NULL, "q").message, "it exited with code <num>");
    o.captures[STREAM_STDERR].data = NULL;
    o.captures[STREAM_STDERR].spilled = true;
    assert_string_equal(kind_of(&o, NULL, "q").message, "it exited with code <num>");
    o.message = NULL;
    assert_string_equal(kind_of(&o, NULL, "q").message,
                        "the program exited with a non-zero code");
}

static void what_a_program_answers_is_more_than_its_stderr(void **state)
{
    char err[] = "a log line\n";
    char said[] = "no row 17";
    struct outcome o = failed(err);

    (void)state;
    o.cause = CAUSE_ERROR;
    o.message = said;
    assert_string_equal(kind_of(&o, "score", "q").message, "no row <num>");
}

static void failures_of_the_same_kind_have_the_same_fingerprint(void **state)
{
    char one[] = "no row 17 in '/srv/a'";
    char two[] = "noise\nno row 4711 in '/srv/b'\n";
    struct outcome a = failed(one);
    struct outcome b = failed(two);

    (void)state;
    assert_int_equal(kind_of(&a, "f", "q").fingerprint, kind_of(&b, "f", "q").fingerprint);
    assert_true(kind_of(&a, "f", "q").fingerprint > FINGERPRINT_OTHER);
}

static void every_part_of_the_kind_counts(void **state)
{
    char err[] = "no row";
    char other[] = "no column";
    struct outcome o = failed(err);
    int64_t all[8];
    size_t n = 0;

    (void)state;
    all[n++] = kind_of(&o, "f", "q").fingerprint;
    all[n++] = kind_of(&o, NULL, "q").fingerprint;
    all[n++] = kind_of(&o, "f", "r").fingerprint;
    all[n++] = kind_of(&o, "fq", "").fingerprint;
    o.exit_code = 4;
    all[n++] = kind_of(&o, "f", "q").fingerprint;
    o.signal = 4;
    all[n++] = kind_of(&o, "f", "q").fingerprint;
    o.cause = CAUSE_SIGNAL;
    all[n++] = kind_of(&o, "f", "q").fingerprint;
    o.captures[STREAM_STDERR].data = other;
    all[n++] = kind_of(&o, "f", "q").fingerprint;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(all[i], all[j]);
}

/* It is on disk: it must not change from one version of jobd to the next. */
static void the_fingerprint_is_the_same_for_ever(void **state)
{
    char err[] = "no row 17\n";
    char text[FINGERPRINT_TEXT_SIZE];
    struct outcome o = failed(err);

    (void)state;
    assert_string_equal(fingerprint_format(kind_of(&o, "f", "q").fingerprint, text),
                        "607e71dfc3ce83a4");
}

static void only_16_hexadecimal_digits_are_read_back(void **state)
{
    static const char *const bad[] = { "",
                                       "0",
                                       "000000000000000",
                                       "0000000000000000",
                                       "00000000000000001",
                                       "8000000000000000",
                                       "00c0ffee1234567g",
                                       "0x00c0ffee123456",
                                       " 0c0ffee12345678" };
    char text[FINGERPRINT_TEXT_SIZE];
    int64_t got = 7;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(fingerprint_parse(bad[i], &got));
    assert_int_equal(got, 7);
    assert_true(fingerprint_parse("00C0ffee12345678", &got));
    assert_string_equal(fingerprint_format(got, text), "00c0ffee12345678");
    assert_true(fingerprint_parse("7fffffffffffffff", &got));
    assert_int_equal(got, INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_is_known_by_the_last_line_of_its_stderr),
        cmocka_unit_test(without_stderr_it_is_what_jobd_says),
        cmocka_unit_test(what_a_program_answers_is_more_than_its_stderr),
        cmocka_unit_test(failures_of_the_same_kind_have_the_same_fingerprint),
        cmocka_unit_test(every_part_of_the_kind_counts),
        cmocka_unit_test(the_fingerprint_is_the_same_for_ever),
        cmocka_unit_test(only_16_hexadecimal_digits_are_read_back),
    };

    return cmocka_run_group_tests_name("domain/fingerprint", tests, NULL, NULL);
}
