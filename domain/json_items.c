#include "domain/json_items.h"

#include <string.h>

#include "domain/json_run.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

/* ---- one value: where it ends ---------------------------------------------------------- */

/* Behind the string that starts here, or end. */
static const char *skip_string(const char *at, const char *end)
{
    at++;
    while (at < end) {
        at = json_run_skip(at, end);
        for (size_t i = 0; i < sizeof(uint64_t) && at < end; i++, at++) {
            if (*at == '"')
                return at + 1;
            if (*at == '\\')
                at++;
        }
    }
    return end;
}

/* Behind the bracket that closes the one here, whichever kind they are: the parser sees to
 * that.
 */
static const char *skip_brackets(const char *at, const char *end)
{
    size_t depth = 0;

    while (at < end) {
        char c = *at;

        if (c == '"') {
            at = skip_string(at, end);
            continue;
        }
        at++;
        if (c == '[' || c == '{')
            depth++;
        else if ((c == ']' || c == '}') && --depth == 0)
            return at;
    }
    return end;
}

/* Behind a number or a word. */
static const char *skip_scalar(const char *at, const char *end)
{
    while (at < end && !is_blank(*at) && !strchr(",:]}[{\"", *at))
        at++;
    return at;
}

static const char *skip_value(const char *at, const char *end)
{
    if (at == end)
        return at;
    if (*at == '"')
        return skip_string(at, end);
    if (*at == '[' || *at == '{')
        return skip_brackets(at, end);
    return skip_scalar(at, end);
}

/* ---- lines ------------------------------------------------------------------------------ */

struct json_items json_items_lines(const char *text, size_t len)
{
    return (struct json_items){ .text = text, .at = text, .end = text + len };
}

static int next_line(struct json_items *items, struct json_part *ret_part)
{
    while (items->at < items->end) {
        const char *line = items->at;
        const char *stop = memchr(line, '\n', (size_t)(items->end - line));

        if (!stop)
            stop = items->end;
        items->at = stop < items->end ? stop + 1 : stop;
        line = skip_blanks(line, stop);
        while (stop > line && is_blank(stop[-1]))
            stop--;
        if (stop == line)
            continue;
        *ret_part = (struct json_part){ .text = line, .len = (size_t)(stop - line) };
        items->count++;
        return 1;
    }
    return 0;
}

/* ---- arrays and objects ----------------------------------------------------------------- */

static int refuse(const struct json_items *items, const char *want, struct errinfo *e)
{
    return err_set(e, ERR_MALFORMED_JSON, "byte %zu: %s is expected",
                   (size_t)(items->at - items->text) + 1, want);
}

static int begin(struct json_part part, char open, char close, struct json_items *ret_items,
                 struct errinfo *e)
{
    struct json_items items = {
        .text = part.text, .at = part.text, .end = part.text + part.len, .close = close
    };

    items.at = skip_blanks(items.at, items.end);
    if (items.at == items.end || *items.at != open)
        return refuse(&items, open == '[' ? "an array" : "an object", e);
    items.at++;
    *ret_items = items;
    return 0;
}

int json_items_array(struct json_part array, struct json_items *ret_items, struct errinfo *e)
{
    return begin(array, '[', ']', ret_items, e);
}

int json_items_object(struct json_part object, struct json_items *ret_items, struct errinfo *e)
{
    return begin(object, '{', '}', ret_items, e);
}

/* The closing bracket, behind which there is nothing. */
static int finish(struct json_items *items, struct errinfo *e)
{
    items->at = skip_blanks(items->at + 1, items->end);
    return items->at == items->end ? 0 : refuse(items, "the end", e);
}

/* To the next part, over the comma before it: 1, or 0 at the end. */
static int advance(struct json_items *items, struct errinfo *e)
{
    items->at = skip_blanks(items->at, items->end);
    if (items->at < items->end && *items->at == items->close)
        return finish(items, e);
    if (items->count > 0) {
        if (items->at == items->end || *items->at != ',')
            return refuse(items, items->close == ']' ? "a comma or ]" : "a comma or }", e);
        items->at = skip_blanks(items->at + 1, items->end);
    }
    items->count++;
    return 1;
}

/* A value that is there. */
static int take_value(struct json_items *items, struct json_part *ret_part, struct errinfo *e)
{
    const char *stop = skip_value(items->at, items->end);

    if (stop == items->at)
        return refuse(items, "a value", e);
    *ret_part = (struct json_part){ .text = items->at, .len = (size_t)(stop - items->at) };
    items->at = stop;
    return 1;
}

int json_items_next(struct json_items *items, struct json_part *ret_part, struct errinfo *e)
{
    int r;

    if (items->close == 0)
        return next_line(items, ret_part);
    r = advance(items, e);
    return r <= 0 ? r : take_value(items, ret_part, e);
}

int json_items_member(struct json_items *items, struct json_part *ret_name,
                      struct json_part *ret_value, struct errinfo *e)
{
    int r = advance(items, e);

    if (r <= 0)
        return r;
    if (items->at == items->end || *items->at != '"')
        return refuse(items, "a name in quotes", e);
    r = take_value(items, ret_name, e);
    if (r < 0)
        return r;
    items->at = skip_blanks(items->at, items->end);
    if (items->at == items->end || *items->at != ':')
        return refuse(items, "a colon", e);
    items->at = skip_blanks(items->at + 1, items->end);
    return take_value(items, ret_value, e);
}
