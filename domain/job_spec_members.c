#include "domain/job_spec_members.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "domain/json_text.h"
#include "domain/suggest.h"

#define FUNCTIONS_NAMED_MAX 8 /* in a fault */

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "null";
}

bool job_spec_want(struct job_spec_draft *d, bool has_type, const json_t *value,
                   const char *pointer, const char *want)
{
    if (!has_type)
        faults_add(d->faults, pointer, "wrong-type", "must be %s, not %s", want,
                   type_name(value));
    return has_type;
}

static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

/* ---- what to run ------------------------------------------------------------------- */

/* "convert, score and 12 more" */
static void list_functions(const struct function_table *t, struct buf *out)
{
    size_t named = t->count < FUNCTIONS_NAMED_MAX ? t->count : FUNCTIONS_NAMED_MAX;

    for (size_t i = 0; i < named; i++)
        buf_printf(out, "%s%s", i > 0 ? ", " : "", t->items[i].name);
    if (t->count > named)
        buf_printf(out, " and %zu more", t->count - named);
}

static void unknown_function(struct job_spec_draft *d, const char *name, const char *pointer)
{
    const struct function_table *t = d->rules->functions;
    struct suggestion s = { .word = name };
    AUTO_FINI(buf) struct buf known = { 0 };

    if (t->count == 0) {
        faults_add(d->faults, pointer, "unknown-function", "no functions are configured here");
        return;
    }
    for (size_t i = 0; i < t->count; i++)
        suggest_consider(&s, t->items[i].name);
    list_functions(t, &known);
    if (s.nearest)
        faults_add(d->faults, pointer, "unknown-function",
                   "there is no such function; did you mean %s? Known are %s", s.nearest,
                   known.data);
    else
        faults_add(d->faults, pointer, "unknown-function",
                   "there is no such function; known are %s", known.data);
}

static void decode_function(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    const char *name = json_string_value(value);

    if (!job_spec_want(d, name != NULL, value, pointer, "a string"))
        return;
    d->spec->fn = function_find(d->rules->functions, name);
    if (!d->spec->fn)
        unknown_function(d, name, pointer);
}

static void decode_argument(struct job_spec_draft *d, const json_t *value, size_t index,
                            const char *command_pointer)
{
    char number[24];
    AUTO(mem) char *pointer = NULL;
    size_t len = json_string_length(value);

    if (json_is_string(value) && len <= JOB_ARG_MAX_BYTES && (index > 0 || len > 0))
        return;
    (void)snprintf(number, sizeof number, "%zu", index);
    pointer = faults_pointer(command_pointer, number);
    if (!job_spec_want(d, json_is_string(value), value, pointer, "a string"))
        return;
    if (len == 0)
        faults_add(d->faults, pointer, "too-short", "must name a program");
    else
        faults_add(d->faults, pointer, "too-long", "must have at most %d bytes",
                   JOB_ARG_MAX_BYTES);
}

static void decode_command(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    size_t count = json_array_size(value);
    size_t total_bytes = 0;

    if (!job_spec_want(d, json_is_array(value), value, pointer, "an array of strings"))
        return;
    if (count == 0) {
        faults_add(d->faults, pointer, "too-short", "must name a program");
        return;
    }
    if (count > JOB_ARGS_MAX) {
        faults_add(d->faults, pointer, "too-long", "must have at most %d items", JOB_ARGS_MAX);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);

        decode_argument(d, item, i, pointer);
        total_bytes += json_string_length(item) + 1;
    }
    if (total_bytes > JOB_ARGS_MAX_BYTES)
        faults_add(d->faults, pointer, "too-long",
                   "must have at most %d bytes altogether; send large inputs as stdin",
                   JOB_ARGS_MAX_BYTES);
}

/* Any JSON will do for args; whether it fills the function's placeholders is checked later. */
static void decode_args(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    (void)d;
    (void)value;
    (void)pointer;
}

void job_spec_base64_decode(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    AUTO_FINI(buf) struct buf bytes = { 0 };

    if (!job_spec_want(d, json_is_string(value), value, pointer, "a string"))
        return;
    if (!base64_decode(json_string_value(value), json_string_length(value), &bytes))
        faults_add(d->faults, pointer, "invalid-base64",
                   "must be base64 as in RFC 4648 section 4: padded with =, without line "
                   "breaks, not the URL-safe alphabet");
}

static void decode_stdin(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    const char *name;
    json_t *member;

    if (json_is_string(value))
        return;
    if (!job_spec_want(d, json_is_object(value), value, pointer,
                       "a string or {\"base64\": \"...\"}"))
        return;
    if (!json_object_get(value, "base64"))
        faults_add(d->faults, pointer, "missing", "must have the member base64");
    json_object_foreach (json_iterable(value), name, member) {
        AUTO(mem) char *at = faults_pointer(pointer, name);

        if (text_equal(name, "base64"))
            job_spec_base64_decode(d, member, at);
        else if (!d->rules->lenient)
            faults_add(d->faults, at, "unknown-field", "there is no such field");
    }
}

/* ---- notes ------------------------------------------------------------------------- */

static void decode_label(struct job_spec_draft *d, const char *name, const json_t *value,
                         const char *pointer)
{
    size_t name_len = characters(name);

    if (name_len == 0 || name_len > JOB_LABEL_NAME_MAX)
        faults_add(d->faults, pointer, "invalid-name",
                   "the name must have from 1 to %d characters", JOB_LABEL_NAME_MAX);
    if (!job_spec_want(d, json_is_string(value), value, pointer, "a string"))
        return;
    if (characters(json_string_value(value)) > JOB_LABEL_VALUE_MAX)
        faults_add(d->faults, pointer, "too-long", "must have at most %d characters",
                   JOB_LABEL_VALUE_MAX);
}

static void decode_labels(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    const char *name;
    json_t *label;

    if (!job_spec_want(d, json_is_object(value), value, pointer, "an object"))
        return;
    if (json_object_size(value) > JOB_LABELS_MAX) {
        faults_add(d->faults, pointer, "too-long", "must have at most %d members",
                   JOB_LABELS_MAX);
        return;
    }
    json_object_foreach (json_iterable(value), name, label) {
        AUTO(mem) char *at = faults_pointer(pointer, name);

        decode_label(d, name, label, at);
    }
}

static void decode_name(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    const char *name = json_string_value(value);
    size_t len;

    if (!job_spec_want(d, name != NULL, value, pointer, "a string"))
        return;
    len = characters(name);
    if (len == 0)
        faults_add(d->faults, pointer, "too-short", "must have from 1 to %d characters",
                   JOB_NAME_MAX);
    else if (len > JOB_NAME_MAX)
        faults_add(d->faults, pointer, "too-long", "must have from 1 to %d characters",
                   JOB_NAME_MAX);
    else
        d->spec->name = mem_str(name);
}

/* ---- when and how to run it -------------------------------------------------------- */

static void decode_queue(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    const char *name = json_string_value(value);

    if (!job_spec_want(d, name != NULL, value, pointer, "a string"))
        return;
    if (text_is_token(name, JOB_QUEUE_MAX))
        d->spec->queue = mem_str(name);
    else
        faults_add(d->faults, pointer, "invalid-name",
                   "must have from 1 to %d characters out of A-Z a-z 0-9 . _ -", JOB_QUEUE_MAX);
}

static void decode_priority(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    double number = json_number_value(value); /* exact where it matters */

    if (!job_spec_want(d, json_is_number(value), value, pointer, "an integer"))
        return;
    if (number < JOB_PRIORITY_MIN || number > JOB_PRIORITY_MAX)
        faults_add(d->faults, pointer, "out-of-range", "must be from %d to %d",
                   JOB_PRIORITY_MIN, JOB_PRIORITY_MAX);
    else if (number != (double)(int)number) /* but 5.0 is an integer in JSON */
        faults_add(d->faults, pointer, "wrong-type", "must be an integer");
    else
        d->spec->priority = (int)number;
}

void job_spec_seconds_decode(struct job_spec_draft *d, const json_t *value, const char *pointer,
                             bool zero, int max_seconds, usec_t *ret_us)
{
    usec_t us;

    if (!job_spec_want(d, json_is_number(value), value, pointer, "a number"))
        return;
    if (clock_seconds_to_us(json_number_value(value), max_seconds, &us) && (zero || us > 0))
        *ret_us = us;
    else
        faults_add(d->faults, pointer, "out-of-range",
                   zero ? "must be from 0 to %d" : "must be more than 0 and at most %d",
                   max_seconds);
}

static void decode_delay(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    job_spec_seconds_decode(d, value, pointer, true, JOB_DELAY_MAX_SECONDS, &d->spec->delay_us);
}

static void decode_run_at(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    const char *text = json_string_value(value);

    if (!job_spec_want(d, text != NULL, value, pointer, "a string"))
        return;
    if (!clock_parse(text, &d->spec->run_at_us))
        faults_add(d->faults, pointer, "invalid-time",
                   "must be a time as in RFC 3339, such as 2026-11-23T09:12:33Z");
}

static void decode_timeout(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    job_spec_seconds_decode(d, value, pointer, false, JOB_TIMEOUT_MAX_SECONDS,
                            &d->spec->timeout_us);
}

static void decode_grace(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    job_spec_seconds_decode(d, value, pointer, true, JOB_GRACE_MAX_SECONDS, &d->spec->grace_us);
}

static void decode_ttl(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    job_spec_seconds_decode(d, value, pointer, false, JOB_TTL_MAX_SECONDS, &d->spec->ttl_us);
}

/* ---- the table --------------------------------------------------------------------- */

/* clang-format off */
#define MEMBER(n, d) { .name = (n), .pointer = "#/" n, .decode = (d) }

static const struct member {
    const char *name;
    const char *pointer;
    void (*decode)(struct job_spec_draft *d, const json_t *value, const char *pointer);
} members[SPEC_MEMBER_MAX_] = {
    [SPEC_FUNCTION] = MEMBER("function",             decode_function),
    [SPEC_COMMAND]  = MEMBER("command",              decode_command),
    [SPEC_ARGS]     = MEMBER("args",                 decode_args),
    [SPEC_STDIN]    = MEMBER("stdin",                decode_stdin),
    [SPEC_ENV]      = MEMBER("env",                  job_spec_env_decode),
    [SPEC_LABELS]   = MEMBER("labels",               decode_labels),
    [SPEC_NAME]     = MEMBER("name",                 decode_name),
    [SPEC_QUEUE]    = MEMBER("queue",                decode_queue),
    [SPEC_PRIORITY] = MEMBER("priority",             decode_priority),
    [SPEC_DELAY]    = MEMBER("delay_seconds",        decode_delay),
    [SPEC_RUN_AT]   = MEMBER("run_at",               decode_run_at),
    [SPEC_TIMEOUT]  = MEMBER("timeout_seconds",      decode_timeout),
    [SPEC_GRACE]    = MEMBER("grace_period_seconds", decode_grace),
    [SPEC_LIMITS]   = MEMBER("limits",               job_spec_limits_decode),
    [SPEC_LEFTOVER] = MEMBER("leftover",             job_spec_leftover_decode),
    [SPEC_RETRY]    = MEMBER("retry",                job_spec_retry_decode),
    [SPEC_INPUTS]   = MEMBER("inputs",               job_spec_inputs_decode),
    [SPEC_TTL]      = MEMBER("ttl_seconds_after_finished", decode_ttl),
    [SPEC_UNIQUE]   = MEMBER("unique",               job_spec_unique_decode),
};
/* clang-format on */

const char *job_spec_member_name(enum job_spec_member member)
{
    return members[member].name;
}

static int find_member(const char *name)
{
    for (int i = 0; i < SPEC_MEMBER_MAX_; i++)
        if (text_equal(members[i].name, name))
            return i;
    return -1;
}

void job_spec_unknown(struct job_spec_draft *d, const char *pointer, const char *name,
                      const char *const *table, size_t count)
{
    struct suggestion s = { .word = name };
    AUTO(mem) char *at = NULL;

    if (d->rules->lenient)
        return;
    if (d->faults->count >= FAULTS_MAX) { /* only counted: spare the work */
        d->faults->total++;
        return;
    }
    for (size_t i = 0; i < count; i++)
        suggest_consider(&s, table[i]);
    at = faults_pointer(pointer, name);
    if (s.nearest)
        faults_add(d->faults, at, "unknown-field", "there is no such field; did you mean %s?",
                   s.nearest);
    else
        faults_add(d->faults, at, "unknown-field", "there is no such field");
}

static void unknown_member(struct job_spec_draft *d, const char *name)
{
    const char *names[SPEC_MEMBER_MAX_];

    for (int i = 0; i < SPEC_MEMBER_MAX_; i++)
        names[i] = members[i].name;
    job_spec_unknown(d, "#", name, names, SPEC_MEMBER_MAX_);
}

void job_spec_members_decode(struct job_spec_draft *d, const json_t *body)
{
    const char *name;
    json_t *value;

    json_object_foreach (json_iterable(body), name, value) {
        int i = find_member(name);

        if (i >= 0) {
            d->sent[i] = value;
            members[i].decode(d, value, members[i].pointer);
        } else {
            unknown_member(d, name);
        }
    }
}
