#include "domain/json_put.h"

#include <assert.h>
#include <string.h>

#include "domain/json_text.h"

static void put_name(struct json_put *w, const char *name)
{
    size_t len = name ? strlen(name) : 0;
    char *to = buf_reserve(w->out, len + 4);
    char *p = to;

    if (w->has_items)
        *p++ = ',';
    w->has_items = true;
    if (name) {
        *p++ = '"';
        p = mempcpy(p, name, len);
        *p++ = '"';
        *p++ = ':';
    }
    buf_commit(w->out, (size_t)(p - to));
}

static void open_bracket(struct json_put *w, const char *name, char bracket)
{
    put_name(w, name);
    buf_add_char(w->out, bracket);
    w->has_items = false;
}

static void close_bracket(struct json_put *w, char bracket)
{
    buf_add_char(w->out, bracket);
    w->has_items = true;
}

void json_put_begin(struct json_put *w, const char *name)
{
    open_bracket(w, name, '{');
}

void json_put_end(struct json_put *w)
{
    close_bracket(w, '}');
}

void json_put_begin_array(struct json_put *w, const char *name)
{
    open_bracket(w, name, '[');
}

void json_put_end_array(struct json_put *w)
{
    close_bracket(w, ']');
}

void json_put_text(struct json_put *w, const char *name, const char *text)
{
    if (!text)
        return;
    put_name(w, name);
    json_text_add_string(w->out, text);
}

void json_put_integer(struct json_put *w, const char *name, int64_t number)
{
    put_name(w, name);
    json_text_add_integer(w->out, number);
}

void json_put_bool(struct json_put *w, const char *name, bool value)
{
    json_put_raw(w, name, value ? "true" : "false", value ? 4 : 5);
}

/* The digits of the microseconds without the zeros at their end: as short as it can be, and
 * exact, which a double is not. */
void json_put_seconds(struct json_put *w, const char *name, usec_t us)
{
    usec_t fraction = us < 0 ? 0 : us % USEC_PER_SEC;
    char digits[] = ".000000";
    size_t len = sizeof digits - 1;

    json_put_integer(w, name, us < 0 ? 0 : us / USEC_PER_SEC);
    if (fraction == 0)
        return;
    for (size_t at = len; fraction > 0; fraction /= 10)
        digits[--at] = (char)('0' + fraction % 10);
    while (digits[len - 1] == '0')
        len--;
    buf_add(w->out, digits, len);
}

void json_put_time(struct json_put *w, const char *name, usec_t wall_us)
{
    char text[CLOCK_TEXT_SIZE];

    if (wall_us != 0)
        json_put_joined(w, name, clock_format(wall_us, text), "");
}

void json_put_joined(struct json_put *w, const char *name, const char *prefix, const char *rest)
{
    put_name(w, name);
    buf_add_char(w->out, '"');
    buf_add_str(w->out, prefix);
    buf_add_str(w->out, rest);
    buf_add_char(w->out, '"');
}

void json_put_raw(struct json_put *w, const char *name, const char *json, size_t len)
{
    put_name(w, name);
    buf_add(w->out, json, len);
}

void json_put_tree(struct json_put *w, const char *name, const json_t *json)
{
    if (!json)
        return;
    put_name(w, name);
    json_text_add(w->out, json);
}

json_t *json_put_parse(const struct json_put *w)
{
    json_t *json = NULL;
    int r = json_text_parse(w->out->data, w->out->len, &json, NULL);

    assert(r == 0); /* it was written here */
    (void)r;
    return json;
}
