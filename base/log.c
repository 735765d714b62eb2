#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/text.h"

static const char *const level_names[LOG_LEVEL_MAX_] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARN] = "warn",
    [LOG_ERROR] = "error",
};

/* Both are set before the first thread starts and only read afterwards. */
static enum log_level min_level = LOG_INFO;
static int out_fd = STDERR_FILENO;

/* Room for the end is never given to a field, so that every line can be closed. */
#define CUT_MARK "..."
static const char end_cut[] = ",\"truncated\":true}\n";
static const char end_whole[] = "}\n";
#define FIELDS_ROOM (LOG_LINE_MAX - (sizeof end_cut - 1))

struct line {
    char text[LOG_LINE_MAX];
    size_t len;
    bool cut; /* something did not fit */
};

/* All of it or nothing. */
static bool put(struct line *l, const char *block, size_t len)
{
    if (len > FIELDS_ROOM - l->len)
        return false;
    memcpy(l->text + l->len, block, len);
    l->len += len;
    return true;
}

static bool put_str(struct line *l, const char *text)
{
    return put(l, text, strlen(text));
}

#define ESCAPE_SIZE 8 /* "\u001f" and its NUL */

/* Escape the first character of text; returns how many bytes of text that was. */
static size_t escape_char(const char *text, size_t text_len, char piece[ESCAPE_SIZE],
                          size_t *ret_piece_len)
{
    static const char special[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    unsigned char c = (unsigned char)text[0];
    const char *at = strchr(special, c);
    size_t len = text_utf8_len(text, text_len);

    if (len == 0) {
        *ret_piece_len = (size_t)snprintf(piece, ESCAPE_SIZE, "\\ufffd");
        return 1;
    }
    if (at) {
        piece[0] = '\\';
        piece[1] = letters[at - special];
        *ret_piece_len = 2;
    } else if (c < 0x20) {
        *ret_piece_len = (size_t)snprintf(piece, ESCAPE_SIZE, "\\u%04x", c);
    } else {
        memcpy(piece, text, len);
        *ret_piece_len = len;
    }
    return len;
}

/* A JSON string, cut to what fits; false when not even its quotes and the mark do. */
static bool put_quoted(struct line *l, const char *text)
{
    const size_t close_len = sizeof CUT_MARK "\"" - 1;
    size_t text_len = strnlen(text, LOG_VALUE_MAX + 4); /* a character is at most 4 bytes */
    size_t limit = l->len + 1 + LOG_VALUE_MAX;
    size_t at = 0;

    if (limit > FIELDS_ROOM - close_len)
        limit = FIELDS_ROOM - close_len;
    if (l->len + 1 > limit || !put_str(l, "\""))
        return false;
    while (at < text_len) {
        char piece[ESCAPE_SIZE];
        size_t piece_len;
        size_t used = escape_char(text + at, text_len - at, piece, &piece_len);

        if (l->len + piece_len > limit) {
            l->cut = true;
            return put_str(l, CUT_MARK "\"");
        }
        (void)put(l, piece, piece_len); /* fits: limit is below the room */
        at += used;
    }
    return put_str(l, "\"");
}

static bool put_i64(struct line *l, int64_t number)
{
    char digits[24];

    (void)snprintf(digits, sizeof digits, "%" PRId64, number); /* always fits */
    return put_str(l, digits);
}

static bool put_f64(struct line *l, double number)
{
    char digits[32];

    if (!isfinite(number))
        return put_str(l, "null");                          /* JSON has no word for it */
    (void)snprintf(digits, sizeof digits, "%.15g", number); /* always fits */
    return put_str(l, digits);
}

static bool put_value(struct line *l, const struct log_field *f)
{
    switch (f->kind) {
    case LOG_KIND_STR:
        return f->value.str ? put_quoted(l, f->value.str) : put_str(l, "null");
    case LOG_KIND_I64:
        return put_i64(l, f->value.i64);
    case LOG_KIND_BOOL:
        return put_str(l, f->value.i64 ? "true" : "false");
    case LOG_KIND_F64:
        return put_f64(l, f->value.f64);
    }
    return put_str(l, "null");
}

/* A field that does not fit leaves no trace but the mark at the end. */
static void put_field(struct line *l, const struct log_field *f)
{
    size_t before = l->len;

    if (put_str(l, before == 0 ? "{" : ",") && put_quoted(l, f->name) && put_str(l, ":") &&
        put_value(l, f))
        return;
    l->len = before;
    l->cut = true;
}

static void put_end(struct line *l)
{
    const char *end = l->cut ? end_cut : end_whole;
    size_t len = strlen(end);

    memcpy(l->text + l->len, end, len); /* FIELDS_ROOM kept this much free */
    l->len += len;
}

static void write_line(const struct line *l)
{
    ssize_t n;

    do
        n = write(out_fd, l->text, l->len);
    while (n < 0 && errno == EINTR);
    /* A log that cannot be written has nobody to tell. */
}

void log_set_level(enum log_level level)
{
    min_level = level;
}

bool log_wants(enum log_level level)
{
    return level >= min_level;
}

void log_set_fd(int fd)
{
    out_fd = fd;
}

int log_level_parse(const char *text)
{
    for (int level = 0; level < LOG_LEVEL_MAX_; level++)
        if (text_equal(level_names[level], text))
            return level;
    return -1;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    int saved_errno = errno;
    char ts[CLOCK_TEXT_SIZE];
    struct line l;

    if (level < min_level)
        return;
    l.len = 0;
    l.cut = false;
    {
        const struct log_field head[] = {
            LSTR("ts", clock_format_us(clock_wall_us(), ts)),
            LSTR("level", level_names[level]),
            LSTR("event", event),
            LI64("pid", getpid()),
        };

        for (size_t i = 0; i < COUNT_OF(head); i++)
            put_field(&l, &head[i]);
    }
    for (const struct log_field *f = fields; f->name; f++)
        put_field(&l, f);
    put_end(&l);
    write_line(&l);
    errno = saved_errno;
}
