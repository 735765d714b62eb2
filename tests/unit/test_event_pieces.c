#include "tests/support/test.h"

#include "handlers/event_pieces.h"

static struct event_piece *share(struct event_pieces *ps, int64_t after, const char *filter,
                                 const char *text)
{
    struct buf b = { 0 };
    struct event_piece *p;

    buf_add_str(&b, text);
    p = event_pieces_share(ps, after, after + 3, filter, &b);
    assert_null(b.data);
    return p;
}

static void a_piece_is_shared_by_those_at_the_same_place(void **state)
{
    struct event_pieces *ps = event_pieces_new();
    struct event_piece *made = share(ps, 7, "all", "text");
    struct event_piece *same = event_pieces_get(ps, 7, "all");

    (void)state;
    assert_ptr_equal(made, same);
    assert_int_equal(same->seen_seq, 10);
    assert_string_equal(same->text.data, "text");
    assert_null(event_pieces_get(ps, 8, "all"));
    assert_null(event_pieces_get(ps, 7, "queue"));
    made = event_pieces_put(ps, made);
    assert_null(made);
    assert_string_equal(same->text.data, "text");
    (void)event_pieces_put(ps, same);
    same = event_pieces_get(ps, 7, "all");
    assert_non_null(same); /* it is kept although nobody had it */
    (void)event_pieces_put(ps, same);
    ps = event_pieces_free(ps);
}

/* asan sees what is freed too early, or never. */
static void a_piece_that_is_replaced_lives_as_long_as_it_is_read(void **state)
{
    struct event_pieces *ps = event_pieces_new();
    struct event_piece *first = share(ps, 1, "all", "first");

    (void)state;
    for (int64_t i = 2; i < 1000; i++)
        (void)event_pieces_put(ps, share(ps, i, "all", "another"));
    (void)event_pieces_put(ps, share(ps, 1, "all", "again"));
    assert_string_equal(first->text.data, "first");
    (void)event_pieces_put(ps, first);
    (void)event_pieces_put(ps, NULL);
    ps = event_pieces_free(ps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_piece_is_shared_by_those_at_the_same_place),
        cmocka_unit_test(a_piece_that_is_replaced_lives_as_long_as_it_is_read),
    };

    return cmocka_run_group_tests_name("handlers/event_pieces", tests, NULL, NULL);
}
