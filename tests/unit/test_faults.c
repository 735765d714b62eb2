#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/faults.h"

static void members_are_escaped_for_the_pointer_and_for_the_fragment(void **state)
{
    static const struct {
        const char *pointer;
        const char *member;
        const char *want;
    } rows[] = {
        { "#", "env", "#/env" },
        { "#/env", "PATH", "#/env/PATH" },
        { "#/command", "3", "#/command/3" },
        { "#", "", "#/" },
        { "#", "a/b", "#/a~1b" },
        { "#", "m~n", "#/m~0n" },
        { "#", "~1", "#/~01" },
        { "#", "c%d", "#/c%25d" },
        { "#", "e^f", "#/e%5Ef" },
        { "#", "g|h", "#/g%7Ch" },
        { "#", "i\\j", "#/i%5Cj" },
        { "#", "k\"l", "#/k%22l" },
        { "#", " ", "#/%20" },
        { "#", "#", "#/%23" },
        { "#", "\n", "#/%0A" },
        { "#", "a-b.c_d!$&'()*+,;=:@?", "#/a-b.c_d!$&'()*+,;=:@?" },
        { "#", "\xC3\xA4", "#/%C3%A4" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(mem) char *got = faults_pointer(rows[i].pointer, rows[i].member);

        assert_string_equal(got, rows[i].want);
    }
}

static void a_fault_keeps_its_place_code_and_text(void **state)
{
    AUTO_FINI(faults) struct faults f = { 0 };
    char place[] = "#/priority";

    (void)state;
    faults_add(&f, place, "out-of-range", "%d is not in %d..%d", 1001, -1000, 1000);
    place[2] = 'X'; /* the pointer was copied */
    assert_int_equal(f.count, 1);
    assert_int_equal(f.total, 1);
    assert_string_equal(f.items[0].pointer, "#/priority");
    assert_string_equal(f.items[0].code, "out-of-range");
    assert_string_equal(f.items[0].detail, "1001 is not in -1000..1000");
}

static void a_place_within_the_body_stands_before_the_pointers_of_what_is_there(void **state)
{
    static const struct {
        const char *at;
        const char *pointer;
        const char *want;
    } rows[] = {
        { NULL, "#/env/PATH", "#/env/PATH" },
        { "#/jobs/3", "#/command", "#/jobs/3/command" },
        { "#/jobs/3", "#", "#/jobs/3" },
        { "#/callbacks/on_success", "#/env/A~1B", "#/callbacks/on_success/env/A~1B" },
        { "#/jobs/3", "?limit", "?limit" }, /* a query parameter is nowhere in the body */
    };
    AUTO_FINI(faults) struct faults f = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        f.at = rows[i].at;
        faults_add(&f, rows[i].pointer, "missing", "it is missing");
        assert_string_equal(f.items[i].pointer, rows[i].want);
    }
}

static void faults_beyond_the_limit_are_only_counted(void **state)
{
    AUTO_FINI(faults) struct faults f = { 0 };

    (void)state;
    for (int i = 0; i < FAULTS_MAX + 7; i++)
        faults_add(&f, "#", "wrong-type", "fault %d", i);
    assert_int_equal(f.count, FAULTS_MAX);
    assert_int_equal(f.total, FAULTS_MAX + 7);
    assert_string_equal(f.items[FAULTS_MAX - 1].detail, "fault 99");
}

static void the_verdict_says_how_many_came_since(void **state)
{
    AUTO_FINI(faults) struct faults f = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(faults_judge(&f, 0, &e), 0);
    faults_add(&f, "#", "wrong-type", "one");
    assert_int_equal(faults_judge(&f, 1, &e), 0);
    assert_int_equal(faults_judge(&f, 0, &e), ERR_VALIDATION);
    assert_string_equal(e.text, "there is 1 fault");
    faults_add(&f, "#", "wrong-type", "two");
    faults_add(&f, "#", "wrong-type", "three");
    assert_int_equal(faults_judge(&f, 1, &e), ERR_VALIDATION);
    assert_string_equal(e.text, "there are 2 faults");
}

/* Every byte offset inside the three-byte sequences is tried as the place of the cut. */
static void long_details_are_cut_between_characters(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        AUTO_FINI(faults) struct faults f = { 0 };
        char text[3 * 1000 + 3 + 1];
        size_t len;

        memset(text, 'x', shift);
        for (size_t i = 0; i < 1000; i++)
            memcpy(text + shift + 3 * i, "\xE2\x82\xAC", 3);
        text[shift + 3000] = '\0';
        faults_add(&f, "#", "wrong-type", "%s", text);
        len = strlen(f.items[0].detail);
        assert_true(len > 1000 && len < 1024);
        assert_int_equal((len - shift) % 3, 0);
    }
}

static void long_pointers_are_cut_back_to_the_place_around(void **state)
{
    AUTO_FINI(faults) struct faults f = { 0 };
    char name[FAULTS_POINTER_MAX_BYTES];
    AUTO(mem) char *at_limit = NULL;
    AUTO(mem) char *in_env = NULL;
    AUTO(mem) char *deeper = NULL;

    (void)state;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    in_env = faults_pointer("#/env", name);
    deeper = faults_pointer(in_env, "y");
    name[sizeof name - 2] = '\0';
    at_limit = faults_pointer("#", name);

    faults_add(&f, at_limit, "unknown-field", "x");
    faults_add(&f, in_env, "unknown-field", "x");
    faults_add(&f, deeper, "unknown-field", "x");
    assert_int_equal(strlen(at_limit), FAULTS_POINTER_MAX_BYTES);
    assert_string_equal(f.items[0].pointer, at_limit);
    assert_string_equal(f.items[1].pointer, "#/env");
    assert_string_equal(f.items[2].pointer, "#/env");
}

static void fini_may_be_called_twice(void **state)
{
    struct faults f = { 0 };

    (void)state;
    faults_add(&f, "#", "wrong-type", "x");
    faults_fini(&f);
    assert_int_equal(f.count, 0);
    faults_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_escaped_for_the_pointer_and_for_the_fragment),
        cmocka_unit_test(a_fault_keeps_its_place_code_and_text),
        cmocka_unit_test(a_place_within_the_body_stands_before_the_pointers_of_what_is_there),
        cmocka_unit_test(faults_beyond_the_limit_are_only_counted),
        cmocka_unit_test(the_verdict_says_how_many_came_since),
        cmocka_unit_test(long_details_are_cut_between_characters),
        cmocka_unit_test(long_pointers_are_cut_back_to_the_place_around),
        cmocka_unit_test(fini_may_be_called_twice),
    };

    return cmocka_run_group_tests_name("domain/faults", tests, NULL, NULL);
}
