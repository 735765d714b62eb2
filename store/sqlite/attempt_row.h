/* store/sqlite/attempt_row.h - from rows to struct outcome.
 *
 * Internal to store/sqlite/; see job_row.h.
 */
#ifndef JOBD_STORE_SQLITE_ATTEMPT_ROW_H
#define JOBD_STORE_SQLITE_ATTEMPT_ROW_H

#include "base/err.h"
#include "domain/outcome.h"
#include "store/sqlite/stmt.h"

/* The columns that attempt_row_read() wants, from 0 on. */
#define ATTEMPT_COLUMNS                                                                        \
    "number, cause, exit_code, signal, pid, started_at_us, finished_at_us, user_cpu_us,"       \
    " system_cpu_us, max_rss_bytes, leftovers_killed, stdout_total_bytes, stdout_kept_bytes,"  \
    " stdout_head_bytes, stdout_spilled, stderr_total_bytes, stderr_kept_bytes,"               \
    " stderr_head_bytes, stderr_spilled, result_kind, result_bytes, message, result,"          \
    " voluntary_switches, involuntary_switches, containment, limits_enforced,"                 \
    " limits_by_cgroup, limits_exceeded, spawn_errno, spawn_stage, worker_id, worker_pid"

enum attempt_column {
    ATT_NUMBER,
    ATT_CAUSE,
    ATT_EXIT_CODE,
    ATT_SIGNAL,
    ATT_PID,
    ATT_STARTED_AT,
    ATT_FINISHED_AT,
    ATT_USER_CPU,
    ATT_SYSTEM_CPU,
    ATT_MAX_RSS,
    ATT_LEFTOVERS_KILLED,
    ATT_STDOUT, /* four columns: capture_row_read() */
    ATT_STDERR = ATT_STDOUT + 4,
    ATT_RESULT_KIND = ATT_STDERR + 4,
    ATT_RESULT_BYTES,
    ATT_MESSAGE,
    ATT_RESULT,
    ATT_VOLUNTARY,
    ATT_INVOLUNTARY,
    ATT_CONTAINMENT,
    ATT_ENFORCED,
    ATT_BY_CGROUP,
    ATT_EXCEEDED,
    ATT_SPAWN_ERRNO,
    ATT_SPAWN_STAGE,
    ATT_WORKER_ID,
    ATT_WORKER_PID,
};

/* total, kept, head, spilled, from `column` on; not the data. */
void capture_row_read(struct stmt *s, int column, struct capture *c);

/* Fill a zeroed outcome from the row under s, all but its job_id, its output and the text of
 * its result. On failure it is only to be ended. */
int attempt_row_read(struct stmt *s, struct outcome *o, struct errinfo *e);

#endif
