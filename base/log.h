/* base/log.h - JSON lines on stderr: an event name and typed fields, one write(2) a line.
 *
 *     log_warn("job.retry", LSTR("job_id", id), LI64("attempt", attempt));
 *     {"ts":"2026-11-23T09:12:33.120455Z","level":"warn","event":"job.retry","pid":7,"job_id":"..."}
 *
 * Levels: error = someone must act; warn = we went on; info = a state changed; debug =
 * anything. Never a secret, a body or an environment. Any thread; a line is never torn and
 * never longer than LOG_LINE_MAX: a string longer than LOG_VALUE_MAX is cut and ends in "...",
 * fields that do not fit are left out, and either adds "truncated":true. Bytes that are not
 * UTF-8 are written as \ufffd. Allocates nothing, so the supervisor may use it; keeps errno; a
 * line that cannot be written is lost.
 */
#ifndef JOBD_BASE_LOG_H
#define JOBD_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX  4096 /* PIPE_BUF: a pipe takes such a line whole */
#define LOG_VALUE_MAX 1024 /* bytes of one string, escaped */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_LEVEL_MAX_ };

enum log_kind { LOG_KIND_STR = 1, LOG_KIND_I64, LOG_KIND_BOOL, LOG_KIND_F64 };

struct log_field {
    const char *name;
    enum log_kind kind;
    union {
        const char *str; /* NULL is written as null */
        int64_t i64;
        double f64;
    } value;
};

/* clang-format off */
#define LOG_FIELD_(n, k, member, v) \
    ((struct log_field){ .name = (n), .kind = LOG_KIND_##k, .value.member = (v) })
#define LSTR(n, v) LOG_FIELD_(n, STR, str, v)
#define LI64(n, v) LOG_FIELD_(n, I64, i64, (int64_t)(v))
#define LBOOL(n, v) LOG_FIELD_(n, BOOL, i64, (v) ? 1 : 0)
#define LF64(n, v) LOG_FIELD_(n, F64, f64, v)
/* The event travels inside "...", so that a line without fields is valid C17 too. */
#define LOG_END_ { .name = NULL }
#define LOG_EVENT_(event, ...) (event)
#define LOG_FIELDS_(event, ...) ((const struct log_field[]){ __VA_ARGS__ })
#define LOG_CALL_(level, ...)                                \
    log_write((level), LOG_EVENT_(__VA_ARGS__, LOG_END_),    \
              LOG_FIELDS_(__VA_ARGS__, LOG_END_))

/* log_xxx(event, fields...) */
#define log_error(...) LOG_CALL_(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_CALL_(LOG_WARN, __VA_ARGS__)
#define log_info(...) LOG_CALL_(LOG_INFO, __VA_ARGS__)
#define log_debug(...) LOG_CALL_(LOG_DEBUG, __VA_ARGS__)
/* clang-format on */

/* Lines below this level are dropped; LOG_INFO at first. Call before starting threads. */
void log_set_level(enum log_level level);
/* Where lines go; 2 at first. For tests. */
void log_set_fd(int fd);
/* Whether lines of this level are written: for what costs something to find out. */
bool log_wants(enum log_level level);
/* "debug" "info" "warn" "error" to the level; -1 for anything else. */
int log_level_parse(const char *text);
/* fields end with a NULL name; use the macros. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

#endif
