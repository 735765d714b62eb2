/* The warm programs in examples/warm, in every language that is installed here. */
#include "tests/support/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/support/tmp.h"

static char dir[TMP_SIZE]; /* for what is compiled */
static char *config;

/* Whether this shell command says so; what it prints goes nowhere. */
static bool works(const char *command)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)!freopen("/dev/null", "w", stdout);
        (void)!freopen("/dev/null", "w", stderr);
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static struct language {
    const char *name;
    const char *needs; /* a command that succeeds where it is installed */
    const char *program;
    bool there;
} languages[] = {
    { "c", NULL, NULL, false }, /* compiled */
    { "python", "python3 -c ''", "python3, examples/warm/shout.py", false },
    { "node", "node -e ''", "node, examples/warm/shout.js", false },
    { "perl", "perl -MJSON::PP -e ''", "perl, examples/warm/shout.pl", false },
    { "naps", "python3 -c 'import asyncio'", "python3, examples/warm/naps.py", false },
};

static bool compile(char *ret_program, size_t size)
{
    AUTO(mem)
    char *command = mem_printf(
        "cc -Wall -Wextra -Werror -o %s/shout examples/warm/shout.c "
        "$(pkg-config --cflags --libs jansson)",
        dir);

    (void)snprintf(ret_program, size, "%s/shout", dir);
    return works("command -v cc && pkg-config --exists jansson") && works(command);
}

/* Those that are not there are not configured. */
static char *make_config(void)
{
    static char compiled[TMP_SIZE + 16];
    char *text = mem_str("workers: 1\nfunctions:\n  - name: none\n    command: [\"true\"]\n");

    for (size_t i = 0; i < COUNT_OF(languages); i++) {
        struct language *l = &languages[i];
        char *longer;

        if (!l->needs)
            l->program = compiled;
        l->there = l->needs ? works(l->needs) : compile(compiled, sizeof compiled);
        if (!l->there) {
            print_message("examples: %s is not installed: skipped\n", l->name);
            continue;
        }
        longer = mem_printf(
            "%s  - name: %s\n    program: [%s]\n    ready: true\n"
            "    concurrency: 64\n",
            text, l->name, l->program);
        free(text);
        text = longer;
    }
    return text;
}

static const struct language *language(const char *name)
{
    const struct language *l = languages;

    while (strcmp(l->name, name) != 0)
        l++;
    return l;
}

static void submit(const struct api *a, const char *name, const char *args, char *id)
{
    AUTO(mem) char *body = mem_printf("{\"function\":\"%s\",\"args\":%s}", name, args);

    api_submit(a, body, id);
}

/* Two jobs for one process, and one that it must refuse. */
static void shout(void **state, const char *name)
{
    const struct api *a = *state;

    if (!language(name)->there)
        skip();
    for (int i = 0; i < 2; i++) {
        AUTO_FINI(api_reply) struct api_reply job = { 0 };
        AUTO_FINI(api_reply) struct api_reply log = { 0 };
        char id[API_ID_SIZE];

        submit(a, name, "{\"text\":\"hello\"}", id);
        api_await(a, id, &job);
        assert_string_equal(api_text(&job, "state"), "succeeded");
        assert_string_equal(api_text(&job, "result.shout"), "HELLO!");
        api_get(a, api_job_path(id, "/logs/stdout"), &log);
        assert_string_equal(log.body, "shouting hello\n");
    }
    {
        AUTO_FINI(api_reply) struct api_reply job = { 0 };
        char id[API_ID_SIZE];

        submit(a, name, "{\"no\":\"text\"}", id);
        api_await(a, id, &job);
        assert_string_equal(api_text(&job, "state"), "failed");
        assert_string_equal(api_text(&job, "failure.reason"), "error");
    }
}

static void the_program_in_c_works(void **state)
{
    shout(state, "c");
}

static void the_program_in_python_works(void **state)
{
    shout(state, "python");
}

static void the_program_in_node_works(void **state)
{
    shout(state, "node");
}

static void the_program_in_perl_works(void **state)
{
    shout(state, "perl");
}

static void the_program_for_several_jobs_holds_eight_at_once(void **state)
{
    const struct api *a = *state;
    char ids[8][API_ID_SIZE];

    if (!language("naps")->there)
        skip();
    for (int i = 0; i < 8; i++)
        submit(a, "naps", "{\"seconds\":3600}", ids[i]);
    for (int i = 0; i < 8; i++) { /* one process: they run at the same time, or never */
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_await_state(a, ids[i], "running", &r);
    }
    for (int i = 0; i < 8; i++) {
        AUTO_FINI(api_reply) struct api_reply canceled = { 0 };
        AUTO_FINI(api_reply) struct api_reply job = { 0 };

        api_post(a, api_job_path(ids[i], ":cancel"), "{\"grace_period_seconds\":60}",
                 &canceled);
        assert_true(canceled.status == 202 || canceled.status == 200); /* it has ended by now */
        api_await(a, ids[i], &job);
        assert_string_equal(api_text(&job, "state"), "canceled");
    }
    {
        AUTO_FINI(api_reply) struct api_reply job = { 0 };
        AUTO_FINI(api_reply) struct api_reply workers = { 0 };

        submit(a, "naps", "{\"seconds\":0}", ids[0]);
        api_await(a, ids[0], &job);
        assert_string_equal(api_text(&job, "state"), "succeeded");
        assert_int_equal(api_number(&job, "result.together"), 1);
        api_get(a, "/v1/workers", &workers); /* the same process all the time */
        assert_non_null(strstr(workers.body, "\"pool\":\"naps\""));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_program_in_c_works),
        cmocka_unit_test(the_program_in_python_works),
        cmocka_unit_test(the_program_in_node_works),
        cmocka_unit_test(the_program_in_perl_works),
        cmocka_unit_test(the_program_for_several_jobs_holds_eight_at_once),
    };
    int code;

    tmp_dir_make(dir);
    config = make_config();
    api_configure(config);
    code =
        api_finish(cmocka_run_group_tests_name("api/examples", tests, api_setup, api_teardown));
    tmp_dir_remove(dir);
    free(config);
    return code;
}
