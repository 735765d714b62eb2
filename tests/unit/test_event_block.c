#include "tests/support/test.h"

#include "domain/event_block.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct event sample(int64_t seq)
{
    return (struct event){ .seq = seq,
                           .kind = EVENT_JOB_CREATED,
                           .subject = uuid7_from_parts(seq * 1000, 12345),
                           .at_us = (usec_t)1764000000 * USEC_PER_SEC + seq,
                           .state = JOB_QUEUED,
                           .version = 1,
                           .progress_ppm = -1,
                           .queue = "default",
                           .function = "resize",
                           .tenant = "" };
}

static void assert_text(const char *a, const char *b)
{
    if (!a || !b)
        assert_ptr_equal(a, b);
    else
        assert_string_equal(a, b);
}

static void assert_same(const struct event *a, const struct event *b)
{
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->prev_seq, b->prev_seq);
    assert_int_equal(a->kind, b->kind);
    assert_true(uuid7_equal(a->subject, b->subject));
    assert_int_equal(a->at_us, b->at_us);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->progress_ppm, b->progress_ppm);
    assert_text(a->reason, b->reason);
    assert_text(a->queue, b->queue);
    assert_text(a->function, b->function);
    assert_text(a->tenant, b->tenant);
}

/* Write them, read them back. Returns the size of the block. */
static size_t round_trip(const struct event *events, size_t count)
{
    struct event_block block = { 0 };
    struct event_walk walk;
    struct event ev;
    size_t len;

    for (size_t i = 0; i < count; i++)
        event_block_add(&block, &events[i]);
    assert_int_equal(block.count, count);
    assert_int_equal(block.first_seq, events[0].seq);
    assert_int_equal(block.last.seq, events[count - 1].seq);
    event_walk_init(&walk, block.bytes.data, block.bytes.len);
    for (size_t i = 0; i < count; i++) {
        assert_true(event_walk_next(&walk, &ev));
        assert_same(&ev, &events[i]);
    }
    assert_false(event_walk_next(&walk, &ev));
    assert_false(walk.in.broken);
    len = block.bytes.len;
    event_block_fini(&block);
    return len;
}

static void events_come_back_as_they_were(void **state)
{
    struct event events[6];

    (void)state;
    for (int i = 0; i < 6; i++)
        events[i] = sample(1000 + i);
    events[1].function = NULL;
    events[1].reason = "user";
    events[1].tenant = "acme";
    events[2].queue = "slow";
    events[2].prev_seq = 7;
    events[2].at_us -= 5 * USEC_PER_SEC; /* the clock was set back */
    events[3].kind = EVENT_JOB_PROGRESS;
    events[3].progress_ppm = 1000000;
    events[3].reason = "half\nof it \"done\"";
    events[3].version = INT64_MAX;
    events[3].attempt = INT32_MAX;
    events[4].function = "other";
    events[4].kind = (enum event_kind)(EVENT_KIND_MAX_ - 1);
    events[5].seq = INT64_MAX;
    events[5].subject = uuid7_from_parts(UUID7_KEY_MAX, INT64_MAX >> 1);
    (void)round_trip(events, 6);
}

static void like_events_take_few_bytes(void **state)
{
    struct event events[30];

    (void)state;
    for (int i = 0; i < 30; i++)
        events[i] = sample(1000 + i);
    assert_in_range(round_trip(events, 30), 1, 30 * 32);
}

static void a_cleared_block_begins_anew(void **state)
{
    struct event_block block = { 0 };
    struct event_walk walk;
    struct event first = sample(5);
    struct event second = sample(3);
    struct event ev;

    (void)state;
    event_block_add(&block, &first);
    event_block_clear(&block);
    event_block_add(&block, &second);
    event_walk_init(&walk, block.bytes.data, block.bytes.len);
    assert_true(event_walk_next(&walk, &ev));
    assert_same(&ev, &second);
    assert_false(event_walk_next(&walk, &ev));
    event_block_fini(&block);
}

/* Whatever the bytes are, the walk ends, and reads nothing beyond them (asan). */
static void a_damaged_block_is_told(void **state)
{
    struct event_block block = { 0 };
    struct event events[3] = { sample(1), sample(2), sample(3) };
    unsigned told = 0;

    (void)state;
    events[1].reason = "why";
    for (int i = 0; i < 3; i++)
        event_block_add(&block, &events[i]);
    for (size_t len = 0; len < block.bytes.len; len++) {
        char *cut = mem_dup(block.bytes.data, len); /* adds a NUL */
        char *exact = malloc(len + 1);
        struct event_walk walk;
        struct event ev;

        assert_non_null(exact);
        memcpy(exact, cut, len);
        exact = realloc(exact, len ? len : 1);
        event_walk_init(&walk, exact, len);
        while (event_walk_next(&walk, &ev))
            ;
        told += walk.in.broken;
        free(exact);
        free(cut);
    }
    assert_in_range(told, block.bytes.len - 3, block.bytes.len);
    event_block_fini(&block);
}

static void kinds_have_their_names(void **state)
{
    (void)state;
    for (int kind = 0; kind < EVENT_KIND_MAX_; kind++)
        assert_int_equal(event_kind_parse(event_kind_name((enum event_kind)kind)), kind);
    assert_int_equal(event_kind_parse("job.done"), -1);
    assert_true(event_kind_is_final(EVENT_JOB_CANCELED));
    assert_false(event_kind_is_final(EVENT_JOB_CANCEL_REQUESTED));
    assert_true(event_kind_is_batch(EVENT_BATCH_CREATED));
    assert_false(event_kind_is_batch(EVENT_JOB_CREATED));
}

static void a_filter_names_what_is_wanted(void **state)
{
    struct event ev = sample(1);
    struct event batch = sample(2);

    (void)state;
    batch.kind = EVENT_BATCH_CREATED;
    assert_true(event_matches(&ev, &(struct event_filter){ 0 }));
    assert_true(event_matches(&ev, &(struct event_filter){ .queue = "default" }));
    assert_false(event_matches(&ev, &(struct event_filter){ .queue = "slow" }));
    assert_false(event_matches(&batch, &(struct event_filter){ .queue = "default" }));
    assert_false(event_matches(&ev, &(struct event_filter){ .function = "" }));
    assert_true(event_matches(&ev, &(struct event_filter){ .states = 1U << JOB_QUEUED }));
    assert_false(event_matches(&ev, &(struct event_filter){ .states = 1U << JOB_FAILED }));
    assert_true(event_matches(&ev, &(struct event_filter){ .kinds = 1U << EVENT_JOB_CREATED }));
    assert_false(event_matches(&ev, &(struct event_filter){ .kinds = 1U << EVENT_JOB_QUEUED }));
    assert_true(event_matches(&ev, &(struct event_filter){ .tenant = "" }));
    assert_false(event_matches(&ev, &(struct event_filter){ .tenant = "acme" }));
    ev.function = NULL;
    assert_true(event_matches(&ev, &(struct event_filter){ .function = "" }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_back_as_they_were),
        cmocka_unit_test(like_events_take_few_bytes),
        cmocka_unit_test(a_cleared_block_begins_anew),
        cmocka_unit_test(a_damaged_block_is_told),
        cmocka_unit_test(kinds_have_their_names),
        cmocka_unit_test(a_filter_names_what_is_wanted),
    };

    return cmocka_run_group_tests_name("domain/event_block", tests, NULL, NULL);
}
