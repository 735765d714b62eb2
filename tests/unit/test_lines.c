#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pool/lines.h"

static void assert_next(struct lines *l, const char *want)
{
    const char *line;
    size_t len;

    assert_true(lines_next(l, &line, &len));
    assert_int_equal(len, strlen(want));
    assert_memory_equal(line, want, len);
}

static void assert_no_next(struct lines *l)
{
    const char *line;
    size_t len;

    assert_false(lines_next(l, &line, &len));
}

static void lines_come_as_they_are_whole(void **state)
{
    struct lines l = { 0 };

    (void)state;
    assert_no_next(&l);
    lines_add(&l, "on", 2);
    assert_no_next(&l);
    lines_add(&l, "e\ntwo\r\n\nthr", 11);
    assert_next(&l, "one");
    assert_next(&l, "two");
    assert_next(&l, "");
    assert_no_next(&l);
    lines_add(&l, "ee\n", 3);
    assert_next(&l, "three");
    assert_no_next(&l);
    lines_fini(&l);
}

static void the_rest_is_a_line_at_the_end(void **state)
{
    struct lines l = { 0 };
    const char *line;
    size_t len;

    (void)state;
    assert_false(lines_rest(&l, &line, &len));
    lines_add(&l, "a\nlast", 6);
    assert_next(&l, "a");
    assert_no_next(&l);
    assert_true(lines_rest(&l, &line, &len));
    assert_int_equal(len, 4);
    assert_memory_equal(line, "last", 4);
    assert_false(lines_rest(&l, &line, &len));
    lines_fini(&l);
}

static void the_longest_line_is_taken_and_one_byte_more_is_not(void **state)
{
    AUTO(mem) char *block = mem_array0(LINES_LENGTH_MAX + 1, 1);
    struct lines l = { 0 };
    const char *line;
    size_t len;

    (void)state;
    memset(block, 'x', LINES_LENGTH_MAX + 1);
    lines_add(&l, block, LINES_LENGTH_MAX);
    assert_no_next(&l);
    assert_false(l.overlong);
    lines_add(&l, "\n", 1);
    assert_true(lines_next(&l, &line, &len));
    assert_int_equal(len, LINES_LENGTH_MAX);

    lines_add(&l, block, LINES_LENGTH_MAX + 1);
    assert_no_next(&l);
    assert_true(l.overlong);
    len = l.bytes.len;
    lines_add(&l, block, LINES_LENGTH_MAX);
    assert_int_equal(l.bytes.len, len); /* it does not grow without end */
    assert_no_next(&l);
    lines_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_as_they_are_whole),
        cmocka_unit_test(the_rest_is_a_line_at_the_end),
        cmocka_unit_test(the_longest_line_is_taken_and_one_byte_more_is_not),
    };

    return cmocka_run_group_tests_name("pool/lines", tests, NULL, NULL);
}
