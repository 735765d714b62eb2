#include "domain/json_plain.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "domain/json_run.h"

#define DIGITS_MAX     18 /* of these each fits into 64 bits */
#define NAME_MAX_BYTES 64

struct plain {
    const char *at;
    const char *end;
    int depth_left;
};

static json_t *take_value(struct plain *p);

/* -- pieces ---------------------------------------------------------------------------------
 */

/* The next byte that is no blank, or 0 at the end. */
static char peek(struct plain *p)
{
    while (p->at < p->end &&
           (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t'))
        p->at++;
    if (p->at == p->end)
        return '\0';
    return *p->at;
}

static bool take_char(struct plain *p, char c)
{
    if (peek(p) != c)
        return false;
    p->at++;
    return true;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Behind its opening quote. False: it is not plain. */
static bool take_text(struct plain *p, const char **ret_text, size_t *ret_len)
{
    const char *at = p->at;
    uint64_t word;

    *ret_text = at;
    for (; p->end - at >= (ptrdiff_t)sizeof word; at += sizeof word) {
        memcpy(&word, at, sizeof word);
        if (json_run_stops(word) != 0 || (word & JSON_RUN_HIGHS) != 0)
            break;
    }
    while (at < p->end && is_plain((unsigned char)*at))
        at++;
    if (at == p->end || *at != '"')
        return false;
    *ret_len = (size_t)(at - *ret_text);
    p->at = at + 1;
    return true;
}

/* -- values ---------------------------------------------------------------------------------
 */

static json_t *take_string(struct plain *p)
{
    const char *text;
    size_t len;

    p->at++;
    return take_text(p, &text, &len) ? json_stringn_nocheck(text, len) : NULL;
}

static bool is_digit(const struct plain *p)
{
    return p->at < p->end && *p->at >= '0' && *p->at <= '9';
}

static json_t *take_integer(struct plain *p)
{
    bool negative = *p->at == '-';
    int64_t number = 0;
    const char *first;

    p->at += negative;
    first = p->at;
    for (; is_digit(p) && p->at - first < DIGITS_MAX; p->at++)
        number = number * 10 + (*p->at - '0');
    if (p->at == first || is_digit(p) || (*first == '0' && p->at - first > 1))
        return NULL;
    if (p->at < p->end && (*p->at == '.' || *p->at == 'e' || *p->at == 'E'))
        return NULL;
    return json_integer(negative ? -number : number);
}

static json_t *take_word(struct plain *p, const char *word, json_t *value)
{
    size_t len = strlen(word);

    if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
        return NULL;
    p->at += len;
    return value;
}

/* Up to the colon, and the value behind it. */
static bool take_member(struct plain *p, json_t *object)
{
    char name[NAME_MAX_BYTES + 1];
    const char *text;
    size_t len;
    json_t *value;

    if (!take_char(p, '"') || !take_text(p, &text, &len) || len > NAME_MAX_BYTES ||
        !take_char(p, ':'))
        return false;
    memcpy(name, text, len);
    name[len] = 0;
    value = take_value(p);
    return value && json_object_set_new_nocheck(object, name, value) == 0;
}

/* Two members of the same name leave one in it: that is how they are found. */
static bool fill_object(struct plain *p, json_t *object)
{
    size_t count = 0;

    p->at++;
    if (take_char(p, '}'))
        return true;
    do {
        if (!take_member(p, object))
            return false;
        count++;
    } while (take_char(p, ','));
    return take_char(p, '}') && json_object_size(object) == count;
}

static bool fill_array(struct plain *p, json_t *array)
{
    p->at++;
    if (take_char(p, ']'))
        return true;
    do {
        json_t *item = take_value(p);

        if (!item || json_array_append_new(array, item) < 0)
            return false;
    } while (take_char(p, ','));
    return take_char(p, ']');
}

/* As deep as depth_left allows. */
static json_t *take_nested(struct plain *p, json_t *(*new_one)(void),
                           bool (*fill)(struct plain *p, json_t *json))
{
    json_t *json;

    if (p->depth_left == 0)
        return NULL;
    json = new_one();
    p->depth_left--;
    if (!fill(p, json)) {
        json_decref(json);
        return NULL;
    }
    p->depth_left++;
    return json;
}

static json_t *take_value(struct plain *p)
{
    switch (peek(p)) {
    case '{':
        return take_nested(p, json_object, fill_object);
    case '[':
        return take_nested(p, json_array, fill_array);
    case '"':
        return take_string(p);
    case 't':
        return take_word(p, "true", json_true());
    case 'f':
        return take_word(p, "false", json_false());
    case 'n':
        return take_word(p, "null", json_null());
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return take_integer(p);
    default:
        return NULL;
    }
}

json_t *json_plain_parse(const char *text, size_t len, int depth_max)
{
    struct plain p = { .at = text, .end = text + len, .depth_left = depth_max };
    json_t *json = take_value(&p);

    if (json && (peek(&p) != 0 || p.at != p.end)) {
        json_decref(json);
        return NULL;
    }
    return json;
}
