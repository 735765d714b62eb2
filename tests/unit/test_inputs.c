#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/inputs.h"
#include "domain/json_text.h"

static void paths_below_the_directory_are_fine(void **state)
{
    static const char *const good[] = { "a",    "a/b/c", "..a",      "a..", "...",
                                        ".git", "a b",   "\xC3\xA4", "-",   "a\\b" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (input_path_fault(good[i], strlen(good[i])))
            fail_msg("%s: %s", good[i], input_path_fault(good[i], strlen(good[i])));
}

static void paths_that_lead_elsewhere_are_refused(void **state)
{
    static const struct {
        const char *path;
        const char *says;
    } bad[] = {
        { "", "must name" },   { "/", "relative" },     { "/etc/passwd", "relative" },
        { ".", ". or .." },    { "..", ". or .." },     { "../a", ". or .." },
        { "a/..", ". or .." }, { "a/../b", ". or .." }, { "a/./b", ". or .." },
        { "a//b", "empty" },   { "a/", "empty" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *fault = input_path_fault(bad[i].path, strlen(bad[i].path));

        if (!fault || !strstr(fault, bad[i].says))
            fail_msg("%s: %s", bad[i].path, fault ? fault : "is allowed");
    }
    assert_non_null(input_path_fault("a\0b", 3));
}

static void segments_and_paths_are_bounded(void **state)
{
    char segment[257];
    char path[1026];

    (void)state;
    memset(segment, 'a', sizeof segment);
    assert_null(input_path_fault((segment[255] = '\0', segment), 255));
    segment[255] = 'a';
    segment[256] = '\0';
    assert_non_null(input_path_fault(segment, 256));
    memset(path, 'a', sizeof path);
    for (size_t i = 200; i < sizeof path; i += 200)
        path[i] = '/';
    path[1024] = '\0';
    assert_null(input_path_fault(path, 1024));
    path[1024] = 'a';
    path[1025] = '\0';
    assert_non_null(input_path_fault(path, 1025));
}

static int decode(const char *text, struct inputs *ret_inputs)
{
    AUTO(json) json_t *json = NULL;

    assert_int_equal(json_text_parse(text, strlen(text), &json, NULL), 0);
    return inputs_decode(json, ret_inputs, NULL);
}

static void contents_of_both_kinds_are_decoded_in_order(void **state)
{
    AUTO_FINI(inputs) struct inputs in = { 0 };

    (void)state;
    assert_int_equal(decode("[{\"path\":\"a\",\"content\":\"\xC3\xA4\"},"
                            "{\"path\":\"b/c\",\"base64\":\"AP8=\"},"
                            "{\"path\":\"d\",\"base64\":\"\"}]",
                            &in),
                     0);
    assert_int_equal(in.count, 3);
    assert_string_equal(in.items[0].path, "a");
    assert_string_equal(in.items[0].data, "\xC3\xA4");
    assert_int_equal(in.items[1].len, 2);
    assert_memory_equal(in.items[1].data, "\0\xff", 2);
    assert_int_equal(in.items[2].len, 0);
    assert_non_null(in.items[2].data);
}

static void no_inputs_are_none(void **state)
{
    struct inputs in = { 0 };

    (void)state;
    assert_int_equal(inputs_decode(NULL, &in, NULL), 0);
    assert_int_equal(in.count, 0);
    assert_null(in.items);
    assert_int_equal(decode("[]", &in), 0);
    assert_int_equal(in.count, 0);
}

/* What the ledger holds was checked; if it is damaged, no path may lead elsewhere. */
static void damaged_inputs_are_refused(void **state)
{
    static const char *const bad[] = {
        "{}",
        "[1]",
        "[{\"path\":\"a\"}]",
        "[{\"content\":\"a\"}]",
        "[{\"path\":\"../a\",\"content\":\"\"}]",
        "[{\"path\":\"a\",\"content\":\"\"},{\"path\":\"b\",\"base64\":\"?\"}]",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct inputs in = { .count = 77 };

        assert_int_equal(decode(bad[i], &in), ERR_VALIDATION);
        assert_int_equal(in.count, 77); /* untouched */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_below_the_directory_are_fine),
        cmocka_unit_test(paths_that_lead_elsewhere_are_refused),
        cmocka_unit_test(segments_and_paths_are_bounded),
        cmocka_unit_test(contents_of_both_kinds_are_decoded_in_order),
        cmocka_unit_test(no_inputs_are_none),
        cmocka_unit_test(damaged_inputs_are_refused),
    };

    return cmocka_run_group_tests_name("domain/inputs", tests, NULL, NULL);
}
