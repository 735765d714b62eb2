#include "tests/support/test.h"

#include "base/err.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/clean.h"
#include "base/text.h"

/* The table once more, so that the code under test is checked against its source. */
static const struct err_row {
    const char *symbol;
    int code;
    int http_status;
    const char *slug;
    const char *title;
} rows[] = {
#define ERR(symbol, status, slug, title) { #symbol, ERR_##symbol, status, slug, title },
#include "base/err.def"
#undef ERR
};

static void every_code_is_negative_and_finds_its_own_entry(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct err_meta *m = err_meta(rows[i].code);

        assert_true(rows[i].code < 0);
        assert_string_equal(m->symbol, rows[i].symbol);
        assert_int_equal(m->http_status, rows[i].http_status);
        assert_string_equal(m->slug, rows[i].slug);
        assert_string_equal(m->title, rows[i].title);
    }
}

static void a_fact_goes_with_its_fault(void **state)
{
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(err_fact(&e, err_set(&e, ERR_JOB_FINISHED, "late"), "state", "failed"),
                     ERR_JOB_FINISHED);
    assert_string_equal(e.fact_name, "state");
    assert_string_equal(e.fact, "failed");
    (void)err_set(&e, ERR_VALIDATION, "other");
    assert_null(e.fact_name);
    assert_int_equal(err_fact(NULL, ERR_AGAIN, "state", "failed"), ERR_AGAIN);
}

static void an_unknown_code_reads_as_internal(void **state)
{
    static const int unknown[] = { 0,      1,         404,      -(int)COUNT_OF(rows) - 1,
                                   -10000, INT32_MIN, INT32_MAX };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        assert_string_equal(err_meta(unknown[i])->symbol, "INTERNAL");
}

static void every_slug_leads_to_its_first_entry(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t first = 0;

        while (!text_equal(rows[first].slug, rows[i].slug))
            first++;
        assert_ptr_equal(err_meta_by_slug(rows[i].slug), err_meta(rows[first].code));
    }
}

static void an_unknown_slug_leads_nowhere(void **state)
{
    static const char *const unknown[] = { "", "job", "job-not-found2", "JOB-NOT-FOUND" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        assert_null(err_meta_by_slug(unknown[i]));
}

static void every_entry_is_a_client_or_server_error_with_a_title(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_in_range(rows[i].http_status, 400, 599);
        assert_true(strlen(rows[i].title) > 0);
        assert_true(text_is_token(rows[i].slug, 64));
    }
}

static void setting_an_error_returns_its_code_and_keeps_its_text(void **state)
{
    struct errinfo e = { .sys_errno = 5 };

    (void)state;
    assert_int_equal(err_set(&e, ERR_CONFIG, "%s=%d, want %d", "workers", 0, 1), ERR_CONFIG);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_int_equal(e.sys_errno, 0);
    assert_string_equal(e.text, "workers=0, want 1");
}

static void nobody_has_to_take_the_text(void **state)
{
    (void)state;
    errno = EPERM;
    assert_int_equal(err_set(NULL, ERR_CONFIG, "x"), ERR_CONFIG);
    assert_int_equal(err_sys(NULL, "x"), ERR_SYS);
    assert_int_equal(errno, EPERM);
}

static void a_failed_call_adds_its_reason_and_keeps_errno(void **state)
{
    struct errinfo e;

    (void)state;
    errno = ENOSPC;
    assert_int_equal(err_sys(&e, "fsync %s", "log"), ERR_SYS);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(e.code, ERR_SYS);
    assert_int_equal(e.sys_errno, ENOSPC);
    assert_string_equal(e.text, "fsync log: No space left on device");
}

static void an_errno_without_a_name_is_given_as_a_number(void **state)
{
    struct errinfo e;

    (void)state;
    errno = 54321;
    assert_int_equal(err_sys(&e, "ioctl"), ERR_SYS);
    assert_string_equal(e.text, "ioctl: errno 54321");
}

static void an_error_may_be_put_around_itself(void **state)
{
    struct errinfo e;

    (void)state;
    (void)err_set(&e, ERR_CONFIG, "line 3");
    assert_int_equal(err_set(&e, ERR_CONFIG, "jobd.yaml: %s", e.text), ERR_CONFIG);
    assert_string_equal(e.text, "jobd.yaml: line 3");
}

/* "é" and "€" and "😀" at every distance from the end of the room. */
static void a_long_text_is_cut_between_two_characters(void **state)
{
    static const char *const chars[] = { "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };

    (void)state;
    for (size_t c = 0; c < COUNT_OF(chars); c++)
        for (size_t lead = 0; lead < 8; lead++) {
            size_t width = strlen(chars[c]);
            size_t want_len = lead + (ERR_TEXT_SIZE - 1 - lead) / width * width;
            char text[2 * ERR_TEXT_SIZE];
            struct errinfo e;
            size_t len = lead;

            memset(text, '-', lead);
            for (; len < sizeof text - 5; len += width)
                memcpy(text + len, chars[c], width);
            text[len] = '\0';

            (void)err_set(&e, ERR_CONFIG, "%s", text);
            assert_int_equal(strlen(e.text), want_len);
            assert_memory_equal(e.text, text, want_len);
        }
}

static void bytes_that_never_were_utf8_are_cut_at_the_room(void **state)
{
    char text[2 * ERR_TEXT_SIZE];
    struct errinfo e;

    (void)state;
    memset(text, 0x80, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)err_set(&e, ERR_CONFIG, "%s", text);
    assert_int_equal(strlen(e.text), ERR_TEXT_SIZE - 1);
}

static void the_reason_survives_a_long_description(void **state)
{
    static const char reason[] = ": No such file or directory";

    (void)state;
    for (size_t len = ERR_TEXT_SIZE - 40; len < ERR_TEXT_SIZE + 40; len++) {
        char path[2 * ERR_TEXT_SIZE];
        struct errinfo e;

        memset(path, 'p', len);
        path[len] = '\0';
        errno = ENOENT;
        (void)err_sys(&e, "%s", path);
        assert_string_equal(e.text + strlen(e.text) - strlen(reason), reason);
        assert_int_equal(strspn(e.text, "p"), strlen(e.text) - strlen(reason));
    }
}

static void a_shortage_is_told_from_what_will_not_pass(void **state)
{
    static const int passing[] = { EAGAIN, EMFILE, ENFILE, ENOMEM, ENOBUFS, ENOSPC, EDQUOT };
    static const int lasting[] = { ENOENT, EACCES, EINVAL, EIO };
    struct errinfo e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(passing); i++) {
        errno = passing[i];
        (void)err_sys(&e, "open x");
        assert_true(err_is_shortage(&e));
    }
    for (size_t i = 0; i < COUNT_OF(lasting); i++) {
        errno = lasting[i];
        (void)err_sys(&e, "open x");
        assert_false(err_is_shortage(&e));
    }
    (void)err_set(&e, ERR_STORAGE_FULL, "no room");
    assert_true(err_is_shortage(&e));
    (void)err_set(&e, ERR_DATABASE, "torn");
    assert_false(err_is_shortage(&e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_is_negative_and_finds_its_own_entry),
        cmocka_unit_test(a_fact_goes_with_its_fault),
        cmocka_unit_test(an_unknown_code_reads_as_internal),
        cmocka_unit_test(every_slug_leads_to_its_first_entry),
        cmocka_unit_test(an_unknown_slug_leads_nowhere),
        cmocka_unit_test(every_entry_is_a_client_or_server_error_with_a_title),
        cmocka_unit_test(setting_an_error_returns_its_code_and_keeps_its_text),
        cmocka_unit_test(nobody_has_to_take_the_text),
        cmocka_unit_test(a_failed_call_adds_its_reason_and_keeps_errno),
        cmocka_unit_test(an_errno_without_a_name_is_given_as_a_number),
        cmocka_unit_test(an_error_may_be_put_around_itself),
        cmocka_unit_test(a_long_text_is_cut_between_two_characters),
        cmocka_unit_test(bytes_that_never_were_utf8_are_cut_at_the_room),
        cmocka_unit_test(the_reason_survives_a_long_description),
        cmocka_unit_test(a_shortage_is_told_from_what_will_not_pass),
    };

    return cmocka_run_group_tests_name("base/err", tests, NULL, NULL);
}
