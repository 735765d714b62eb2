#include "store/sqlite/attempt_row.h"

void capture_row_read(struct stmt *s, int column, struct capture *c)
{
    c->total_bytes = stmt_col_i64(s, column);
    c->kept_bytes = stmt_col_i64(s, column + 1);
    c->head_bytes = stmt_col_i64(s, column + 2);
    c->spilled = stmt_col_int(s, column + 3) != 0;
}

static int read_enums(struct stmt *s, struct outcome *o, struct errinfo *e)
{
    const char *slug = stmt_col_text(s, ATT_CAUSE);
    int cause = slug ? cause_parse(slug) : -1;
    int kind = stmt_col_int(s, ATT_RESULT_KIND);
    int containment = stmt_col_int(s, ATT_CONTAINMENT);

    if (cause < 0 || kind < 0 || kind >= RESULT_KIND_MAX_ || containment < 0 ||
        containment >= CONTAINMENT_MAX_)
        return err_set(e, ERR_DATABASE,
                       "an attempt has the cause '%s', a result of kind %d and containment %d",
                       slug ? slug : "NULL", kind, containment);
    o->cause = (enum cause)cause;
    o->result_kind = (enum result_kind)kind;
    o->containment = (enum containment)containment;
    return 0;
}

static void read_cost(struct stmt *s, struct outcome *o)
{
    o->user_cpu_us = stmt_col_i64(s, ATT_USER_CPU);
    o->system_cpu_us = stmt_col_i64(s, ATT_SYSTEM_CPU);
    o->max_rss_bytes = stmt_col_i64(s, ATT_MAX_RSS);
    o->voluntary_switches = stmt_col_i64(s, ATT_VOLUNTARY);
    o->involuntary_switches = stmt_col_i64(s, ATT_INVOLUNTARY);
    o->leftovers_killed = stmt_col_int(s, ATT_LEFTOVERS_KILLED);
    o->limits_enforced = (unsigned)stmt_col_i64(s, ATT_ENFORCED);
    o->limits_by_cgroup = (unsigned)stmt_col_i64(s, ATT_BY_CGROUP);
    o->limits_exceeded = (unsigned)stmt_col_i64(s, ATT_EXCEEDED);
}

int attempt_row_read(struct stmt *s, struct outcome *o, struct errinfo *e)
{
    int r;

    r = read_enums(s, o, e);
    if (r < 0)
        return r;
    o->attempt = stmt_col_int(s, ATT_NUMBER);
    o->exit_code = stmt_col_int(s, ATT_EXIT_CODE);
    o->signal = stmt_col_int(s, ATT_SIGNAL);
    o->pid = stmt_col_int(s, ATT_PID);
    o->started_at_us = stmt_col_i64(s, ATT_STARTED_AT);
    o->finished_at_us = stmt_col_i64(s, ATT_FINISHED_AT);
    read_cost(s, o);
    capture_row_read(s, ATT_STDOUT, &o->captures[STREAM_STDOUT]);
    capture_row_read(s, ATT_STDERR, &o->captures[STREAM_STDERR]);
    o->result_len = (size_t)stmt_col_i64(s, ATT_RESULT_BYTES);
    o->message = stmt_col_copy(s, ATT_MESSAGE, NULL);
    o->spawn_errno = stmt_col_int(s, ATT_SPAWN_ERRNO);
    o->spawn_stage = stmt_col_copy(s, ATT_SPAWN_STAGE, NULL);
    return 0;
}
