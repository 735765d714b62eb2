#include "domain/outcome_json.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define MESSAGE_SIZE 64

void outcome_put_limits(struct json_put *w, const char *name, unsigned limits)
{
    json_put_begin_array(w, name);
    for (int i = 0; i < LIMIT_MAX_; i++)
        if (limits >> i & 1)
            json_put_text(w, NULL, limit_meta((enum limit)i)->name);
    json_put_end_array(w);
}

void outcome_put_exit(struct json_put *w, const struct outcome *o)
{
    if (o->exit_code >= 0)
        json_put_integer(w, "exit_code", o->exit_code);
    if (o->signal > 0)
        json_put_integer(w, "signal", o->signal);
}

/* The worker's own words, if they are text at all, else what the cause says. */
static const char *failure_message(const struct outcome *o, char room[MESSAGE_SIZE])
{
    if (o->message && text_is_utf8(o->message, strlen(o->message)))
        return o->message;
    if (o->cause == CAUSE_EXIT_CODE && o->exit_code >= 0)
        (void)snprintf(room, MESSAGE_SIZE, "the program exited with code %d", o->exit_code);
    else if (o->cause == CAUSE_SIGNAL && o->signal > 0)
        (void)snprintf(room, MESSAGE_SIZE, "the program was killed by signal %d", o->signal);
    else
        return cause_meta(o->cause)->message;
    return room;
}

/* What failed before there was a program: {"stage": "execve", "error": "ENOENT"}. */
static void put_spawn(struct json_put *w, const struct outcome *o)
{
    json_put_begin(w, "spawn");
    json_put_text(w, "stage", o->spawn_stage);
    if (o->spawn_errno > 0)
        json_put_text(w, "error", strerrorname_np(o->spawn_errno));
    json_put_end(w);
}

void outcome_put_failure(struct json_put *w, const struct outcome *o)
{
    const struct cause_meta *meta = cause_meta(o->cause);
    char room[MESSAGE_SIZE];

    json_put_begin(w, "failure");
    json_put_text(w, "reason", meta->slug);
    json_put_text(w, "kind", meta->kind);
    json_put_text(w, "message", failure_message(o, room));
    outcome_put_exit(w, o);
    if (o->spawn_stage || o->spawn_errno > 0)
        put_spawn(w, o);
    if (o->limits_exceeded)
        outcome_put_limits(w, "limits", o->limits_exceeded);
    json_put_integer(w, "attempt", o->attempt);
    json_put_end(w);
}

void outcome_put_logs(struct json_put *w, const struct outcome *o)
{
    const struct capture *out = &o->captures[STREAM_STDOUT];
    const struct capture *err = &o->captures[STREAM_STDERR];

    json_put_begin(w, "logs");
    json_put_integer(w, "stdout_bytes", out->kept_bytes);
    json_put_integer(w, "stderr_bytes", err->kept_bytes);
    json_put_integer(w, "stdout_total_bytes", out->total_bytes);
    json_put_integer(w, "stderr_total_bytes", err->total_bytes);
    json_put_bool(w, "truncated",
                  out->total_bytes > out->kept_bytes || err->total_bytes > err->kept_bytes);
    json_put_end(w);
}

void outcome_put_usage(struct json_put *w, const struct outcome *o)
{
    json_put_begin(w, "usage");
    json_put_seconds(w, "wall_seconds", /* 0 when the clock was set back */
                     o->finished_at_us - o->started_at_us);
    json_put_seconds(w, "user_cpu_seconds", o->user_cpu_us);
    json_put_seconds(w, "system_cpu_seconds", o->system_cpu_us);
    json_put_integer(w, "max_rss_bytes", o->max_rss_bytes);
    json_put_integer(w, "voluntary_switches", o->voluntary_switches);
    json_put_integer(w, "involuntary_switches", o->involuntary_switches);
    json_put_integer(w, "leftovers_killed", o->leftovers_killed);
    json_put_end(w);
}
