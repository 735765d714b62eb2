#include "domain/outcome_json.h"

#include <string.h>

#include "base/mem.h"

/* Takes value. The names here are constant and need no check. */
static void set(json_t *object, const char *name, json_t *value)
{
    if (value)
        (void)json_object_set_new_nocheck(object, name, value);
}

static void set_integer(json_t *object, const char *name, int64_t number)
{
    set(object, name, json_integer(number));
}

json_t *json_seconds(usec_t us)
{
    if (us % USEC_PER_SEC == 0)
        return json_integer(us / USEC_PER_SEC);
    return json_real((double)us / (double)USEC_PER_SEC);
}

void json_set_time(json_t *object, const char *name, usec_t wall_us)
{
    char text[CLOCK_TEXT_SIZE];

    if (wall_us != 0)
        set(object, name, json_string_nocheck(clock_format(wall_us, text)));
}

json_t *outcome_encode_limits(unsigned names)
{
    json_t *array = json_array();

    for (int i = 0; i < LIMIT_MAX_; i++)
        if (names >> i & 1)
            (void)json_array_append_new(array, json_string(limit_meta((enum limit)i)->name));
    return array;
}

void outcome_set_exit(json_t *object, const struct outcome *o)
{
    if (o->exit_code >= 0)
        set_integer(object, "exit_code", o->exit_code);
    if (o->signal > 0)
        set_integer(object, "signal", o->signal);
}

/* The worker's own words, if they are text at all, else what the cause says. */
static json_t *failure_message(const struct outcome *o)
{
    json_t *message = o->message ? json_string(o->message) : NULL;

    if (message)
        return message;
    if (o->cause == CAUSE_EXIT_CODE && o->exit_code >= 0)
        return json_sprintf("the program exited with code %d", o->exit_code);
    if (o->cause == CAUSE_SIGNAL && o->signal > 0)
        return json_sprintf("the program was killed by signal %d", o->signal);
    return json_string(cause_meta(o->cause)->message);
}

/* What failed before there was a program: {"stage": "execve", "error": "ENOENT"}. */
static json_t *encode_spawn(const struct outcome *o)
{
    const char *name = o->spawn_errno > 0 ? strerrorname_np(o->spawn_errno) : NULL;
    json_t *spawn = json_object();

    if (o->spawn_stage)
        set(spawn, "stage", json_string(o->spawn_stage));
    if (name)
        set(spawn, "error", json_string(name));
    return spawn;
}

json_t *outcome_encode_failure(const struct outcome *o)
{
    const struct cause_meta *meta = cause_meta(o->cause);
    json_t *failure = json_object();

    set(failure, "reason", json_string(meta->slug));
    set(failure, "kind", json_string(meta->kind));
    set(failure, "message", failure_message(o));
    outcome_set_exit(failure, o);
    if (o->spawn_stage || o->spawn_errno > 0)
        set(failure, "spawn", encode_spawn(o));
    if (o->limits_exceeded)
        set(failure, "limits", outcome_encode_limits(o->limits_exceeded));
    set_integer(failure, "attempt", o->attempt);
    return failure;
}

json_t *outcome_encode_logs(const struct outcome *o)
{
    const struct capture *out = &o->captures[STREAM_STDOUT];
    const struct capture *err = &o->captures[STREAM_STDERR];
    json_t *logs = json_object();

    set_integer(logs, "stdout_bytes", out->kept_bytes);
    set_integer(logs, "stderr_bytes", err->kept_bytes);
    set_integer(logs, "stdout_total_bytes", out->total_bytes);
    set_integer(logs, "stderr_total_bytes", err->total_bytes);
    set(logs, "truncated",
        json_boolean(out->total_bytes > out->kept_bytes || err->total_bytes > err->kept_bytes));
    return logs;
}

json_t *outcome_encode_usage(const struct outcome *o)
{
    json_t *usage = json_object();
    usec_t wall_us = o->finished_at_us - o->started_at_us;

    set(usage, "wall_seconds",
        json_seconds(wall_us > 0 ? wall_us : 0)); /* the clock may be set back */
    set(usage, "user_cpu_seconds", json_seconds(o->user_cpu_us));
    set(usage, "system_cpu_seconds", json_seconds(o->system_cpu_us));
    set_integer(usage, "max_rss_bytes", o->max_rss_bytes);
    set_integer(usage, "voluntary_switches", o->voluntary_switches);
    set_integer(usage, "involuntary_switches", o->involuntary_switches);
    set_integer(usage, "leftovers_killed", o->leftovers_killed);
    return usage;
}
