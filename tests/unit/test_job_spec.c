#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "domain/job_spec.h"
#include "domain/json_text.h"

#define NOW_US ((usec_t)1700000000 * USEC_PER_SEC)

static char *wc_argv[] = { (char[]){ "wc" }, (char[]){ "-w" }, NULL };
static char *convert_argv[] = { (char[]){ "convert" }, (char[]){ "{input}" },
                                (char[]){ "{size}x" }, NULL };
static char *score_argv[] = { (char[]){ "python3" }, NULL };

static struct function items[] = {
    { .name = (char[]){ "wc" },
      .kind = FUNCTION_COMMAND,
      .argv = wc_argv,
      .argc = 2,
      .timeout_us = 30 * USEC_PER_SEC,
      .grace_us = 5 * USEC_PER_SEC },
    { .name = (char[]){ "convert" },
      .kind = FUNCTION_COMMAND,
      .argv = convert_argv,
      .argc = 3,
      .grace_us = JOB_GRACE_DEFAULT_US },
    { .name = (char[]){ "score" },
      .kind = FUNCTION_PROGRAM,
      .argv = score_argv,
      .argc = 1,
      .grace_us = JOB_GRACE_DEFAULT_US },
};
static const struct function_table functions = { .items = items, .count = COUNT_OF(items) };

enum { STRICT = 0, COMMANDS = 1, LENIENT = 2 };

static int decode(const char *body, unsigned rules, struct job_spec *spec, struct faults *f,
                  struct errinfo *e)
{
    AUTO(json) json_t *json = NULL;
    struct job_spec_rules r = { .functions = &functions,
                                .allow_commands = rules & COMMANDS,
                                .lenient = rules & LENIENT };

    if (json_text_parse(body, strlen(body), &json, e) != 0)
        fail_msg("%s: %s", body, e->text);
    return job_spec_decode(json, &r, spec, f, e);
}

static void must_decode(const char *body, unsigned rules, struct job_spec *spec)
{
    AUTO_FINI(faults) struct faults f = { 0 };
    struct errinfo e = { 0 };

    if (decode(body, rules, spec, &f, &e) != 0)
        fail_msg("%s: %s: %s at %s", body, e.text, f.count > 0 ? f.items[0].detail : "",
                 f.count > 0 ? f.items[0].pointer : "");
}

/* ---- every fault ------------------------------------------------------------------- */

/* The one fault that a body has. */
static const struct bad {
    const char *body;
    unsigned rules;
    const char *pointer;
    const char *code;
    const char *says;
} bads[] = {
    /* clang-format off */
    { "[]", 0, "#", "wrong-type", "must be an object, not an array" },
    { "null", 0, "#", "wrong-type", "not null" },
    { "\"wc\"", 0, "#", "wrong-type", "not a string" },
    { "{}", 0, "#", "missing", "exactly one of function and command" },
    { "{\"name\":\"n\"}", 0, "#", "missing", "exactly one of function and command" },
    { "{\"function\":\"wc\",\"command\":[\"a\"]}", COMMANDS, "#/command", "conflict", "exactly one" },

    { "{\"function\":\"wc\",\"piority\":1}", 0, "#/piority", "unknown-field", "did you mean priority?" },
    { "{\"function\":\"wc\",\"timeout\":1}", 0, "#/timeout", "unknown-field", "did you mean timeout_seconds?" },
    { "{\"function\":\"wc\",\"xyzzy\":1}", 0, "#/xyzzy", "unknown-field", "there is no such field" },
    { "{\"function\":\"wc\",\"\":1}", 0, "#/", "unknown-field", "there is no such field" },
    { "{\"function\":\"wc\",\"a/b~c d\xC3\xA4\":1}", 0, "#/a~1b~0c%20d%C3%A4", "unknown-field", "no such field" },
    { "{\"function\":\"wc\",\"webhook\":{}}", 0, "#/webhook", "unknown-field", "no such field" },

    { "{\"function\":7}", 0, "#/function", "wrong-type", "must be a string, not a number" },
    { "{\"function\":null}", 0, "#/function", "wrong-type", "not null" },
    { "{\"function\":\"\"}", 0, "#/function", "unknown-function", "known are wc, convert, score" },
    { "{\"function\":\"nothing\"}", 0, "#/function", "unknown-function", "known are wc, convert, score" },
    { "{\"function\":\"conver\"}", 0, "#/function", "unknown-function", "did you mean convert?" },
    { "{\"function\":\"WC\"}", 0, "#/function", "unknown-function", "no such function" },

    { "{\"command\":\"ls\"}", COMMANDS, "#/command", "wrong-type", "must be an array of strings, not a string" },
    { "{\"command\":{}}", COMMANDS, "#/command", "wrong-type", "not an object" },
    { "{\"command\":[]}", COMMANDS, "#/command", "too-short", "must name a program" },
    { "{\"command\":[\"\"]}", COMMANDS, "#/command/0", "too-short", "must name a program" },
    { "{\"command\":[1]}", COMMANDS, "#/command/0", "wrong-type", "must be a string, not a number" },
    { "{\"command\":[\"a\",null]}", COMMANDS, "#/command/1", "wrong-type", "must be a string, not null" },
    { "{\"command\":[\"a\",[\"b\"]]}", COMMANDS, "#/command/1", "wrong-type", "not an array" },

    { "{\"function\":\"convert\",\"args\":{\"input\":\"a\"}}", 0, "#/args/size", "missing", "needs it" },
    { "{\"function\":\"convert\",\"args\":{\"input\":{},\"size\":1}}", 0, "#/args/input", "wrong-type", "a string, a number or a boolean" },
    { "{\"function\":\"convert\",\"args\":[]}", 0, "#/args", "wrong-type", "must be an object" },
    { "{\"function\":\"convert\",\"args\":null}", 0, "#/args", "wrong-type", "must be an object" },

    { "{\"function\":\"wc\",\"stdin\":1}", 0, "#/stdin", "wrong-type", "must be a string or {\"base64\": \"...\"}, not a number" },
    { "{\"function\":\"wc\",\"stdin\":null}", 0, "#/stdin", "wrong-type", "not null" },
    { "{\"function\":\"wc\",\"stdin\":{}}", 0, "#/stdin", "missing", "base64" },
    { "{\"function\":\"wc\",\"stdin\":{\"base64\":1}}", 0, "#/stdin/base64", "wrong-type", "must be a string" },
    { "{\"function\":\"wc\",\"stdin\":{\"base64\":\"Zg\"}}", 0, "#/stdin/base64", "invalid-base64", "RFC 4648" },
    { "{\"function\":\"wc\",\"stdin\":{\"base64\":\"Zm9v\\n\"}}", 0, "#/stdin/base64", "invalid-base64", "without line breaks" },
    { "{\"function\":\"wc\",\"stdin\":{\"base64\":\"Z-_v\"}}", 0, "#/stdin/base64", "invalid-base64", "URL-safe" },
    { "{\"function\":\"wc\",\"stdin\":{\"base64\":\"\",\"x\":1}}", 0, "#/stdin/x", "unknown-field", "no such field" },
    { "{\"function\":\"score\",\"stdin\":\"\"}", 0, "#/stdin", "not-applicable", "send the input as args" },
    { "{\"function\":\"score\",\"env\":{}}", 0, "#/env", "not-applicable", "send the values as args" },

    { "{\"function\":\"wc\",\"env\":[]}", 0, "#/env", "wrong-type", "must be an object, not an array" },
    { "{\"function\":\"wc\",\"env\":{\"A\":1}}", 0, "#/env/A", "wrong-type", "must be a string" },
    { "{\"function\":\"wc\",\"env\":{\"\":\"x\"}}", 0, "#/env/", "invalid-name", "a letter or _" },
    { "{\"function\":\"wc\",\"env\":{\"1A\":\"x\"}}", 0, "#/env/1A", "invalid-name", "a letter or _" },
    { "{\"function\":\"wc\",\"env\":{\"A=B\":\"x\"}}", 0, "#/env/A=B", "invalid-name", "a letter or _" },
    { "{\"function\":\"wc\",\"env\":{\"A-B\":\"x\"}}", 0, "#/env/A-B", "invalid-name", "a letter or _" },
    { "{\"function\":\"wc\",\"env\":{\"\xC3\xA4\":\"x\"}}", 0, "#/env/%C3%A4", "invalid-name", "a letter or _" },
    { "{\"function\":\"wc\",\"env\":{\"JOBD_JOB_ID\":\"x\"}}", 0, "#/env/JOBD_JOB_ID", "reserved-name", "set by jobd" },
    { "{\"command\":[\"a\"],\"env\":{\"JOBD_X\":\"x\"}}", COMMANDS, "#/env/JOBD_X", "reserved-name", "set by jobd" },
    { "{\"function\":\"wc\",\"env\":{\"LD_PRELOAD\":\"x\"}}", 0, "#/env/LD_PRELOAD", "unsafe-name", "allow_commands: true" },
    { "{\"function\":\"wc\",\"env\":{\"BASH_ENV\":\"x\"}}", 0, "#/env/BASH_ENV", "unsafe-name", "allow_commands: true" },
    { "{\"function\":\"wc\",\"env\":{\"PATH\":\"x\"}}", 0, "#/env/PATH", "unsafe-name", "allow_commands: true" },

    { "{\"function\":\"wc\",\"labels\":[]}", 0, "#/labels", "wrong-type", "must be an object" },
    { "{\"function\":\"wc\",\"labels\":{\"a\":1}}", 0, "#/labels/a", "wrong-type", "must be a string" },
    { "{\"function\":\"wc\",\"labels\":{\"\":\"a\"}}", 0, "#/labels/", "invalid-name", "from 1 to 128 characters" },

    { "{\"function\":\"wc\",\"name\":1}", 0, "#/name", "wrong-type", "must be a string" },
    { "{\"function\":\"wc\",\"name\":\"\"}", 0, "#/name", "too-short", "from 1 to 128 characters" },
    { "{\"function\":\"wc\",\"queue\":1}", 0, "#/queue", "wrong-type", "must be a string" },
    { "{\"function\":\"wc\",\"queue\":\"\"}", 0, "#/queue", "invalid-name", "from 1 to 128 characters out of" },
    { "{\"function\":\"wc\",\"queue\":\"a b\"}", 0, "#/queue", "invalid-name", "out of A-Z" },
    { "{\"function\":\"wc\",\"queue\":\"a/b\"}", 0, "#/queue", "invalid-name", "out of A-Z" },

    { "{\"function\":\"wc\",\"priority\":\"1\"}", 0, "#/priority", "wrong-type", "must be an integer, not a string" },
    { "{\"function\":\"wc\",\"priority\":true}", 0, "#/priority", "wrong-type", "not a boolean" },
    { "{\"function\":\"wc\",\"priority\":1.5}", 0, "#/priority", "wrong-type", "must be an integer" },
    { "{\"function\":\"wc\",\"priority\":1001}", 0, "#/priority", "out-of-range", "from -1000 to 1000" },
    { "{\"function\":\"wc\",\"priority\":-1001}", 0, "#/priority", "out-of-range", "from -1000 to 1000" },
    { "{\"function\":\"wc\",\"priority\":1e300}", 0, "#/priority", "out-of-range", "from -1000 to 1000" },
    { "{\"function\":\"wc\",\"priority\":9223372036854775807}", 0, "#/priority", "out-of-range", "from -1000" },

    { "{\"function\":\"wc\",\"delay_seconds\":\"1\"}", 0, "#/delay_seconds", "wrong-type", "must be a number" },
    { "{\"function\":\"wc\",\"delay_seconds\":-0.001}", 0, "#/delay_seconds", "out-of-range", "from 0 to 316224000" },
    { "{\"function\":\"wc\",\"delay_seconds\":316224000.5}", 0, "#/delay_seconds", "out-of-range", "from 0 to 316224000" },
    { "{\"function\":\"wc\",\"delay_seconds\":1e308}", 0, "#/delay_seconds", "out-of-range", "from 0 to 316224000" },
    { "{\"function\":\"wc\",\"delay_seconds\":9223372036854775807}", 0, "#/delay_seconds", "out-of-range", "from 0" },
    { "{\"function\":\"wc\",\"run_at\":1700000000}", 0, "#/run_at", "wrong-type", "must be a string" },
    { "{\"function\":\"wc\",\"run_at\":\"tomorrow\"}", 0, "#/run_at", "invalid-time", "RFC 3339" },
    { "{\"function\":\"wc\",\"run_at\":\"2026-11-23\"}", 0, "#/run_at", "invalid-time", "RFC 3339" },
    { "{\"function\":\"wc\",\"run_at\":\"2026-11-23T09:12:33\"}", 0, "#/run_at", "invalid-time", "RFC 3339" },
    { "{\"function\":\"wc\",\"run_at\":\"2026-02-29T00:00:00Z\"}", 0, "#/run_at", "invalid-time", "RFC 3339" },
    { "{\"function\":\"wc\",\"delay_seconds\":0,\"run_at\":\"2026-11-23T09:12:33Z\"}", 0, "#/run_at", "conflict", "at most one of" },

    { "{\"function\":\"wc\",\"timeout_seconds\":\"1\"}", 0, "#/timeout_seconds", "wrong-type", "must be a number" },
    { "{\"function\":\"wc\",\"timeout_seconds\":0}", 0, "#/timeout_seconds", "out-of-range", "more than 0 and at most 2678400" },
    { "{\"function\":\"wc\",\"timeout_seconds\":1e-9}", 0, "#/timeout_seconds", "out-of-range", "more than 0" },
    { "{\"function\":\"wc\",\"timeout_seconds\":2678401}", 0, "#/timeout_seconds", "out-of-range", "at most 2678400" },
    { "{\"function\":\"wc\",\"grace_period_seconds\":-1}", 0, "#/grace_period_seconds", "out-of-range", "from 0 to 3600" },
    { "{\"function\":\"wc\",\"grace_period_seconds\":3600.1}", 0, "#/grace_period_seconds", "out-of-range", "from 0 to 3600" },
    { "{\"function\":\"wc\",\"grace_period_seconds\":{}}", 0, "#/grace_period_seconds", "wrong-type", "must be a number" },
    /* clang-format on */
};

static void each_fault_is_named_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bads); i++) {
        const struct bad *b = &bads[i];
        AUTO_FINI(job_spec) struct job_spec spec = { 0 };
        AUTO_FINI(faults) struct faults f = { 0 };
        struct errinfo e = { 0 };

        if (decode(b->body, b->rules, &spec, &f, &e) != ERR_VALIDATION || f.total != 1)
            fail_msg("%s: %zu faults, the second at %s", b->body, f.total,
                     f.count > 1 ? f.items[1].pointer : "-");
        assert_string_equal(e.text, "there is 1 fault");
        if (strcmp(f.items[0].pointer, b->pointer) != 0 ||
            strcmp(f.items[0].code, b->code) != 0 || !strstr(f.items[0].detail, b->says))
            fail_msg("%s: got %s %s \"%s\"", b->body, f.items[0].pointer, f.items[0].code,
                     f.items[0].detail);
    }
}

static void all_faults_are_found_at_once_in_the_order_of_the_body(void **state)
{
    static const char *const want[] = { "#/priority",  "#/colour",     "#/env/2",
                                        "#/env/JOBD_", "#/env/JOBD_",  "#/stdin/base64",
                                        "#/run_at",    "#/args/input", "#/args/size" };
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    AUTO_FINI(faults) struct faults f = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(
        decode("{\"priority\":\"high\",\"colour\":1,\"env\":{\"2\":\"\",\"JOBD_\":3},"
               "\"stdin\":{\"base64\":\"?\"},\"delay_seconds\":1,"
               "\"run_at\":\"2026-11-23T09:12:33Z\",\"name\":\"fine\","
               "\"function\":\"convert\"}",
               STRICT, &spec, &f, &e),
        ERR_VALIDATION);
    assert_string_equal(e.text, "there are 9 faults");
    assert_int_equal(f.count, COUNT_OF(want));
    for (size_t i = 0; i < COUNT_OF(want); i++)
        assert_string_equal(f.items[i].pointer, want[i]);
}

static void a_flood_of_unknown_members_is_bounded(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    AUTO_FINI(faults) struct faults f = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    buf_add_str(&b, "{\"function\":\"wc\"");
    for (int i = 0; i < 20000; i++)
        buf_printf(&b, ",\"x%d\":0", i);
    buf_add_char(&b, '}');
    assert_int_equal(decode(b.data, STRICT, &spec, &f, &e), ERR_VALIDATION);
    assert_int_equal(f.count, FAULTS_MAX);
    assert_int_equal(f.total, 20000);
    assert_string_equal(e.text, "there are 20000 faults");
}

static void long_lists_of_functions_are_cut(void **state)
{
    struct function many[20];
    struct function_table t = { .items = many, .count = COUNT_OF(many) };
    struct function_table none = { 0 };
    char names[COUNT_OF(many)][8];
    AUTO(json) json_t *body = json_pack("{s:s}", "function", "f1x");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        many[i] = (struct function){ .name = names[i] };
        (void)snprintf(names[i], sizeof names[i], "fn%zu", i);
    }
    for (int configured = 0; configured < 2; configured++) {
        struct job_spec_rules r = { .functions = configured ? &t : &none };
        AUTO_FINI(job_spec) struct job_spec spec = { 0 };
        AUTO_FINI(faults) struct faults f = { 0 };

        assert_int_equal(job_spec_decode(body, &r, &spec, &f, NULL), ERR_VALIDATION);
        assert_string_equal(f.items[0].code, "unknown-function");
        assert_non_null(strstr(f.items[0].detail, configured
                                                      ? "fn0, fn1, fn2, fn3, fn4, fn5, fn6, "
                                                        "fn7 and 12 more"
                                                      : "no functions are configured"));
    }
}

/* ---- bounds ------------------------------------------------------------------------ */

/* `before` count copies of item, separated by commas, `after`. */
static char *repeat(const char *before, const char *item, size_t count, const char *after)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    buf_add_str(&b, before);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strchr(item, '%'))
            buf_add_char(&b, ',');
        for (const char *p = item; *p; p++)
            if (*p == '%')
                buf_printf(&b, "%zu", i);
            else
                buf_add_char(&b, *p);
    }
    buf_add_str(&b, after);
    return buf_steal(&b);
}

static void sizes_are_allowed_up_to_the_limit_and_not_beyond(void **state)
{
    static const struct {
        const char *before, *item, *after;
        size_t limit;
        const char *pointer;
        const char *code;
    } rows[] = {
        { "{\"command\":[", "\"%\"", "]}", JOB_ARGS_MAX, "#/command", "too-long" },
        { "{\"command\":[\"a\",\"", "x", "\"]}", JOB_ARG_MAX_BYTES, "#/command/1", "too-long" },
        { "{\"function\":\"wc\",\"env\":{", "\"V%\":\"\"", "}}", JOB_ENV_MAX, "#/env",
          "too-long" },
        { "{\"function\":\"wc\",\"env\":{\"A\":\"", "x", "\"}}", JOB_ARG_MAX_BYTES - 2,
          "#/env/A", "too-long" },
        { "{\"function\":\"wc\",\"labels\":{", "\"%\":\"\"", "}}", JOB_LABELS_MAX, "#/labels",
          "too-long" },
        { "{\"function\":\"wc\",\"labels\":{\"a\":\"", "\xC3\xA4", "\"}}", JOB_LABEL_VALUE_MAX,
          "#/labels/a", "too-long" },
        { "{\"function\":\"wc\",\"labels\":{\"", "x", "\":\"\"}}", JOB_LABEL_NAME_MAX, NULL,
          "invalid-name" },
        { "{\"function\":\"wc\",\"name\":\"", "\xF0\x9F\x98\x80", "\"}", JOB_NAME_MAX, "#/name",
          "too-long" },
        { "{\"function\":\"wc\",\"queue\":\"", "q", "\"}", JOB_QUEUE_MAX, "#/queue",
          "invalid-name" },
        { "{\"function\":\"convert\",\"args\":{\"size\":1,\"input\":\"", "i", "\"}}",
          JOB_ARG_MAX_BYTES, "#/args/input", "too-long" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(mem)
        char *good = repeat(rows[i].before, rows[i].item, rows[i].limit, rows[i].after);
        AUTO(mem)
        char *bad = repeat(rows[i].before, rows[i].item, rows[i].limit + 1, rows[i].after);
        AUTO_FINI(job_spec) struct job_spec spec = { 0 };
        AUTO_FINI(job_spec) struct job_spec refused = { 0 };
        AUTO_FINI(faults) struct faults f = { 0 };
        struct errinfo e = { 0 };

        must_decode(good, COMMANDS, &spec);
        assert_int_equal(decode(bad, COMMANDS, &refused, &f, &e), ERR_VALIDATION);
        assert_int_equal(f.total, 1);
        assert_string_equal(f.items[0].code, rows[i].code);
        if (rows[i].pointer)
            assert_string_equal(f.items[0].pointer, rows[i].pointer);
    }
}

static void arguments_and_variables_are_bounded_altogether(void **state)
{
    AUTO_FINI(buf) struct buf body = { 0 };
    AUTO(mem) char *big = mem_new0(110000 + 1);
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    AUTO_FINI(faults) struct faults f = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    memset(big, 'x', 110000);
    buf_add_str(&body, "{\"command\":[\"a\"");
    for (int i = 0; i < 5; i++)
        buf_printf(&body, ",\"%s\"", big);
    buf_add_str(&body, "],\"env\":{\"A\":\"\"");
    for (int i = 0; i < 5; i++)
        buf_printf(&body, ",\"V%d\":\"%s\"", i, big);
    buf_add_str(&body, "}}");
    assert_int_equal(decode(body.data, COMMANDS, &spec, &f, &e), ERR_VALIDATION);
    assert_int_equal(f.total, 2);
    assert_string_equal(f.items[0].pointer, "#/command");
    assert_non_null(strstr(f.items[0].detail, "altogether"));
    assert_string_equal(f.items[1].pointer, "#/env");
}

/* ---- what is right ----------------------------------------------------------------- */

static void a_bare_function_takes_what_its_configuration_says(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    (void)state;
    must_decode("{\"function\":\"wc\"}", STRICT, &spec);
    assert_ptr_equal(spec.fn, &items[0]);
    assert_string_equal(spec.queue, "default");
    assert_null(spec.name);
    assert_int_equal(spec.priority, 0);
    assert_int_equal(spec.run_at_us, 0);
    assert_int_equal(spec.delay_us, 0);
    assert_int_equal(spec.timeout_us, 30 * USEC_PER_SEC);
    assert_int_equal(spec.grace_us, 5 * USEC_PER_SEC);
    assert_string_equal(spec.payload, "{}");
    assert_int_equal(spec.payload_len, 2);
}

static void the_job_overrules_its_function(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    (void)state;
    must_decode(
        "{\"function\":\"wc\",\"name\":\"n \xC3\xA4\",\"queue\":\"fast.lane-1_x\","
        "\"priority\":-1000,\"delay_seconds\":0.25,\"timeout_seconds\":1.5,"
        "\"grace_period_seconds\":0}",
        STRICT, &spec);
    assert_string_equal(spec.name, "n \xC3\xA4");
    assert_string_equal(spec.queue, "fast.lane-1_x");
    assert_int_equal(spec.priority, -1000);
    assert_int_equal(spec.delay_us, 250 * USEC_PER_MS);
    assert_int_equal(spec.timeout_us, 1500 * USEC_PER_MS);
    assert_int_equal(spec.grace_us, 0);
}

static void bounds_are_inside_the_range(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    (void)state;
    must_decode(
        "{\"function\":\"wc\",\"priority\":1000.0,\"delay_seconds\":316224000,"
        "\"timeout_seconds\":2678400,\"grace_period_seconds\":3600}",
        STRICT, &spec);
    assert_int_equal(spec.priority, 1000);
    assert_int_equal(spec.delay_us, 316224000 * USEC_PER_SEC);
    assert_int_equal(spec.timeout_us, 2678400 * USEC_PER_SEC);
    assert_int_equal(spec.grace_us, 3600 * USEC_PER_SEC);
}

static void a_command_has_no_function_and_its_own_defaults(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    (void)state;
    must_decode("{\"command\":[\"awk\",\"{print $1}\",\"\"]}", COMMANDS, &spec);
    assert_null(spec.fn);
    assert_int_equal(spec.timeout_us, 0);
    assert_int_equal(spec.grace_us, JOB_GRACE_DEFAULT_US);
    assert_string_equal(spec.payload, "{\"command\":[\"awk\",\"{print $1}\",\"\"]}");
}

static void the_payload_holds_what_was_sent_and_no_more(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    (void)state;
    must_decode(
        "{\"labels\":{\"b\":\"1\",\"a\":\"2\"}, \"name\":\"n\", \"env\":{\"A\":\"x\"},"
        " \"stdin\":{\"base64\":\"AP8=\"}, \"args\":[1, 0.1, null, \"\\u00e4\"],"
        " \"function\":\"wc\"}",
        STRICT, &spec);
    assert_string_equal(spec.payload,
                        "{\"args\":[1,0.1,null,\"\xC3\xA4\"],\"stdin\":{\"base64\":\"AP8=\"},"
                        "\"env\":{\"A\":\"x\"},\"labels\":{\"b\":\"1\",\"a\":\"2\"}}");
    assert_int_equal(spec.payload_len, strlen(spec.payload));
}

static void args_that_are_null_were_sent(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    (void)state;
    must_decode("{\"function\":\"score\",\"args\":null}", STRICT, &spec);
    assert_string_equal(spec.payload, "{\"args\":null}");
}

static void lenient_requests_may_carry_unknown_members(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    (void)state;
    must_decode("{\"function\":\"wc\",\"colour\":1,\"stdin\":{\"base64\":\"\",\"x\":1}}",
                LENIENT, &spec);
    assert_ptr_equal(spec.fn, &items[0]);
}

static void lenient_requests_are_still_checked(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    AUTO_FINI(faults) struct faults f = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(
        decode("{\"function\":\"wc\",\"colour\":1,\"priority\":\"x\"}", LENIENT, &spec, &f, &e),
        ERR_VALIDATION);
    assert_int_equal(f.total, 1);
}

/* ---- commands ---------------------------------------------------------------------- */

static void commands_need_the_server_s_consent(void **state)
{
    static const char *const bodies[] = {
        "{\"command\":[\"ls\"]}",
        "{\"command\":null}",
        "{\"command\":[\"ls\"],\"function\":\"wc\"}",
        "{\"command\":[\"ls\"],\"colour\":1}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        AUTO_FINI(job_spec) struct job_spec spec = { 0 };
        AUTO_FINI(faults) struct faults f = { 0 };
        struct errinfo e = { 0 };

        assert_int_equal(decode(bodies[i], STRICT, &spec, &f, &e), ERR_COMMANDS_DISABLED);
        assert_non_null(strstr(e.text, "allow_commands: true"));
    }
}

static void variables_that_load_code_are_fine_where_commands_are(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    (void)state;
    must_decode("{\"function\":\"wc\",\"env\":{\"PATH\":\"/opt/bin\",\"LD_PRELOAD\":\"\"}}",
                COMMANDS, &spec);
}

static void harmless_variables_are_fine_for_functions(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    (void)state;
    must_decode(
        "{\"function\":\"wc\",\"env\":{\"LANG\":\"C\",\"_x9\":\"\",\"LDX\":\"\","
        "\"PATHS\":\"\",\"jobd_x\":\"\",\"TZ\":\"UTC\",\"GITHUB\":\"\"}}",
        STRICT, &spec);
}

/* ---- the job ----------------------------------------------------------------------- */

static void to_job(const char *body, struct job *ret_job)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    must_decode(body, COMMANDS, &spec);
    job_spec_to_job(&spec, NOW_US, ret_job);
}

static void a_job_that_may_start_at_once_is_queued(void **state)
{
    static const char *const bodies[] = {
        "{\"function\":\"wc\",\"name\":\"n\",\"queue\":\"q\",\"priority\":7}",
        "{\"function\":\"wc\",\"name\":\"n\",\"queue\":\"q\",\"priority\":7,\"delay_seconds\":"
        "0}",
        "{\"function\":\"wc\",\"name\":\"n\",\"queue\":\"q\",\"priority\":7,"
        "\"run_at\":\"1999-01-01T00:00:00Z\"}",
        "{\"function\":\"wc\",\"name\":\"n\",\"queue\":\"q\",\"priority\":7,"
        "\"run_at\":\"2023-11-14T22:13:20Z\"}", /* exactly now */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        AUTO_FINI(job) struct job job = { 0 };

        to_job(bodies[i], &job);
        assert_int_equal(job.id.hi, 0);
        assert_int_equal(job.state, JOB_QUEUED);
        assert_int_equal(job.version, 1);
        assert_string_equal(job.function, "wc");
        assert_string_equal(job.pool, "");
        assert_string_equal(job.queue, "q");
        assert_string_equal(job.name, "n");
        assert_int_equal(job.priority, 7);
        assert_int_equal(job.timeout_us, 30 * USEC_PER_SEC);
        assert_int_equal(job.grace_us, 5 * USEC_PER_SEC);
        assert_string_equal(job.payload, "{}");
        assert_int_equal(job.created_at_us, NOW_US);
        assert_int_equal(job.updated_at_us, NOW_US);
        assert_int_equal(job.queued_at_us, NOW_US);
        assert_int_equal(job.scheduled_at_us, 0);
        assert_int_equal(job.attempt, 0);
        assert_false(job.has_outcome);
    }
}

static void a_job_for_later_is_scheduled(void **state)
{
    static const char *const bodies[] = {
        "{\"function\":\"wc\",\"delay_seconds\":3600}",
        "{\"function\":\"wc\",\"run_at\":\"2023-11-14T23:13:20Z\"}",
        "{\"function\":\"wc\",\"run_at\":\"2023-11-15T00:13:20+01:00\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        AUTO_FINI(job) struct job job = { 0 };

        to_job(bodies[i], &job);
        assert_int_equal(job.state, JOB_SCHEDULED);
        assert_int_equal(job.scheduled_at_us, NOW_US + 3600 * USEC_PER_SEC);
        assert_int_equal(job.queued_at_us, 0);
        assert_int_equal(job.created_at_us, NOW_US);
    }
}

static void the_pool_is_the_program_s_name_or_empty(void **state)
{
    AUTO_FINI(job) struct job program = { 0 };
    AUTO_FINI(job) struct job command = { 0 };

    (void)state;
    to_job("{\"function\":\"score\",\"args\":[1]}", &program);
    assert_string_equal(program.function, "score");
    assert_string_equal(program.pool, "score");
    to_job("{\"command\":[\"true\"]}", &command);
    assert_null(command.function);
    assert_string_equal(command.pool, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_named_with_its_place),
        cmocka_unit_test(all_faults_are_found_at_once_in_the_order_of_the_body),
        cmocka_unit_test(a_flood_of_unknown_members_is_bounded),
        cmocka_unit_test(long_lists_of_functions_are_cut),
        cmocka_unit_test(sizes_are_allowed_up_to_the_limit_and_not_beyond),
        cmocka_unit_test(arguments_and_variables_are_bounded_altogether),
        cmocka_unit_test(a_bare_function_takes_what_its_configuration_says),
        cmocka_unit_test(the_job_overrules_its_function),
        cmocka_unit_test(bounds_are_inside_the_range),
        cmocka_unit_test(a_command_has_no_function_and_its_own_defaults),
        cmocka_unit_test(the_payload_holds_what_was_sent_and_no_more),
        cmocka_unit_test(args_that_are_null_were_sent),
        cmocka_unit_test(lenient_requests_may_carry_unknown_members),
        cmocka_unit_test(lenient_requests_are_still_checked),
        cmocka_unit_test(commands_need_the_server_s_consent),
        cmocka_unit_test(variables_that_load_code_are_fine_where_commands_are),
        cmocka_unit_test(harmless_variables_are_fine_for_functions),
        cmocka_unit_test(a_job_that_may_start_at_once_is_queued),
        cmocka_unit_test(a_job_for_later_is_scheduled),
        cmocka_unit_test(the_pool_is_the_program_s_name_or_empty),
    };

    return cmocka_run_group_tests_name("domain/job_spec", tests, NULL, NULL);
}
