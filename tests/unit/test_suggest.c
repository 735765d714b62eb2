#include "tests/support/test.h"

#include <string.h>

#include "base/clean.h"
#include "domain/suggest.h"

static const char *nearest(const char *word)
{
    static const char *const known[] = {
        "function", "command",       "args",  "env",
        "priority", "delay_seconds", "queue", "timeout_seconds"
    };
    struct suggestion s = { .word = word };

    for (size_t i = 0; i < COUNT_OF(known); i++)
        suggest_consider(&s, known[i]);
    return s.nearest;
}

static void misspelt_names_find_the_one_that_was_meant(void **state)
{
    static const struct {
        const char *word;
        const char *meant;
    } rows[] = {
        { "piority", "priority" },
        { "prioritty", "priority" },
        { "proirity", "priority" },
        { "Function", "function" },
        { "arg", "args" },
        { "argss", "args" },
        { "comand", "command" },
        { "timeout", "timeout_seconds" },
        { "delay", "delay_seconds" },
        { "delay_secodns", "delay_seconds" },
        { "evn", "env" },
        { "quueue", "queue" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *got = nearest(rows[i].word);

        if (!got || strcmp(got, rows[i].meant) != 0)
            fail_msg("%s suggests %s, want %s", rows[i].word, got ? got : "nothing",
                     rows[i].meant);
    }
}

static void names_that_resemble_nothing_suggest_nothing(void **state)
{
    char long_word[SUGGEST_WORD_MAX + 2];

    (void)state;
    assert_null(nearest(""));
    assert_null(nearest("x"));
    assert_null(nearest("colour"));
    assert_null(nearest("\xC3\xA4\xC3\xB6"));
    memset(long_word, 'q', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    assert_null(nearest(long_word));
}

static void words_of_the_greatest_length_are_compared(void **state)
{
    char word[SUGGEST_WORD_MAX + 1], candidate[SUGGEST_WORD_MAX + 1];
    struct suggestion s = { .word = word };

    (void)state;
    memset(word, 'a', SUGGEST_WORD_MAX);
    memset(candidate, 'a', SUGGEST_WORD_MAX);
    word[SUGGEST_WORD_MAX] = candidate[SUGGEST_WORD_MAX] = '\0';
    word[0] = 'b';
    suggest_consider(&s, candidate);
    assert_ptr_equal(s.nearest, candidate);
    assert_int_equal(s.distance, 1);
}

static void the_nearest_of_several_wins(void **state)
{
    struct suggestion s = { .word = "resise" };

    (void)state;
    suggest_consider(&s, "rise");
    suggest_consider(&s, "resize");
    suggest_consider(&s, "reside2");
    assert_string_equal(s.nearest, "resize");
    assert_int_equal(s.distance, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(misspelt_names_find_the_one_that_was_meant),
        cmocka_unit_test(names_that_resemble_nothing_suggest_nothing),
        cmocka_unit_test(words_of_the_greatest_length_are_compared),
        cmocka_unit_test(the_nearest_of_several_wins),
    };

    return cmocka_run_group_tests_name("domain/suggest", tests, NULL, NULL);
}
