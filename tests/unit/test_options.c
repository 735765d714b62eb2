#include "tests/support/test.h"

#include "server/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "server/cmdline.h"
#include "store/store.h"

/* -- the table ---------------------------------------------------------------------------- */

static void every_option_has_all_its_names_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < options_count; i++) {
        const struct option *o = &options[i];

        assert_true(o->key && o->flag && o->variable && o->help);
        /* Else a list is empty, and a text is not there. */
        assert_true(o->otherwise || o->kind == OPTION_LIST || o->kind == OPTION_TEXT);
        assert_true((o->kind == OPTION_BOOL) == !o->arg);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(o->key, options[j].key);
            assert_string_not_equal(o->flag, options[j].flag);
            assert_string_not_equal(o->variable, options[j].variable);
            assert_int_not_equal(o->offset, options[j].offset);
        }
    }
}

/* max_body_bytes is --max-body-bytes is JOBD_MAX_BODY_BYTES. */
static void the_three_names_of_an_option_are_the_same_word(void **state)
{
    (void)state;
    for (size_t i = 0; i < options_count; i++) {
        const char *rest = NULL;
        size_t n = strlen(options[i].key);

        assert_true(text_starts(options[i].variable, "JOBD_", &rest));
        assert_int_equal(strlen(rest), n);
        assert_int_equal(strlen(options[i].flag), n);
        for (size_t j = 0; j < n; j++) {
            char c = options[i].key[j];

            assert_int_equal(options[i].flag[j], c == '_' ? '-' : c);
            assert_int_equal(rest[j], c == '_' ? '_' : c - 'a' + 'A');
        }
    }
}

static void the_defaults_are_those_that_the_help_promises(void **state)
{
    AUTO_FINI(settings) struct settings s = { 0 };

    (void)state;
    settings_init(&s);
    assert_int_equal(s.listen.count, 1);
    assert_string_equal(s.listen.items[0], "127.0.0.1:8080");
    assert_string_equal(s.data_dir, "./jobd-data");
    assert_int_equal(s.durability, STORE_FULL);
    assert_int_equal(s.log_level, LOG_INFO);
    assert_false(s.allow_commands);
    assert_false(s.insecure);
    assert_int_equal(s.auth, AUTH_AUTO);
    assert_int_equal(s.max_body_bytes, 1 << 20);
    assert_int_equal(s.output_max_bytes, 10 << 20);
    assert_int_equal(s.artifacts_max_bytes, 100 << 20);
    assert_int_equal(s.artifacts_max_files, 1000);
    assert_int_equal(s.max_waiting_jobs, 1000000);
    assert_int_equal(s.long_poll_max_us, 55 * USEC_PER_SEC);
    assert_int_equal(s.drain_timeout_us, 30 * USEC_PER_SEC);
    assert_int_equal(s.max_connections, 4096);
}

static void the_words_of_a_choice_are_in_the_order_of_their_enum(void **state)
{
    static const struct {
        const char *flag, *word;
        int value;
    } words[] = {
        { "durability", "full", STORE_FULL },  { "durability", "relaxed", STORE_RELAXED },
        { "log-level", "debug", LOG_DEBUG },   { "log-level", "info", LOG_INFO },
        { "log-level", "warn", LOG_WARN },     { "log-level", "error", LOG_ERROR },
        { "auth", "auto", AUTH_AUTO },         { "auth", "none", AUTH_NONE },
        { "auth", "required", AUTH_REQUIRED },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        for (size_t j = 0; j < options_count; j++) {
            AUTO_FINI(settings) struct settings s = { 0 };
            struct errinfo e = { 0 };

            if (!text_equal(options[j].flag, words[i].flag))
                continue;
            assert_int_equal(option_set(&options[j], &s, words[i].word, &e), 0);
            assert_int_equal(*(int64_t *)(void *)((char *)&s + options[j].offset),
                             words[i].value);
        }
}

static void numbers_are_kept_within_their_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < options_count; i++) {
        const struct option *o = &options[i];
        AUTO_FINI(settings) struct settings s = { 0 };
        AUTO(mem) char *largest = mem_printf("%lld", (long long)o->max);
        AUTO(mem) char *beyond = mem_printf("%lld", (long long)o->max + 1);
        struct errinfo e = { 0 };

        if (o->kind != OPTION_NUMBER && o->kind != OPTION_BYTES)
            continue;
        assert_int_equal(option_set(o, &s, largest, &e), 0);
        assert_int_equal(option_set(o, &s, beyond, &e), ERR_CONFIG);
        assert_int_equal(option_set(o, &s, "-1", &e), ERR_CONFIG);
        assert_int_equal(option_set(o, &s, "many", &e), ERR_CONFIG);
        assert_int_equal(option_set(o, &s, "", &e), ERR_CONFIG);
        /* What was there stays. */
        assert_int_equal(*(int64_t *)(void *)((char *)&s + o->offset), o->max);
    }
}

/* -- the command line --------------------------------------------------------------------- */

#define ARGV_MAX 16

static int parse(struct cmdline *line, struct errinfo *e, const char *words)
{
    static char room[512];
    char *argv[ARGV_MAX] = { room };
    int argc = 0;

    *line = (struct cmdline){ 0 };
    (void)text_copy(room, sizeof room, words);
    for (char *p = room; *p && argc < ARGV_MAX - 1; argc++) {
        argv[argc] = p;
        p += strcspn(p, " ");
        if (*p)
            *p++ = '\0';
    }
    return cmdline_parse(argc, argv, NULL, line, e);
}

static void a_flag_takes_its_value_behind_a_space_or_an_equals_sign(void **state)
{
    AUTO_FINI(cmdline) struct cmdline line = { 0 };
    AUTO_FINI(settings) struct settings s = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    settings_init(&s);
    assert_int_equal(parse(&line, &e,
                           "jobd --workers 7 --data-dir=/d --insecure --allow-commands=false"
                           " --listen a --listen=b --config c.yaml"),
                     0);
    assert_int_equal(line.action, CMDLINE_SERVE);
    assert_string_equal(line.config_path, "c.yaml");
    assert_int_equal(cmdline_apply_flags(&line, &s, &e), 0);
    assert_int_equal(s.workers, 7);
    assert_string_equal(s.data_dir, "/d");
    assert_true(s.insecure);
    assert_false(s.allow_commands);
    assert_int_equal(s.listen.count, 2); /* the default is gone */
    assert_string_equal(s.listen.items[0], "a");
    assert_string_equal(s.listen.items[1], "b");
}

static void the_actions_are_told_apart(void **state)
{
    static const struct {
        const char *words;
        enum cmdline_action action;
    } cases[] = {
        { "jobd", CMDLINE_SERVE },
        { "jobd --check-config", CMDLINE_CHECK_CONFIG },
        { "jobd --version", CMDLINE_VERSION },
        { "jobd -V", CMDLINE_VERSION },
        { "jobd --help --nonsense", CMDLINE_HELP },
        { "jobd -h", CMDLINE_HELP },
        { "jobd healthcheck --data-dir /d", CMDLINE_HEALTHCHECK },
        { "jobd --data-dir /d healthcheck unix:/s", CMDLINE_HEALTHCHECK },
        { "jobd doctor --json", CMDLINE_DOCTOR },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(cmdline) struct cmdline line = { 0 };
        struct errinfo e = { 0 };

        assert_int_equal(parse(&line, &e, cases[i].words), 0);
        assert_int_equal(line.action, cases[i].action);
    }
}

static void wrong_usage_is_told_with_what_was_meant(void **state)
{
    static const struct {
        const char *words, *text;
    } cases[] = {
        { "jobd --lisen x", "did you mean --listen?" },
        { "jobd --data-dri=x", "did you mean --data-dir?" },
        { "jobd --check-confg", "did you mean --check-config?" },
        { "jobd --zzzzzzz", "see jobd --help" },
        { "jobd -x", "there is no option -x" },
        { "jobd --", "there is no option --" },
        { "jobd --workers", "--workers needs a value: --workers N" },
        { "jobd --config", "--config needs a value: --config FILE" },
        { "jobd --version=3", "--version takes no value" },
        { "jobd helthcheck", "did you mean healthcheck?" },
        { "jobd docter", "did you mean doctor?" },
        { "jobd doctor healthcheck", "there is no command \"healthcheck\"" },
        { "jobd serve", "there is no command \"serve\"" },
        { "jobd healthcheck a b", "there is no command \"b\"" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(cmdline) struct cmdline line = { 0 };
        struct errinfo e = { 0 };

        assert_int_equal(parse(&line, &e, cases[i].words), ERR_CONFIG);
        if (!strstr(e.text, cases[i].text))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].words, e.text, cases[i].text);
    }
}

static void a_bad_value_names_its_flag(void **state)
{
    AUTO_FINI(cmdline) struct cmdline line = { 0 };
    AUTO_FINI(settings) struct settings s = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    settings_init(&s);
    assert_int_equal(parse(&line, &e, "jobd --drain-timeout never"), 0);
    assert_int_equal(cmdline_apply_flags(&line, &s, &e), ERR_CONFIG);
    assert_string_equal(e.text,
                        "--drain-timeout: \"never\" is not a time from 0s to 1d (500ms,"
                        " 30s, 5m, 1h, or a number of seconds)");
}

static const char *fake_environment(const char *name)
{
    if (text_equal(name, "JOBD_WORKERS"))
        return "9";
    if (text_equal(name, "JOBD_LISTEN"))
        return "127.0.0.1:1, unix:/x";
    if (text_equal(name, "JOBD_INSECURE"))
        return "yes";
    if (text_equal(name, "JOBD_DATA_DIR"))
        return ""; /* as good as not set */
    return NULL;
}

static const char *bad_environment(const char *name)
{
    return text_equal(name, "JOBD_WORKERS") ? "x" : NULL;
}

static void a_flag_wins_over_the_environment(void **state)
{
    AUTO_FINI(cmdline) struct cmdline line = { 0 };
    AUTO_FINI(settings) struct settings s = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    settings_init(&s);
    assert_int_equal(parse(&line, &e, "jobd --workers 2"), 0);
    assert_int_equal(cmdline_apply_environment(fake_environment, &s, &e), 0);
    assert_int_equal(s.workers, 9);
    assert_int_equal(cmdline_apply_flags(&line, &s, &e), 0);
    assert_int_equal(s.workers, 2);
    assert_true(s.insecure);
    assert_string_equal(s.data_dir, "./jobd-data");
    assert_int_equal(s.listen.count, 2);
    assert_string_equal(s.listen.items[1], "unix:/x");
}

static void a_bad_variable_is_named(void **state)
{
    AUTO_FINI(settings) struct settings s = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    settings_init(&s);
    assert_int_equal(cmdline_apply_environment(bad_environment, &s, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "JOBD_WORKERS"));
}

static void the_file_can_be_named_in_the_environment(void **state)
{
    AUTO_FINI(cmdline) struct cmdline a = { 0 }, b = { 0 };
    char name[] = "jobd", flag[] = "--config=b";
    char *argv[] = { name, flag, NULL };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(cmdline_parse(1, argv, "a", &a, &e), 0);
    assert_string_equal(a.config_path, "a");
    assert_int_equal(cmdline_parse(2, argv, "a", &b, &e), 0);
    assert_string_equal(b.config_path, "b");
}

/* -- what people read --------------------------------------------------------------------- */

static void assert_says(const char *where, const char *text, const char *what)
{
    if (!strstr(text, what))
        fail_msg("%s does not say \"%s\"", where, what);
}

static const char *default_of(const struct option *o)
{
    return o->otherwise ? o->otherwise : "none";
}

static void the_help_names_every_option_with_its_default_and_variable(void **state)
{
    AUTO_FINI(buf) struct buf help = { 0 };

    (void)state;
    cmdline_help(&help);
    for (size_t i = 0; i < options_count; i++) {
        const struct option *o = &options[i];
        AUTO(mem)
        char *flag =
            mem_printf("\n  --%s%s%s\n", o->flag, o->arg ? " " : "", o->arg ? o->arg : "");
        AUTO(mem)
        char *rest = mem_printf("[default %s; %s; %s]", default_of(o), o->variable, o->key);

        assert_says("--help", help.data, flag);
        assert_says("--help", help.data, rest);
    }
}

/* In mdoc a flag is written ".It Fl -workers Ar N", its variable ".Ev JOBD_WORKERS". */
static void the_manual_names_every_option_as_the_help_does(void **state)
{
    AUTO_FINI(buf) struct buf page = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(fd_read_file("docs/jobd.1", 1 << 20, &page, &e), 0);
    for (size_t i = 0; i < options_count; i++) {
        const struct option *o = &options[i];
        AUTO(mem)
        char *flag = mem_printf("\n.It Fl -%s%s%s\n", o->flag, o->arg ? " Ar " : "",
                                o->arg ? o->arg : "");
        AUTO(mem) char *variable = mem_printf(".Ev %s", o->variable);
        AUTO(mem) char *key = mem_printf("\n.It Cm %s\n", o->key);
        AUTO(mem) char *otherwise = mem_printf("default %s", default_of(o));

        assert_says("jobd.1", page.data, flag);
        assert_says("jobd.1", page.data, variable);
        assert_says("jobd.1", page.data, key);
        assert_says("jobd.1", page.data, otherwise);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_has_all_its_names_once),
        cmocka_unit_test(the_three_names_of_an_option_are_the_same_word),
        cmocka_unit_test(the_defaults_are_those_that_the_help_promises),
        cmocka_unit_test(the_words_of_a_choice_are_in_the_order_of_their_enum),
        cmocka_unit_test(numbers_are_kept_within_their_bounds),
        cmocka_unit_test(a_flag_takes_its_value_behind_a_space_or_an_equals_sign),
        cmocka_unit_test(the_actions_are_told_apart),
        cmocka_unit_test(wrong_usage_is_told_with_what_was_meant),
        cmocka_unit_test(a_bad_value_names_its_flag),
        cmocka_unit_test(a_flag_wins_over_the_environment),
        cmocka_unit_test(a_bad_variable_is_named),
        cmocka_unit_test(the_file_can_be_named_in_the_environment),
        cmocka_unit_test(the_help_names_every_option_with_its_default_and_variable),
        cmocka_unit_test(the_manual_names_every_option_as_the_help_does),
    };

    return cmocka_run_group_tests_name("server/options", tests, NULL, NULL);
}
