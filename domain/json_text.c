/* domain/json_text.c - reading is jansson's where the text is not plain (json_plain.h); the
 * limits that it cannot set are checked before.
 *
 * Writing is done here, because jansson 2.14 writes each real with 17 digits.
 */
#include "domain/json_text.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/json_plain.h"
#include "domain/json_run.h"

#define BOM            "\xEF\xBB\xBF"
#define INTEGER_DIGITS 20 /* and a sign */
#define REAL_TEXT_SIZE 32 /* sign, 17 digits, point, exponent, NUL */

/* ---- reading ----------------------------------------------------------------------- */

/* The closing quote of the string whose opening quote is at p, or end. */
static const char *string_end(const char *p, const char *end)
{
    const char *quote = p;

    while ((quote = memchr(quote + 1, '"', (size_t)(end - quote - 1)))) {
        const char *first = quote;

        while (first[-1] == '\\')
            first--;
        if ((quote - first) % 2 == 0)
            return quote;
    }
    return end;
}

/* The bracket that opens one level too many, or NULL. Text that is no JSON may give any answer:
 * the parser refuses it. */
static const char *too_deep(const char *text, const char *end)
{
    int depth = 0;

    for (const char *p = text; p < end; p++) {
        if (*p == '"') {
            p = string_end(p, end);
        } else if (*p == '[' || *p == '{') {
            if (++depth > JSON_DEPTH_MAX)
                return p;
        } else if (*p == ']' || *p == '}') {
            depth--;
        }
    }
    return NULL;
}

/* ERR_MALFORMED_JSON with the place of a byte, counted in lines and characters as jansson does.
 */
static int refuse_at(const char *text, const char *at, const char *why, struct errinfo *e)
{
    size_t line = 1, column = 1;

    for (const char *p = text; p < at; p++) {
        if (*p == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)*p & 0xC0) != 0x80) { /* not inside a character */
            column++;
        }
    }
    return err_set(e, ERR_MALFORMED_JSON, "line %zu, column %zu: %s", line, column, why);
}

static const char *parse_fault(const json_error_t *je)
{
    if (json_error_code(je) == json_error_numeric_overflow)
        return "the number is larger than a 64-bit integer or a double can hold";
    return je->text;
}

int json_text_parse(const char *text, size_t len, json_t **ret_json, struct errinfo *e)
{
    json_error_t je;
    const char *at;
    json_t *json;

    if (len == 0)
        return err_set(e, ERR_MALFORMED_JSON, "there is nothing where JSON is expected");
    *ret_json = json_plain_parse(text, len, JSON_DEPTH_MAX);
    if (*ret_json)
        return 0;
    if (len >= strlen(BOM) && memcmp(text, BOM, strlen(BOM)) == 0)
        return refuse_at(text, text, "a byte order mark is not allowed", e);
    at = memchr(text, '\0', len);
    if (at)
        return refuse_at(text, at, "a NUL byte is not allowed", e);
    at = too_deep(text, text + len);
    if (at)
        return refuse_at(text, at, "nested deeper than 32 levels", e);

    json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
    if (!json)
        return err_set(e, ERR_MALFORMED_JSON, "line %d, column %d: %s", je.line, je.column,
                       parse_fault(&je));
    *ret_json = json;
    return 0;
}
_Static_assert(JSON_DEPTH_MAX == 32, "the number is in a text above");

/* ---- writing ----------------------------------------------------------------------- */

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

static void add_escaped(struct buf *out, unsigned char c)
{
    static const char shorts[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = strchr(shorts, c);

    if (c != '\0' && found) {
        buf_add_char(out, '\\');
        buf_add_char(out, letters[found - shorts]);
    } else {
        buf_printf(out, "\\u%04x", c);
    }
}

/* Where what can be written as it is ends. */
static const char *plain_end(const char *text, const char *end)
{
    const char *p = json_run_skip(text, end);

    while (p < end && is_plain((unsigned char)*p))
        p++;
    return p;
}

static void add_string(struct buf *out, const char *text, size_t len)
{
    const char *end = text + len;

    buf_add_char(out, '"');
    while (text < end) {
        const char *p = plain_end(text, end);

        buf_add(out, text, (size_t)(p - text));
        if (p < end)
            add_escaped(out, (unsigned char)*p++);
        text = p;
    }
    buf_add_char(out, '"');
}

void json_text_add_string(struct buf *out, const char *text)
{
    add_string(out, text, strlen(text));
}

static void add_real(struct buf *out, double number)
{
    char text[REAL_TEXT_SIZE];

    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    buf_add_str(out, text);
    if (!strpbrk(text, ".e")) /* 2.0 stays a real for whoever reads it */
        buf_add_str(out, ".0");
}

void json_text_add_integer(struct buf *out, int64_t number)
{
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    char digits[INTEGER_DIGITS + 1];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (number < 0)
        digits[--at] = '-';
    buf_add(out, digits + at, sizeof digits - at);
}

/* As deep as the value is: what comes from outside was bounded by JSON_DEPTH_MAX. */
/* NOLINTBEGIN(misc-no-recursion) */
static void add_array(struct buf *out, const json_t *array)
{
    size_t size = json_array_size(array);

    buf_add_char(out, '[');
    for (size_t i = 0; i < size; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        json_text_add(out, json_array_get(array, i));
    }
    buf_add_char(out, ']');
}

static void add_object(struct buf *out, const json_t *object)
{
    const char *name;
    json_t *value;
    bool first = true;

    buf_add_char(out, '{');
    json_object_foreach (json_iterable(object), name, value) {
        if (!first)
            buf_add_char(out, ',');
        first = false;
        add_string(out, name, strlen(name));
        buf_add_char(out, ':');
        json_text_add(out, value);
    }
    buf_add_char(out, '}');
}

void json_text_add(struct buf *out, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        add_object(out, json);
        break;
    case JSON_ARRAY:
        add_array(out, json);
        break;
    case JSON_STRING:
        add_string(out, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        json_text_add_integer(out, json_integer_value(json));
        break;
    case JSON_REAL:
        add_real(out, json_real_value(json));
        break;
    case JSON_TRUE:
        buf_add_str(out, "true");
        break;
    case JSON_FALSE:
        buf_add_str(out, "false");
        break;
    case JSON_NULL:
        buf_add_str(out, "null");
        break;
    }
}
/* NOLINTEND(misc-no-recursion) */

char *json_text_dump(const json_t *json, size_t *ret_len)
{
    AUTO_FINI(buf) struct buf out = { 0 };

    json_text_add(&out, json);
    *ret_len = out.len;
    return buf_steal(&out);
}
