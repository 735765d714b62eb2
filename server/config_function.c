#include "server/config_loader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/args_schema.h"
#include "domain/job.h"

/* ---- functions: their keys --------------------------------------------------------------- */

/* A function as it is written. */
struct function_values {
    char *name;
    char *description;
    struct text_list command;
    struct text_list program;
    usec_t timeout_us;
    usec_t grace_us;
    int64_t result; /* 0 fd3, 1 stdout */
    int64_t workers;
    int64_t max_jobs;
    int64_t leftover; /* enum leftover */
    bool inputs;
    int64_t concurrency;
    int64_t max_rss_bytes;
    usec_t max_age_us;
    bool ready;
    usec_t ready_timeout_us;
    char *args_schema_file;
    struct limits limits;
    struct retry_policy retry;
};

/* clang-format off */
#define AT(member) .offset = offsetof(struct function_values, member)
const struct option config_function_keys[CONFIG_FUNCTION_KEYS] = {
    { .key = "name", AT(name), .kind = OPTION_TEXT },
    { .key = "description", AT(description), .kind = OPTION_TEXT },
    { .key = "command", AT(command), .kind = OPTION_LIST },
    { .key = "program", AT(program), .kind = OPTION_LIST },
    { .key = "timeout", AT(timeout_us), .kind = OPTION_DURATION, .min = USEC_PER_MS,
      .max = (usec_t)JOB_TIMEOUT_MAX_SECONDS * USEC_PER_SEC },
    { .key = "grace_period", AT(grace_us), .kind = OPTION_DURATION, .min = 0,
      .max = JOB_GRACE_MAX_SECONDS * USEC_PER_SEC },
    { .key = "result", AT(result), .kind = OPTION_CHOICE, .choices = "fd3|stdout" },
    { .key = "workers", AT(workers), .kind = OPTION_NUMBER, .min = 1, .max = FUNCTION_WORKERS_MAX },
    { .key = "max_jobs", AT(max_jobs), .kind = OPTION_NUMBER, .min = 0, .max = 1000000000 },
    { .key = "leftover", AT(leftover), .kind = OPTION_CHOICE, .choices = "kill|wait|detach" },
    { .key = "inputs", AT(inputs), .kind = OPTION_BOOL },
    { .key = "concurrency", AT(concurrency), .kind = OPTION_NUMBER, .min = 1, .max = FUNCTION_CONCURRENCY_MAX },
    { .key = "max_rss", AT(max_rss_bytes), .kind = OPTION_BYTES, .min = 0, .max = INT64_C(1) << 46 },
    { .key = "max_age", AT(max_age_us), .kind = OPTION_DURATION, .min = 0, .max = INT64_C(366) * 86400 * USEC_PER_SEC },
    { .key = "ready", AT(ready), .kind = OPTION_BOOL },
    { .key = "ready_timeout", AT(ready_timeout_us), .kind = OPTION_DURATION, .min = USEC_PER_MS,
      .max = 86400 * USEC_PER_SEC },
    { .key = "args_schema_file", AT(args_schema_file), .kind = OPTION_TEXT },
};
/* clang-format on */

static void function_values_fini(struct function_values *v)
{
    free(v->name);
    free(v->description);
    free(v->args_schema_file);
    text_list_fini(&v->command);
    text_list_fini(&v->program);
}
DEFINE_AUTO_FINI(function_values, struct function_values)

/* ---- one function ------------------------------------------------------------------------ */

/* A function in hand, and where it stands. */
struct function_case {
    struct loader *loader;
    const struct raw *raw;
    size_t index;
    const struct function_values *values;
};

static bool is_said(const struct function_case *c, const char *key)
{
    for (size_t i = 0; i < CONFIG_FUNCTION_KEYS; i++)
        if (text_equal(config_function_keys[i].key, key))
            return c->raw[i].text || c->raw[i].items;
    return false;
}

__attribute__((format(printf, 3, 4))) static void
function_fault(const struct function_case *c, const char *key, const char *format, ...)
{
    AUTO(mem) char *path = mem_printf("functions[%zu]%s%s", c->index, *key ? "." : "", key);
    AUTO(mem)
    char *who = c->values->name ? mem_printf(" (%.64s)", c->values->name) : mem_str("");
    AUTO(mem) char *place = mem_printf("%s%s", path, who);
    char text[ERR_TEXT_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    config_fault(c->loader, yaml_lines_find(&c->loader->lines, path), place, "%s", text);
}

static void check_name(const struct function_case *c)
{
    const char *name = c->values->name;

    if (!name) {
        if (!is_said(c, "name"))
            function_fault(c, "", "a function needs a name");
        return;
    }
    if (!text_is_token(name, FUNCTION_NAME_MAX))
        function_fault(c, "name",
                       "\"%.100s\" must be 1 to %d characters out of A-Z a-z 0-9 . _ -", name,
                       FUNCTION_NAME_MAX);
    if (function_find(&c->loader->settings->functions, name))
        function_fault(c, "name", "there is a function of that name already");
}

/* {name}, but not {{name}}. */
static bool has_placeholder(const char *text)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

    for (const char *p = text; (p = strchr(p, '{')); p++) {
        size_t n = strspn(p + 1, letters);

        if (p[1] == '{')
            p++;
        else if (n > 0 && p[1 + n] == '}')
            return true;
    }
    return false;
}

static void check_command_arg(const struct function_case *c, size_t i, const char *text)
{
    AUTO(mem) char *key = mem_printf("command[%zu]", i);
    struct errinfo e = { 0 };

    if (function_check_template(text, &e) < 0)
        function_fault(c, key, "%s", e.text);
    else if (i == 0 && has_placeholder(text))
        function_fault(c, key,
                       "the program itself cannot come from a job's args; with"
                       " allow_commands clients may send their own");
}

static void check_argv(const struct function_case *c, const char *name,
                       const struct text_list *argv)
{
    size_t total_bytes = 0;

    if (argv->count == 0 || argv->items[0][0] == '\0')
        function_fault(c, name, "it must begin with a program to run: [wc, -w]");
    if (argv->count > JOB_ARGS_MAX)
        function_fault(c, name, "it has more than %d arguments", JOB_ARGS_MAX);
    for (size_t i = 0; i < argv->count; i++) {
        AUTO(mem) char *key = mem_printf("%s[%zu]", name, i);
        size_t len = strlen(argv->items[i]);

        total_bytes += len + 1;
        if (len > JOB_ARG_MAX_BYTES)
            function_fault(c, key, "an argument has at most %d bytes", JOB_ARG_MAX_BYTES);
    }
    if (total_bytes > JOB_ARGS_MAX_BYTES)
        function_fault(c, name, "its arguments have more than %d bytes", JOB_ARGS_MAX_BYTES);
}

static void check_command(const struct function_case *c)
{
    static const char *const of_programs[] = { "max_jobs", "concurrency", "max_rss",
                                               "max_age",  "ready",       "ready_timeout" };
    const struct text_list *argv = &c->values->command;

    check_argv(c, "command", argv);
    for (size_t i = 0; i < argv->count; i++)
        check_command_arg(c, i, argv->items[i]);
    if (is_said(c, "workers"))
        function_fault(c, "workers",
                       "this is for program functions; command functions share the"
                       " top-level workers");
    for (size_t i = 0; i < COUNT_OF(of_programs); i++)
        if (is_said(c, of_programs[i]))
            function_fault(c, of_programs[i], "this is for program functions");
}

static void check_program(const struct function_case *c)
{
    const struct text_list *argv = &c->values->program;

    check_argv(c, "program", argv);
    for (size_t i = 0; i < argv->count; i++) {
        AUTO(mem) char *key = mem_printf("program[%zu]", i);

        if (has_placeholder(argv->items[i]))
            function_fault(c, key,
                           "a warm program is started before its jobs: \"%.100s\" cannot"
                           " be filled; it reads its args from standard input",
                           argv->items[i]);
    }
    if (is_said(c, "result"))
        function_fault(c, "result",
                       "this is for command functions; a warm program answers on"
                       " descriptor 3");
    if (is_said(c, "inputs"))
        function_fault(c, "inputs",
                       "this is for command functions; a warm program has one working"
                       " directory for all its jobs");
    if (is_said(c, "leftover"))
        function_fault(c, "leftover",
                       "this is for command functions; the processes of a warm program live"
                       " on after a job");
}

static void check_function(const struct function_case *c)
{
    bool command = is_said(c, "command"), program = is_said(c, "program");

    check_name(c);
    if (command == program)
        function_fault(c, "",
                       "a function has either `command` (one run for each job) or"
                       " `program` (a warm one for many jobs); this has %s",
                       command ? "both" : "neither");
    else if (command)
        check_command(c);
    else
        check_program(c);
}

/* Whoever names a time to be ready within wants to be told. */
static usec_t ready_timeout(const struct function_values *v)
{
    if (v->ready_timeout_us > 0)
        return v->ready_timeout_us;
    return v->ready ? FUNCTION_READY_TIMEOUT_US : 0;
}

/* A command runs in a directory of its own, so the path of its program is made absolute: it
 * is relative to the file that names it. */
static void find_program(const struct loader *l, char **argv)
{
    const char *slash = strrchr(l->name, '/');
    AUTO(mem)
    char *dir = slash ? mem_dup(l->name, (size_t)(slash - l->name) + 1) : mem_str(".");
    AUTO(mem) char *root = realpath(dir, NULL);
    AUTO_FINI(buf) struct buf path = { 0 };

    if (!root || argv[0][0] == '/' || !strchr(argv[0], '/'))
        return;
    for (const char *c = root; *c; c++) { /* argv[0] is a template: braces are doubled */
        buf_add_char(&path, *c);
        if (*c == '{' || *c == '}')
            buf_add_char(&path, *c);
    }
    buf_printf(&path, "/%s", argv[0]);
    free(argv[0]);
    argv[0] = buf_steal(&path);
}

/* Moves the texts out of v. */
static struct function *add_function(struct function_table *t, struct function_values *v,
                                     struct args_schema *take_schema)
{
    struct text_list *argv = v->program.count > 0 ? &v->program : &v->command;
    struct function *fn;

    t->items = mem_resize(t->items, t->count + 1, sizeof *t->items);
    fn = &t->items[t->count++];
    *fn = (struct function){
        .kind = v->program.count > 0 ? FUNCTION_PROGRAM : FUNCTION_COMMAND,
        .timeout_us = v->timeout_us,
        .grace_us = v->grace_us,
        .result_from_stdout = v->result == 1,
        .workers = v->program.count > 0 ? (unsigned)v->workers : 0,
        .max_jobs = (unsigned)v->max_jobs,
        .concurrency = (unsigned)v->concurrency,
        .max_rss_bytes = v->max_rss_bytes,
        .max_age_us = v->max_age_us,
        .ready_timeout_us = ready_timeout(v),
        .leftover = (enum leftover)v->leftover,
        .takes_inputs = v->inputs,
        .limits = v->limits,
        .retry = v->retry,
        .args_schema = take_schema,
    };
    fn->name = TAKE(v->name);
    fn->description = TAKE(v->description);
    fn->argc = argv->count;
    fn->argv = mem_resize(TAKE(argv->items), argv->count + 1, sizeof *fn->argv);
    fn->argv[fn->argc] = NULL;
    argv->count = 0;
    return fn;
}

void config_load_function(struct loader *l, const struct raw_function *raw, size_t index)
{
    AUTO_FINI(function_values)
    struct function_values values = {
        .grace_us = JOB_GRACE_DEFAULT_US,
        .workers = 1,
        .concurrency = 1,
    };
    AUTO(args_schema) struct args_schema *schema = NULL;
    AUTO(mem) char *prefix = mem_printf("functions[%zu].", index);
    AUTO(mem) char *limits_prefix = mem_printf("%slimits.", prefix);
    AUTO(mem) char *retry_prefix = mem_printf("%sretry.", prefix);
    struct function_case c = { l, raw->keys, index, &values };

    config_set_values(l, config_function_keys, CONFIG_FUNCTION_KEYS, raw->keys, prefix,
                      &values);
    config_set_values(l, config_limit_keys, CONFIG_LIMIT_KEYS, raw->limits.keys, limits_prefix,
                      &values.limits);
    config_load_retry(l, raw->retry.keys, retry_prefix, &values.retry);
    check_function(&c);
    schema = config_load_args_schema(l, index, values.args_schema_file);
    if (values.name) { /* with faults, too: so that a second one of that name is seen */
        const struct function *fn =
            add_function(&l->settings->functions, &values, TAKE(schema));

        if (fn->kind == FUNCTION_COMMAND && fn->argc > 0)
            find_program(l, fn->argv);
    }
}
