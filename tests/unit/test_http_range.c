#include "tests/support/test.h"

#include "base/clean.h"
#include "server/http/ranges.h"

struct example {
    const char *range;
    uint64_t total;
    bool partial;
    uint64_t offset;
    uint64_t len;
};

static void ranges_are_cut_out_of_the_whole(void **state)
{
    static const struct example examples[] = {
        { "bytes=0-0", 10, true, 0, 1 },
        { "bytes=0-9", 10, true, 0, 10 },
        { "bytes=2-5", 10, true, 2, 4 },
        { "bytes=5-", 10, true, 5, 5 },
        { "bytes=9-", 10, true, 9, 1 },
        { "bytes=3-99", 10, true, 3, 7 },
        { "bytes=-4", 10, true, 6, 4 },
        { "bytes=-99", 10, true, 0, 10 },
        { "BYTES=1-2", 10, true, 1, 2 },
        { "bytes= 1-2 ", 10, true, 1, 2 },
        { "bytes=0-18446744073709551615", 10, true, 0, 10 },
        { "bytes=0-99999999999999999999999", 10, true, 0, 10 },
        { "bytes=-99999999999999999999999", 10, true, 0, 10 },
        { NULL, 10, false, 0, 10 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        const struct example *x = &examples[i];
        struct http_range r;

        assert_int_equal(range_parse(x->range, NULL, x->total, "\"v1\"", &r, NULL), 0);
        if (r.partial != x->partial || r.offset != x->offset || r.len != x->len)
            fail_msg("%s gives %d %ju %ju", x->range, r.partial, (uintmax_t)r.offset,
                     (uintmax_t)r.len);
    }
}

static void what_is_not_one_byte_range_means_the_whole(void **state)
{
    static const char *const ranges[] = {
        "bytes=0-1,3-4", "lines=1-2", "bytes=",    "bytes=-", "bytes=a-b", "bytes=5-2",
        "bytes=1-2x",    "bytes",     "bytes=1 2", "",        "bytes=--1", "0-1",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        struct http_range r;

        assert_int_equal(range_parse(ranges[i], NULL, 10, NULL, &r, NULL), 0);
        if (r.partial || r.offset != 0 || r.len != 10)
            fail_msg("%s is taken for a range", ranges[i]);
    }
}

static void a_range_outside_is_not_satisfiable(void **state)
{
    static const char *const ranges[] = { "bytes=10-", "bytes=10-12", "bytes=-0",
                                          "bytes=99999999999999999999999-" };
    struct http_range r = { .len = 77 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ranges); i++)
        assert_int_equal(range_parse(ranges[i], NULL, 10, NULL, &r, NULL), ERR_RANGE);
    assert_int_equal(r.len, 77);
}

static void nothing_has_no_range_but_a_suffix_of_it_is_the_whole(void **state)
{
    struct http_range r;

    (void)state;
    assert_int_equal(range_parse("bytes=0-", NULL, 0, NULL, &r, NULL), ERR_RANGE);
    assert_int_equal(range_parse("bytes=-5", NULL, 0, NULL, &r, NULL), 0);
    assert_false(r.partial);
    assert_int_equal(r.len, 0);
}

static void if_range_asks_for_the_same_strong_tag(void **state)
{
    struct http_range r;

    (void)state;
    assert_int_equal(range_parse("bytes=1-2", "\"v1\"", 10, "\"v1\"", &r, NULL), 0);
    assert_true(r.partial);
    assert_int_equal(range_parse("bytes=1-2", "\"v2\"", 10, "\"v1\"", &r, NULL), 0);
    assert_false(r.partial);
    assert_int_equal(range_parse("bytes=1-2", "W/\"v1\"", 10, "\"v1\"", &r, NULL), 0);
    assert_false(r.partial);
    assert_int_equal(range_parse("bytes=1-2", "\"v1\"", 10, NULL, &r, NULL), 0);
    assert_false(r.partial);
    assert_int_equal(
        range_parse("bytes=99-", "Sat, 29 Oct 1994 19:43:31 GMT", 10, "\"v1\"", &r, NULL), 0);
    assert_false(r.partial);
}

static void a_weak_tag_is_not_strongly_equal_to_any(void **state)
{
    (void)state;
    assert_true(etag_listed_strongly("\"v7\"", "\"v7\""));
    assert_true(etag_listed_strongly("W/\"v7\", \"v7\"", "\"v7\""));
    assert_true(etag_listed_strongly("*", "\"v7\""));
    assert_false(etag_listed_strongly("W/\"v7\"", "\"v7\""));
    assert_false(etag_listed_strongly("\"v7\"", "W/\"v7\""));
    assert_false(etag_listed_strongly("v7", "\"v7\""));
}

static void a_listed_tag_is_found_by_weak_comparison(void **state)
{
    (void)state;
    assert_true(etag_listed("\"v7\"", "\"v7\""));
    assert_true(etag_listed("W/\"v7\"", "\"v7\""));
    assert_true(etag_listed("\"v7\"", "W/\"v7\""));
    assert_true(etag_listed("\"v1\", W/\"v2\" ,\"v7\"", "\"v7\""));
    assert_true(etag_listed("*", "\"v7\""));
    assert_true(etag_listed(" * ", "\"v7\""));
    assert_true(etag_listed("\"a,b\", \"v7\"", "\"v7\""));
}

static void a_tag_that_is_not_listed_is_not_found(void **state)
{
    static const char *const lists[] = { "",       "\"v70\"", "\"v\"", "v7",   "\"v7",
                                         "\"V7\"", "*\"v7\"", "W/v7",  "\"\"", "," };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        if (etag_listed(lists[i], "\"v7\""))
            fail_msg("%s lists it", lists[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_cut_out_of_the_whole),
        cmocka_unit_test(what_is_not_one_byte_range_means_the_whole),
        cmocka_unit_test(a_range_outside_is_not_satisfiable),
        cmocka_unit_test(nothing_has_no_range_but_a_suffix_of_it_is_the_whole),
        cmocka_unit_test(if_range_asks_for_the_same_strong_tag),
        cmocka_unit_test(a_weak_tag_is_not_strongly_equal_to_any),
        cmocka_unit_test(a_listed_tag_is_found_by_weak_comparison),
        cmocka_unit_test(a_tag_that_is_not_listed_is_not_found),
    };

    return cmocka_run_group_tests_name("server/http/ranges", tests, NULL, NULL);
}
