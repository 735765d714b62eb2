#include "server/http/problem.h"

#include <stdbool.h>

#include "base/buf.h"
#include "base/text.h"
#include "domain/json_text.h"

/* A JSON string. The detail may quote what a client sent, so bytes that are not UTF-8 are
 * replaced here rather than trusted to be absent. */
static void add_string(struct buf *b, const char *text)
{
    size_t len = strlen(text);

    buf_add_char(b, '"');
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = text_utf8_len(text + i, len - i);

        if (n == 0)
            buf_add_str(b, "\xEF\xBF\xBD");
        else if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c < 0x20)
            buf_printf(b, "\\u%04x", c);
        else
            buf_add(b, text + i, n);
        i += n ? n : 1;
    }
    buf_add_char(b, '"');
}

/* Opens with "," because `type` always comes first. */
static void add_member(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, ",\"%s\":", name);
    add_string(b, value);
}

/* The place of a fault: "#/..." in the body, "?name" in the query. */
static void add_place(struct buf *b, const char *pointer)
{
    const char *parameter;

    if (text_starts(pointer, "?", &parameter)) {
        buf_add_str(b, "{\"parameter\":");
        add_string(b, parameter);
    } else {
        buf_add_str(b, "{\"pointer\":");
        add_string(b, pointer);
    }
}

static void add_faults(struct buf *b, const struct faults *f)
{
    buf_add_str(b, ",\"errors\":[");
    for (size_t i = 0; i < f->count; i++) {
        if (i > 0)
            buf_add_char(b, ',');
        add_place(b, f->items[i].pointer);
        add_member(b, "code", f->items[i].code);
        add_member(b, "detail", f->items[i].detail);
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
    if (f->total > f->count)
        buf_printf(b, ",\"errors_total\":%zu", f->total);
}

static bool is_internal(int code, const struct err_meta *meta)
{
    return meta->http_status == 500 || code == ERR_DATABASE || code == ERR_STORAGE_FULL ||
           code == ERR_AGAIN;
}

/* What the code alone does not say: RFC 9457 section 3.2. */
static void add_extensions(struct buf *b, const json_t *members)
{
    const char *name;
    json_t *value;

    json_object_foreach (json_iterable(members), name, value) {
        buf_printf(b, ",\"%s\":", name);
        json_text_add(b, value);
    }
}

void problem_add(struct buf *out, const struct problem *p)
{
    const struct err_meta *meta = err_meta(p->code);
    const char *detail = p->detail ? p->detail : "";

    if (is_internal(p->code, meta))
        detail = "The server's log has the reason under this request id.";
    buf_printf(out, "{\"type\":\"/problems/%s\"", meta->slug);
    add_member(out, "title", meta->title);
    buf_printf(out, ",\"status\":%d", meta->http_status);
    if (*detail)
        add_member(out, "detail", detail);
    add_member(out, "code", meta->slug);
    add_member(out, "request_id", p->request_id);
    if (p->members)
        add_extensions(out, p->members);
    if (p->faults && p->faults->count > 0)
        add_faults(out, p->faults);
    buf_add_char(out, '}');
}

char *problem_encode(const struct problem *p, size_t *ret_len)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    problem_add(&b, p);
    buf_add_char(&b, '\n');
    *ret_len = b.len;
    return buf_steal(&b);
}
