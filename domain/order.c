#include "domain/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "domain/array_args.h"
#include "domain/json_text.h"
#include "domain/trace.h"

#define OWN_VARIABLES 13 /* that jobd sets, at most */

/* ---- a command --------------------------------------------------------------------- */

/* One argument; *total_bytes counts up all of them. */
static int expand(const char *text, const json_t *args, size_t *total_bytes, char **ret_arg,
                  struct errinfo *e)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    int r;

    r = function_expand(text, args, &b, e);
    if (r < 0)
        return r;
    *total_bytes += b.len + 1;
    if (*total_bytes > JOB_ARGS_MAX_BYTES)
        return err_set(e, ERR_VALIDATION, "the filled arguments have more than %d bytes",
                       JOB_ARGS_MAX_BYTES);
    *ret_arg = buf_steal(&b);
    return 0;
}

static int fill_argv(const struct function *fn, const json_t *args, struct order *o,
                     struct errinfo *e)
{
    size_t total_bytes = 0;
    int r;

    o->argv = mem_array0(fn->argc + 1, sizeof *o->argv);
    for (size_t i = 0; i < fn->argc; i++) {
        r = expand(fn->argv[i], args, &total_bytes, &o->argv[i], e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* What a client writes in a command is meant as it is: braces are no placeholders there. */
static int copy_argv(const json_t *command, struct order *o, struct errinfo *e)
{
    size_t count = json_array_size(command);

    if (count == 0)
        return err_set(e, ERR_VALIDATION, "the job has neither a function nor a command");
    o->argv = mem_array0(count + 1, sizeof *o->argv);
    for (size_t i = 0; i < count; i++) {
        const char *arg = json_string_value(json_array_get(command, i));

        if (!arg)
            return err_set(e, ERR_VALIDATION, "command has an item that is not a string");
        o->argv[i] = mem_str(arg);
    }
    return 0;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

/* As OpenTelemetry names them. What the client sets itself is meant. Returns the next free
 * slot.
 */
static char **add_trace(const struct job *job, const json_t *payload, char **next)
{
    const json_t *env = json_object_get(payload, "env");
    char parent[TRACE_PARENT_SIZE];
    const char *state;

    trace_of_job(payload, job->id, parent, &state);
    if (json_object_get(env, "TRACEPARENT"))
        return next;
    if (parent[0])
        *next++ = mem_printf("TRACEPARENT=%s", parent);
    if (state)
        *next++ = mem_printf("TRACESTATE=%s", state);
    return next;
}

/* Of a callback: what its batch has come to. Returns the next free slot. */
static char **add_callback(const json_t *callback, char **next)
{
    const json_t *counts = json_object_get(callback, "counts");
    static const struct {
        const char *name;
        const char *count;
    } variables[] = { { "JOBD_BATCH_SUCCEEDED", "succeeded" },
                      { "JOBD_BATCH_FAILED", "failed" },
                      { "JOBD_BATCH_CANCELED", "canceled" } };

    if (!callback)
        return next;
    *next++ = mem_printf("JOBD_BATCH_ID=%s", text_of(callback, "batch_id"));
    *next++ = mem_printf("JOBD_BATCH_EVENT=%s", text_of(callback, "event"));
    *next++ = mem_printf("JOBD_BATCH_STATE=%s", text_of(callback, "state"));
    *next++ = mem_printf("JOBD_BATCH_TOTAL=%lld",
                         (long long)json_integer_value(json_object_get(callback, "total")));
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        *next++ = mem_printf(
            "%s=%lld", variables[i].name,
            (long long)json_integer_value(json_object_get(counts, variables[i].count)));
    return next;
}

/* The same for a member. */
static char **add_batch(const struct job *job, const json_t *payload, char **next)
{
    char id[UUID7_TEXT_SIZE];

    if (uuid7_is_set(job->batch))
        *next++ = mem_printf("JOBD_BATCH_ID=%s", uuid7_format(job->batch, id));
    if (job->array_place > 0)
        *next++ = mem_printf("JOBD_ARRAY_INDEX=%lld", (long long)job->array_place - 1);
    return add_callback(json_object_get(payload, "callback"), next);
}

static int fill_env(const struct job *job, const json_t *payload, struct order *o,
                    struct errinfo *e)
{
    json_t *env = json_object_get(payload, "env");
    char id[UUID7_TEXT_SIZE];
    char **next;
    const char *name;
    json_t *value;

    o->env = mem_array0(OWN_VARIABLES + json_object_size(env) + 1, sizeof *o->env);
    next = o->env;
    *next++ = mem_printf("JOBD_JOB_ID=%s", uuid7_format(job->id, id));
    *next++ = mem_printf("JOBD_ATTEMPT=%d", job->attempt);
    if (job->function)
        *next++ = mem_printf("JOBD_FUNCTION=%s", job->function);
    *next++ = mem_str("JOBD_FD=3");
    next = add_trace(job, payload, next);
    next = add_batch(job, payload, next);
    json_object_foreach (env, name, value) {
        if (!json_is_string(value))
            return err_set(e, ERR_VALIDATION, "env has a member that is not a string");
        *next++ = mem_printf("%s=%s", name, json_string_value(value));
    }
    return 0;
}

/* The job's stdin, else its args as a line of JSON, else nothing. */
static int fill_stdin(const json_t *payload, struct order *o, struct errinfo *e)
{
    const json_t *text = json_object_get(payload, "stdin");
    const json_t *base64 = json_object_get(text, "base64");
    const json_t *args = json_object_get(payload, "args");
    AUTO_FINI(buf) struct buf b = { 0 };

    if (json_is_string(base64)) {
        if (!base64_decode(json_string_value(base64), json_string_length(base64), &b))
            return err_set(e, ERR_VALIDATION, "stdin is not base64");
    } else if (json_is_string(text)) {
        buf_add(&b, json_string_value(text), json_string_length(text));
    } else if (args) {
        json_text_add(&b, args);
        buf_add_char(&b, '\n');
    }
    o->input_len = b.len;
    o->input = buf_steal(&b);
    return 0;
}

static int build_command(const struct job *job, const struct function *fn,
                         const json_t *payload, struct order *o, struct errinfo *e)
{
    const json_t *args = json_object_get(payload, "args");
    AUTO(json)
    json_t *in_array =
        fn && job->array_place > 0 ? array_args(fn, args, job->array_place - 1) : NULL;
    int r;

    r = fn ? fill_argv(fn, in_array ? in_array : args, o, e)
           : copy_argv(json_object_get(payload, "command"), o, e);
    if (r < 0)
        return r;
    r = fill_env(job, payload, o, e);
    if (r < 0)
        return r;
    r = fill_stdin(payload, o, e);
    if (r < 0)
        return r;
    return inputs_decode(json_object_get(payload, "inputs"), &o->inputs, e);
}

/* ---- a warm program ---------------------------------------------------------------- */

/* ,"batch_id":"...","array_index":3 of a member; ,"callback":{...} of a callback. */
static void add_batch_members(const struct job *job, const json_t *payload, struct buf *b)
{
    const json_t *callback = json_object_get(payload, "callback");
    char id[UUID7_TEXT_SIZE];

    if (uuid7_is_set(job->batch))
        buf_printf(b, ",\"batch_id\":\"%s\"", uuid7_format(job->batch, id));
    if (job->array_place > 0)
        buf_printf(b, ",\"array_index\":%lld", (long long)job->array_place - 1);
    if (callback) {
        buf_add_str(b, ",\"callback\":");
        json_text_add(b, callback);
    }
}

/* {"id":"...","attempt":1,"args":...} and a line feed; args is null when there are none, and a
 * traced job has traceparent and perhaps tracestate. */
static void build_line(const struct job *job, const json_t *payload, struct order *o)
{
    const json_t *args = json_object_get(payload, "args");
    char id[UUID7_TEXT_SIZE], parent[TRACE_PARENT_SIZE];
    const char *state;
    AUTO_FINI(buf) struct buf b = { 0 };

    o->argv = mem_array0(1, sizeof *o->argv);
    o->env = mem_array0(1, sizeof *o->env);
    buf_printf(&b, "{\"id\":\"%s\",\"attempt\":%d,\"args\":", uuid7_format(job->id, id),
               job->attempt);
    if (args)
        json_text_add(&b, args);
    else
        buf_add_str(&b, "null");
    trace_of_job(payload, job->id, parent, &state);
    if (parent[0])
        buf_printf(&b, ",\"traceparent\":\"%s\"", parent);
    if (state) {
        AUTO(json) json_t *text = json_string(state);

        buf_add_str(&b, ",\"tracestate\":");
        json_text_add(&b, text);
    }
    add_batch_members(job, payload, &b);
    buf_add_str(&b, "}\n");
    o->input_len = b.len;
    o->input = buf_steal(&b);
}

/* ---- either ------------------------------------------------------------------------ */

/* The configuration may have changed since the job was submitted. */
static int check_function(const struct job *job, const struct function *fn, struct errinfo *e)
{
    if (job->function && !fn)
        return err_set(e, ERR_VALIDATION, "the function %s is not configured any more",
                       job->function);
    if (fn && !text_equal(function_pool(fn), job->pool))
        return err_set(e, ERR_VALIDATION,
                       "the function %s was changed between command and program", fn->name);
    return 0;
}

static void fill_limits(const json_t *payload, const struct limits *ceiling, struct order *o)
{
    struct limits own = limits_decode(json_object_get(payload, "limits"));
    const char *name = json_string_value(json_object_get(payload, "leftover"));
    int leftover = name ? leftover_parse(name) : -1;

    o->limits = limits_lower(&own, ceiling);
    o->leftover = leftover >= 0 ? (enum leftover)leftover : LEFTOVER_KILL;
}

int order_build(const struct job *job, const struct function *fn, const struct limits *ceiling,
                struct order *ret_order, struct errinfo *e)
{
    AUTO(json) json_t *payload = NULL;
    AUTO_FINI(order) struct order o = { 0 };
    int r;

    r = check_function(job, fn, e);
    if (r < 0)
        return r;
    if (json_text_parse(job->payload, job->payload_len, &payload, e) < 0)
        return err_set(e, ERR_VALIDATION, "the stored payload of the job is damaged");
    o.job_id = job->id;
    o.attempt = job->attempt;
    o.priority = job->priority;
    o.function = mem_str_or_null(job->function);
    o.timeout_us = job->timeout_us;
    o.grace_us = job->grace_us;
    fill_limits(payload, ceiling, &o);
    if (fn && fn->kind == FUNCTION_PROGRAM) {
        build_line(job, payload, &o);
    } else {
        o.result_from_stdout = fn && fn->result_from_stdout;
        r = build_command(job, fn, payload, &o, e);
        if (r < 0)
            return r;
    }
    *ret_order = o;
    o = (struct order){ 0 }; /* it is the caller's now */
    return 0;
}

static void free_list(char **list)
{
    for (char **item = list; item && *item; item++)
        free(*item);
    free(list);
}

void order_fini(struct order *o)
{
    free(o->function);
    free_list(o->argv);
    free_list(o->env);
    free(o->input);
    inputs_fini(&o->inputs);
    *o = (struct order){ 0 };
}
