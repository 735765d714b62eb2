#include "tests/support/test.h"

#include "server/config.h"

#include <string.h>

#include "base/mem.h"
#include "domain/args_schema.h"
#include "domain/job.h"
#include "domain/json_text.h"

static bool load(const char *text, struct settings *s, struct buf *faults)
{
    settings_init(s);
    return config_load_text("t.yaml", text, strlen(text), s, faults);
}

/* -- what is right ------------------------------------------------------------------------ */

static void every_key_reaches_its_setting(void **state)
{
    static const char text[] =
        "listen: [\"127.0.0.1:0\", \"unix:/x\"]\n"
        "data_dir: /d\n"
        "durability: relaxed\n"
        "allow_commands: yes\n"
        "insecure: true\n"
        "workers: 9\n"
        "log_level: warn\n"
        "drain_timeout: 1m\n"
        "long_poll_max: 20\n"
        "max_waiting_jobs: 10\n"
        "max_body_bytes: 2MiB\n"
        "output_max_bytes: 65536\n"
        "max_connections: 77\n"
        "http_threads: 3\n"
        "quarantine_after: 5\n";
    AUTO_FINI(settings) struct settings s = { 0 };
    AUTO_FINI(buf) struct buf faults = { 0 };

    (void)state;
    if (!load(text, &s, &faults))
        fail_msg("%s", faults.data);
    assert_int_equal(s.listen.count, 2);
    assert_string_equal(s.listen.items[1], "unix:/x");
    assert_string_equal(s.data_dir, "/d");
    assert_int_equal(s.durability, 1);
    assert_true(s.allow_commands && s.insecure);
    assert_int_equal(s.workers, 9);
    assert_int_equal(s.log_level, 2);
    assert_int_equal(s.drain_timeout_us, 60 * USEC_PER_SEC);
    assert_int_equal(s.long_poll_max_us, 20 * USEC_PER_SEC);
    assert_int_equal(s.max_waiting_jobs, 10);
    assert_int_equal(s.max_body_bytes, 2 << 20);
    assert_int_equal(s.output_max_bytes, 65536);
    assert_int_equal(s.max_connections, 77);
    assert_int_equal(s.http_threads, 3);
    assert_int_equal(s.quarantine_after, 5);
}

static void functions_are_loaded_in_their_order(void **state)
{
    static const char text[] =
        "functions:\n"
        "  - name: wordcount\n"
        "    description: Counts words.\n"
        "    command: [wc, -w]\n"
        "    result: stdout\n"
        "  - name: thumbnail\n"
        "    command: [convert, \"{input}\", \"{{}}\", \"{w}x{h}\"]\n"
        "    timeout: 30s\n"
        "    grace_period: 2\n"
        "  - name: score\n"
        "    program: [python3, score.py, '{\"a\": 1}']\n"
        "    workers: 2\n"
        "    max_jobs: 1000\n";
    AUTO_FINI(settings) struct settings s = { 0 };
    AUTO_FINI(buf) struct buf faults = { 0 };
    const struct function *fn;

    (void)state;
    if (!load(text, &s, &faults))
        fail_msg("%s", faults.data);
    assert_int_equal(s.functions.count, 3);
    fn = &s.functions.items[0];
    assert_string_equal(fn->name, "wordcount");
    assert_string_equal(fn->description, "Counts words.");
    assert_int_equal(fn->kind, FUNCTION_COMMAND);
    assert_int_equal(fn->argc, 2);
    assert_string_equal(fn->argv[1], "-w");
    assert_null(fn->argv[2]);
    assert_true(fn->result_from_stdout);
    assert_int_equal(fn->timeout_us, 0);
    assert_int_equal(fn->grace_us, JOB_GRACE_DEFAULT_US);
    fn = &s.functions.items[1];
    assert_null(fn->description);
    assert_false(fn->result_from_stdout);
    assert_int_equal(fn->timeout_us, 30 * USEC_PER_SEC);
    assert_int_equal(fn->grace_us, 2 * USEC_PER_SEC);
    fn = &s.functions.items[2];
    assert_int_equal(fn->kind, FUNCTION_PROGRAM);
    assert_int_equal(fn->workers, 2);
    assert_int_equal(fn->max_jobs, 1000);
    assert_string_equal(fn->argv[2], "{\"a\": 1}");
}

static void limits_and_retries_are_loaded_with_their_units(void **state)
{
    static const char text[] =
        "command_limits: {open_files: 256, output_bytes: 1MiB}\n"
        "functions:\n"
        "  - name: f\n"
        "    command: [wc]\n"
        "    leftover: wait\n"
        "    inputs: true\n"
        "    limits:\n"
        "      cpu_seconds: 1.5m\n"
        "      memory_bytes: 64MiB\n"
        "      processes: 9\n"
        "      file_size_bytes: 4096\n"
        "    retry:\n"
        "      max_attempts: 5\n"
        "      backoff: linear\n"
        "      initial_delay_seconds: 500ms\n"
        "      multiplier: 1.5\n"
        "      max_delay_seconds: 60\n"
        "      jitter: 0\n"
        "      on: [exit_code, worker_lost]\n"
        "      fatal_exit_codes: [2, 64]\n"
        "  - name: p\n"
        "    program: [x]\n"
        "    concurrency: 8\n"
        "    max_rss: 1GiB\n"
        "    max_age: 1h\n"
        "    ready: true\n"
        "  - name: q\n"
        "    program: [x]\n"
        "    ready_timeout: 5s\n";
    AUTO_FINI(settings) struct settings s = { 0 };
    AUTO_FINI(buf) struct buf faults = { 0 };
    const struct function *fn;

    (void)state;
    if (!load(text, &s, &faults))
        fail_msg("%s", faults.data);
    assert_int_equal(s.functions.command_limits.values[LIMIT_OPEN_FILES], 256);
    assert_int_equal(s.functions.command_limits.values[LIMIT_OUTPUT], 1 << 20);
    assert_int_equal(s.functions.command_limits.values[LIMIT_CPU], 0);
    fn = &s.functions.items[0];
    assert_int_equal(fn->leftover, LEFTOVER_WAIT);
    assert_true(fn->takes_inputs);
    assert_int_equal(fn->limits.values[LIMIT_CPU], 90 * USEC_PER_SEC);
    assert_int_equal(fn->limits.values[LIMIT_MEMORY], 64 << 20);
    assert_int_equal(fn->limits.values[LIMIT_PROCESSES], 9);
    assert_int_equal(fn->limits.values[LIMIT_OPEN_FILES], 0);
    assert_int_equal(fn->limits.values[LIMIT_FILE_SIZE], 4096);
    assert_int_equal(fn->retry.max_attempts, 5);
    assert_int_equal(fn->retry.backoff, RETRY_LINEAR);
    assert_int_equal(fn->retry.initial_delay_us, 500 * USEC_PER_MS);
    assert_true(fn->retry.multiplier == 1.5 && fn->retry.jitter == 0);
    assert_int_equal(fn->retry.max_delay_us, 60 * USEC_PER_SEC);
    assert_int_equal(fn->retry.on, 1u << CAUSE_EXIT_CODE | 1u << CAUSE_WORKER_LOST);
    assert_true(retry_is_fatal_code(&fn->retry, 2) && retry_is_fatal_code(&fn->retry, 64));
    fn = &s.functions.items[1];
    assert_int_equal(fn->concurrency, 8);
    assert_int_equal(fn->max_rss_bytes, 1 << 30);
    assert_int_equal(fn->max_age_us, 3600 * USEC_PER_SEC);
    assert_int_equal(fn->ready_timeout_us, 30 * USEC_PER_SEC);
    assert_int_equal(s.functions.items[2].ready_timeout_us, 5 * USEC_PER_SEC);
}

static void a_function_that_says_nothing_more_has_no_limits_and_no_retries(void **state)
{
    static const char text[] = "functions: [{name: f, command: [wc]}]\n";
    AUTO_FINI(settings) struct settings s = { 0 };
    AUTO_FINI(buf) struct buf faults = { 0 };
    const struct retry_policy usual = retry_default();
    const struct function *fn;

    (void)state;
    assert_true(load(text, &s, &faults));
    fn = &s.functions.items[0];
    assert_true(limits_empty(&fn->limits));
    assert_true(limits_empty(&s.functions.command_limits));
    assert_int_equal(fn->leftover, LEFTOVER_KILL);
    assert_false(fn->takes_inputs);
    assert_int_equal(fn->concurrency, 1);
    assert_int_equal(fn->retry.max_attempts, 1);
    assert_int_equal(fn->retry.backoff, usual.backoff);
    assert_int_equal(fn->retry.on, usual.on);
}

static void the_schema_of_args_is_read_as_yaml_has_it(void **state)
{
    static const char text[] =
        "functions:\n"
        "  - name: none\n"
        "    command: [a]\n"
        "  - name: f\n"
        "    command: [a]\n"
        "    args_schema:\n"
        "      type: [object, 'null']\n"
        "      additionalProperties: false\n"
        "      properties:\n"
        "        n: {type: number, minimum: -1.5e1, default: 007}\n"
        "        s: {enum: [yes, true, \"true\", ~, null, \"a\\tb\\\"\", 10, '10', 1.]}\n";
    AUTO_FINI(settings) struct settings s = { 0 };
    AUTO_FINI(buf) struct buf faults = { 0 };
    AUTO(mem) char *json = NULL;
    size_t len;

    (void)state;
    if (!load(text, &s, &faults))
        fail_msg("%s", faults.data);
    assert_null(s.functions.items[0].args_schema);
    json = json_text_dump(args_schema_json(s.functions.items[1].args_schema), &len);
    assert_string_equal(
        json,
        "{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":"
        "{\"n\":{\"type\":\"number\",\"minimum\":-15.0,\"default\":\"007\"},\"s\":"
        "{\"enum\":[\"yes\",true,\"true\",null,null,\"a\\tb\\\"\",10,\"10\",\"1.\"]}}}");
}

static void an_empty_file_leaves_the_defaults(void **state)
{
    static const char *const texts[] = { "", "# nothing\n", "functions: []\n" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO_FINI(settings) struct settings s = { 0 };
        AUTO_FINI(buf) struct buf faults = { 0 };

        assert_true(load(texts[i], &s, &faults));
        assert_string_equal(s.listen.items[0], "127.0.0.1:8080");
        assert_int_equal(s.functions.count, 0);
    }
}

static void the_demo_configurations_are_right(void **state)
{
    static const char *const files[] = { "examples/demo.yaml", "examples/container.yaml" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        AUTO_FINI(settings) struct settings s = { 0 };
        AUTO_FINI(buf) struct buf faults = { 0 };
        struct errinfo e = { 0 };

        settings_init(&s);
        if (!config_load(files[i], &s, &faults))
            fail_msg("%s", faults.data);
        assert_int_equal(config_check(&s, &e), 0);
        assert_true(s.functions.count > 0);
    }
}

/* -- what is wrong ------------------------------------------------------------------------ */

#define COMMAND "    command: [wc]\n"

static const struct {
    const char *text;
    const char *fault; /* the beginning of a line of the faults */
} wrong[] = {
    /* keys */
    { "wokers: 1\n", "t.yaml:1: wokers: there is no such key; did you mean workers?" },
    { "a: 1\nfunktions: []\n",
      "t.yaml:2: funktions: there is no such key; did you mean functions?" },
    { "zzzzzz: 1\n", "t.yaml:1: zzzzzz: there is no such key; see jobd(1)" },
    { "functions:\n  - name: f\n    comand: [wc]\n",
      "t.yaml:3: functions[0].comand: there is no such key; did you mean command?" },
    { "functions:\n  - name: f\n" COMMAND "    data_dir: x\n",
      "t.yaml:4: functions[0].data_dir: there is no such key" },
    /* kinds */
    { "x: 1\nworkers: [1]\n", "t.yaml:2: workers: must be a whole number from 0 to 512" },
    { "listen: 127.0.0.1:1\n", "t.yaml:1: listen: must be a list" },
    { "functions: wc\n", "t.yaml:1: functions: must be a list of functions" },
    { "functions:\n", "t.yaml:1: functions: must be a list of functions" },
    { "functions:\n  - wc\n", "t.yaml:2: functions: must be a list of functions" },
    { "functions:\n  - name: f\n    command: wc -w\n",
      "t.yaml:3: command: must be a list of texts, [like, this]" },
    { "functions:\n  - name: f\n    command: [wc, [x]]\n",
      "t.yaml:3: command: must be a list" },
    { "functions:\n  - name: f\n    program: [x]\n    workers: {a: 1}\n",
      "t.yaml:4: workers: must be a whole number from 1 to 256" },
    { "- 1\n", "t.yaml:1: must be keys with their values" },
    { "hello\n", "t.yaml:1: must be keys with their values" },
    { "a: b: c\n", "t.yaml:1: this is not YAML" },
    /* values */
    { "workers: many\n", "t.yaml:1: workers: \"many\" is not a whole number from 0 to 512" },
    { "workers:\n", "t.yaml:1: workers: \"\" is not a whole number" },
    { "workers: 513\n", "t.yaml:1: workers: \"513\" is not" },
    { "# c\ndurability: some\n", "t.yaml:2: durability: \"some\" is not full or relaxed" },
    { "allow_commands: maybe\n", "t.yaml:1: allow_commands: \"maybe\" is not true or false" },
    { "drain_timeout: soon\n",
      "t.yaml:1: drain_timeout: \"soon\" is not a time from 0s to 1d" },
    { "max_body_bytes: 1TB\n",
      "t.yaml:1: max_body_bytes: \"1TB\" is not a size from 1KiB to 64MiB" },
    { "data_dir: \"\"\n", "t.yaml:1: data_dir: it must not be empty" },
    { "listen:\n  - \"127.0.0.1:1\"\n  - nowhere\n",
      "t.yaml:3: listen[1]: \"nowhere\" is not an address" },
    { "trusted_proxies: [10.0.0.0/8,\n unix, 10.0.0.1/8]\n",
      "t.yaml:2: trusted_proxies[2]: \"10.0.0.1/8\": the address has bits beyond its prefix" },
    { "cors_origins: ['https://a.example', 'https://a.example/']\n",
      "t.yaml:1: cors_origins[1]: \"https://a.example/\" is not an origin" },
    { "queue_depths: [mail=10, mail]\n", "t.yaml:1: queue_depths[1]: \"mail\" is not NAME=N" },
    /* functions */
    { "functions:\n  - command: [wc]\n", "t.yaml:2: functions[0]: a function needs a name" },
    { "functions:\n  - name: a b\n" COMMAND,
      "t.yaml:2: functions[0].name (a b): \"a b\" must be" },
    { "functions:\n  - name: f\n" COMMAND "  - name: f\n" COMMAND,
      "t.yaml:4: functions[1].name (f): there is a function of that name already" },
    { "functions:\n  - name: f\n",
      "t.yaml:2: functions[0] (f): a function has either `command`" },
    { "functions:\n  - name: f\n" COMMAND "    program: [x]\n",
      "t.yaml:2: functions[0] (f): a function has either `command`" },
    { "functions:\n  - name: f\n    command: [\"\"]\n",
      "t.yaml:3: functions[0].command (f): it must begin with a program to run" },
    { "functions:\n  - name: f\n    command:\n      - wc\n      - \"{x\"\n",
      "t.yaml:5: functions[0].command[1] (f): byte 1 of \"{x\": { without }" },
    { "functions:\n  - name: f\n    command: [\"{x}\"]\n",
      "t.yaml:3: functions[0].command[0] (f): the program itself cannot come from a job's "
      "args" },
    { "functions:\n  - name: f\n    program: [python3, \"{x}\"]\n",
      "t.yaml:3: functions[0].program[1] (f): a warm program is started before its jobs" },
    { "functions:\n  - name: f\n" COMMAND "    timeout: 0\n",
      "t.yaml:4: functions[0].timeout: \"0\" is not a time from 1ms to 31d" },
    { "functions:\n  - name: f\n" COMMAND "    grace_period: 2h\n",
      "t.yaml:4: functions[0].grace_period: \"2h\" is not a time from 0s to 1h" },
    { "functions:\n  - name: f\n" COMMAND "    result: stderr\n",
      "t.yaml:4: functions[0].result: \"stderr\" is not fd3 or stdout" },
    { "functions:\n  - name: f\n" COMMAND "    workers: 2\n",
      "t.yaml:4: functions[0].workers (f): this is for program functions" },
    { "functions:\n  - name: f\n" COMMAND "    max_jobs: 2\n",
      "t.yaml:4: functions[0].max_jobs (f): this is for program functions" },
    { "functions:\n  - name: f\n    program: [x]\n    result: fd3\n",
      "t.yaml:4: functions[0].result (f): this is for command functions" },
    { "functions:\n  - name: f\n    program: [x]\n    workers: 0\n",
      "t.yaml:4: functions[0].workers: \"0\" is not a whole number from 1 to 256" },
    { "functions:\n  - name: f\n" COMMAND "    concurrency: 2\n",
      "t.yaml:4: functions[0].concurrency (f): this is for program functions" },
    { "functions:\n  - name: f\n" COMMAND "    ready: true\n",
      "t.yaml:4: functions[0].ready (f): this is for program functions" },
    { "functions:\n  - name: f\n" COMMAND "    ready_timeout: 1s\n",
      "t.yaml:4: functions[0].ready_timeout (f): this is for program functions" },
    { "functions:\n  - name: f\n    program: [x]\n    concurrency: 65\n",
      "t.yaml:4: functions[0].concurrency: \"65\" is not a whole number from 1 to 64" },
    { "functions:\n  - name: f\n" COMMAND "    max_rss: 1GiB\n",
      "t.yaml:4: functions[0].max_rss (f): this is for program functions" },
    { "functions:\n  - name: f\n    program: [x]\n    leftover: wait\n",
      "t.yaml:4: functions[0].leftover (f): this is for command functions" },
    { "functions:\n  - name: f\n    program: [x]\n    inputs: true\n",
      "t.yaml:4: functions[0].inputs (f): this is for command functions" },
    { "functions:\n  - name: f\n" COMMAND "    leftover: keep\n",
      "t.yaml:4: functions[0].leftover: \"keep\" is not kill, wait or detach" },
    /* limits and retries */
    { "command_limits: {memory: 1}\n",
      "t.yaml:1: command_limits.memory: there is no such key; did you mean memory_bytes?" },
    { "command_limits: 7\n", "t.yaml:1: command_limits: must be keys with their values" },
    { "command_limit: {}\n",
      "t.yaml:1: command_limit: there is no such key; did you mean command_limits?" },
    { "command_limits:\n  memory_bytes: 1KiB\n",
      "t.yaml:2: command_limits.memory_bytes: \"1KiB\" is not a size from 1MiB to" },
    { "functions:\n  - name: f\n" COMMAND "    limits:\n      cpu_seconds: 0\n",
      "t.yaml:5: functions[0].limits.cpu_seconds: \"0\" is not a time from 1s to 31d" },
    { "functions:\n  - name: f\n" COMMAND "    limits:\n      procceses: 1\n",
      "t.yaml:5: functions[0].limits.procceses: there is no such key; did you mean "
      "processes?" },
    { "functions:\n  - name: f\n" COMMAND "    limits: {processes: [1]}\n",
      "t.yaml:4: processes: must be a whole number from 1 to" },
    { "functions:\n  - name: f\n" COMMAND "    limts: {}\n",
      "t.yaml:4: functions[0].limts: there is no such key; did you mean limits?" },
    { "functions:\n  - name: f\n" COMMAND "    retry:\n      max_attempts: 101\n",
      "t.yaml:5: functions[0].retry.max_attempts: \"101\" is not a whole number from 1 to "
      "100" },
    { "functions:\n  - name: f\n" COMMAND "    retry:\n      backoff: cubic\n",
      "t.yaml:5: functions[0].retry.backoff: \"cubic\" is not constant, linear or "
      "exponential" },
    { "functions:\n  - name: f\n" COMMAND "    retry:\n      multiplier: 0x2\n",
      "t.yaml:5: functions[0].retry.multiplier: \"0x2\" is not a number from 1 to 100" },
    { "functions:\n  - name: f\n" COMMAND "    retry:\n      jitter: 1.5\n",
      "t.yaml:5: functions[0].retry.jitter: \"1.5\" is not a number from 0 to 1" },
    { "functions:\n  - name: f\n" COMMAND "    retry:\n      on:\n        - sneeze\n",
      "t.yaml:6: functions[0].retry.on[0]: \"sneeze\" is no cause" },
    { "functions:\n  - name: f\n" COMMAND "    retry: {on: [canceled]}\n",
      "t.yaml:4: functions[0].retry.on[0]: \"canceled\" is no cause" },
    { "functions:\n  - name: f\n" COMMAND "    retry: {on: signal}\n",
      "t.yaml:4: on: must be a list of texts" },
    { "functions:\n  - name: f\n" COMMAND "    retry: {fatal_exit_codes: [1, 256]}\n",
      "t.yaml:4: functions[0].retry.fatal_exit_codes[1]: \"256\" is not a whole number from 1 "
      "to 255" },
    { "functions:\n  - name: f\n" COMMAND "    retry: 3\n",
      "t.yaml:4: retry: must be keys with their values" },
    { "functions:\n  - name: f\n" COMMAND "    args_schema:\n      type: object\n"
      "      properties:\n        size:\n          type: integer\n          minimun: 1\n",
      "t.yaml:9: functions[0].args_schema.properties.size.minimun: there is no such keyword; "
      "did "
      "you mean minimum?" },
    { "functions:\n  - name: f\n" COMMAND "    args_schema: {properties: {a: {$ref: x}}}\n",
      "t.yaml:4: functions[0].args_schema.properties.a.$ref: jobd does not check this" },
    { "functions:\n  - name: f\n" COMMAND "    args_schema:\n      required: a\n",
      "t.yaml:5: functions[0].args_schema.required: must be a list" },
    { "functions:\n  - name: f\n" COMMAND "    args_schema:\n      pattern: '('\n",
      "t.yaml:5: functions[0].args_schema.pattern: byte 2 of the pattern" },
    { "functions:\n  - name: f\n" COMMAND "    args_schema:\n      minLength: 010\n",
      "t.yaml:5: functions[0].args_schema.minLength: must be a whole number" },
    { "functions:\n  - name: f\n" COMMAND "    args_schema:\n",
      "t.yaml:4: functions[0].args_schema: must be a schema" },
    { "functions:\n  - name: f\n" COMMAND "    args_schema_file: /nowhere/x.json\n",
      "t.yaml:4: functions[0].args_schema_file: /nowhere/x.json: there is no such file" },
    { "functions:\n  - name: f\n" COMMAND "    args_schema_file: VERSION\n",
      "t.yaml:4: functions[0].args_schema_file: VERSION: " },
    { "functions:\n  - name: f\n" COMMAND "    args_schema: {}\n    args_schema_file: x\n",
      "t.yaml:4: functions[0].args_schema: there is an args_schema_file, too" },
};

/* Whether one of the lines begins so. */
static bool has_line(const char *lines, const char *start)
{
    size_t n = strlen(start);

    for (const char *p = lines; p && *p; p += strcspn(p, "\n") + 1)
        if (strncmp(p, start, n) == 0)
            return true;
    return false;
}

static void every_fault_says_its_file_line_and_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        AUTO_FINI(settings) struct settings s = { 0 };
        AUTO_FINI(buf) struct buf faults = { 0 };

        if (load(wrong[i].text, &s, &faults))
            fail_msg("was taken:\n%s", wrong[i].text);
        if (!has_line(faults.data, wrong[i].fault))
            fail_msg("%s\nsays\n%sinstead of\n%s", wrong[i].text, faults.data, wrong[i].fault);
    }
}

static void all_faults_are_told_at_once(void **state)
{
    static const char text[] =
        "wokers: 1\n"
        "durability: x\n"
        "functions:\n"
        "  - name: f\n"
        "    command: [\"}\"]\n"
        "  - name: f\n"
        "    program: [x]\n"
        "    tiemout: 3\n";
    AUTO_FINI(settings) struct settings s = { 0 };
    AUTO_FINI(buf) struct buf faults = { 0 };
    static const char *const starts[] = { "t.yaml:1: wokers", "t.yaml:2: durability",
                                          "t.yaml:5: functions[0].command[0]",
                                          "t.yaml:6: functions[1].name",
                                          "t.yaml:8: functions[1].tiemout" };
    size_t lines = 0;

    (void)state;
    assert_false(load(text, &s, &faults));
    for (size_t i = 0; i < COUNT_OF(starts); i++)
        assert_true(has_line(faults.data, starts[i]));
    for (const char *p = faults.data; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, COUNT_OF(starts));
}

static void a_file_that_is_not_there_is_named(void **state)
{
    AUTO_FINI(settings) struct settings s = { 0 };
    AUTO_FINI(buf) struct buf faults = { 0 };

    (void)state;
    assert_false(config_load("/nonexistent/jobd.yaml", &s, &faults));
    assert_string_equal(faults.data, "/nonexistent/jobd.yaml: there is no such file\n");
}

/* -- between settings --------------------------------------------------------------------- */

static int check(const char *text, struct errinfo *e)
{
    AUTO_FINI(settings) struct settings s = { 0 };
    AUTO_FINI(buf) struct buf faults = { 0 };

    if (!load(text, &s, &faults))
        fail_msg("%s", faults.data);
    return config_check(&s, e);
}

static void command_functions_need_command_workers(void **state)
{
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(check("workers: 0\nfunctions: [{name: f, command: [x]}]\n", &e),
                     ERR_CONFIG);
    assert_int_equal(check("workers: 0\nallow_commands: true\n", &e), ERR_CONFIG);
    assert_int_equal(check("workers: 0\n", &e), ERR_CONFIG);
    assert_int_equal(check("workers: 0\nfunctions: [{name: f, program: [x]}]\n", &e), 0);
}

static void all_workers_together_have_a_limit(void **state)
{
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(
        check("workers: 256\nfunctions: [{name: f, program: [x], workers: 256}]\n", &e), 0);
    assert_int_equal(
        check("workers: 257\nfunctions: [{name: f, program: [x], workers: 256}]\n", &e),
        ERR_CONFIG);
    assert_non_null(strstr(e.text, "513, more than 512"));
}

static void other_addresses_than_the_loopback_need_insecure(void **state)
{
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(check("listen: [\"0.0.0.0:1\"]\n", &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "--insecure"));
    assert_int_equal(check("listen: [\"0.0.0.0:1\"]\ninsecure: true\n", &e), 0);
}

static void what_authentication_needs_is_told(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "identity_header: X-User\n", "trusted_proxies" },
        { "identity_header: X-User\ntrusted_proxies: [127.0.0.1]\n", "identities" },
        { "identities: ['header:* scopes=jobs:read']\n", "identity_header" },
        { "identities: ['cert:* scopes=jobs:read']\n", "tls_client_ca" },
        { "listen: ['tls:127.0.0.1:0']\n", "tls_cert and tls_key" },
        { "tls_client_ca: /nonexistent\n", "tls:HOST:PORT" },
        { "api_keys_file: /nonexistent\n", "api_keys_file" },
        { "listen: ['tls:0.0.0.0:1']\ntls_cert: /nonexistent\ntls_key: /x\n", "tls_cert" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct errinfo e = { 0 };

        assert_int_equal(check(cases[i].text, &e), ERR_CONFIG);
        if (!strstr(e.text, cases[i].says))
            fail_msg("%s: %s", cases[i].text, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_reaches_its_setting),
        cmocka_unit_test(functions_are_loaded_in_their_order),
        cmocka_unit_test(limits_and_retries_are_loaded_with_their_units),
        cmocka_unit_test(a_function_that_says_nothing_more_has_no_limits_and_no_retries),
        cmocka_unit_test(the_schema_of_args_is_read_as_yaml_has_it),
        cmocka_unit_test(an_empty_file_leaves_the_defaults),
        cmocka_unit_test(the_demo_configurations_are_right),
        cmocka_unit_test(every_fault_says_its_file_line_and_key),
        cmocka_unit_test(all_faults_are_told_at_once),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(command_functions_need_command_workers),
        cmocka_unit_test(all_workers_together_have_a_limit),
        cmocka_unit_test(other_addresses_than_the_loopback_need_insecure),
        cmocka_unit_test(what_authentication_needs_is_told),
    };

    return cmocka_run_group_tests_name("server/config", tests, NULL, NULL);
}
