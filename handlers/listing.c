#include "handlers/listing.h"

#include <endian.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/json_put.h"
#include "domain/json_text.h"
#include "handlers/common.h"

/* Of a path in the header Link: a longer one is in the body alone, as the headers of an answer
 * have to fit into what is left of a connection's memory. */
#define LINK_MAX_BYTES 2000

/* -- parameters -----------------------------------------------------------------------------
 */

void listing_encode(struct buf *b, const char *text)
{
    static const char plain[] = "-._~,:/"; /* besides letters and digits */

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            strchr(plain, c))
            buf_add_char(b, *text);
        else
            buf_printf(b, "%%%02X", c);
    }
}

static void add_parameter(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "&%s=", name);
    listing_encode(b, value);
}

void listing_add(struct listing *l, const char *name, const char *value)
{
    add_parameter(&l->filters, name, value);
}

void listing_shape(struct listing *l, const char *name, const char *value)
{
    add_parameter(&l->shape, name, value);
}

static void shape_fields(struct listing *l)
{
    for (size_t i = 0; i < l->fields.count; i++) {
        buf_add_str(&l->shape, i == 0 ? "&fields=" : ",");
        listing_encode(&l->shape, l->fields.names[i]);
    }
}

int listing_decode(struct listing *l, const struct http_req *rq, struct http_resp *rs)
{
    int64_t limit = LISTING_LIMIT_DEFAULT;
    int worst;
    int r;

    worst = common_number(rq, rs, "limit", LISTING_LIMIT_MAX, &limit);
    l->limit = (size_t)limit;
    l->has_limit = http_query(rq, "limit", 0) != NULL;
    r = fields_decode(&l->fields, l->of, rq, rs);
    shape_fields(l);
    return worst < 0 ? worst : r;
}

void listing_total(struct listing *l, int64_t count, bool exact)
{
    l->has_total = true;
    l->total = count;
    l->exact = exact;
}

/* -- cursors --------------------------------------------------------------------------------
 */

/* What a cursor is good for. */
static char *context_of(const struct listing *l)
{
    return mem_printf("%s%s", l->path, l->filters.len > 0 ? l->filters.data : "");
}

int listing_cursor(const struct listing *l, const struct http_req *rq, struct http_resp *rs,
                   void *ret_position, size_t len)
{
    AUTO(mem) char *context = context_of(l);
    const char *text;
    int r;

    r = common_single(rq, rs, "cursor", &text);
    if (r < 0 || !text)
        return r;
    if (token_open(&common_service(rq)->cursor_key, context, text, ret_position, len))
        return 1;
    faults_add(&rs->faults, "?cursor", "invalid-cursor", "not a cursor of this list");
    return err_set(&rs->err, ERR_INVALID_CURSOR,
                   "start again without it, or with the filters that it was given out for");
}

/* The path of a page; cursor NULL: the first one. */
static char *page_path(const struct listing *l, const char *cursor)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    buf_add_str(&b, l->path);
    if (l->filters.len > 0)
        buf_add_str(&b, l->filters.data);
    if (l->shape.len > 0)
        buf_add_str(&b, l->shape.data);
    if (l->has_limit)
        buf_printf(&b, "&limit=%zu", l->limit);
    if (cursor)
        add_parameter(&b, "cursor", cursor);
    if (b.len > strlen(l->path))
        b.data[strlen(l->path)] = '?';
    return buf_steal(&b);
}

static void put_next(const struct listing *l, const struct http_req *rq, struct http_resp *rs,
                     struct json_put *w, const void *last, size_t len)
{
    AUTO(mem) char *context = context_of(l);
    char cursor[TOKEN_TEXT_SIZE];
    AUTO(mem)
    char *next =
        page_path(l, token_make(&common_service(rq)->cursor_key, context, last, len, cursor));

    json_put_text(w, "next", next);
    if (strlen(next) <= LINK_MAX_BYTES)
        http_set_header(rs, "Link", "<%s>; rel=\"next\"", next);
}

/* -- the answer -----------------------------------------------------------------------------
 */

static void put_total(const struct listing *l, const struct http_req *rq, struct http_resp *rs,
                      struct json_put *w)
{
    if (!l->has_total || !rq->total_count)
        return;
    json_put_integer(w, "total_count", l->total);
    json_put_bool(w, "total_count_exact", l->exact);
    http_set_header(rs, "Preference-Applied", "return=total-count");
}

int listing_reply_text(struct listing *l, const struct http_req *rq, struct http_resp *rs,
                       const struct buf *items, const void *last, size_t len)
{
    AUTO(mem) char *self = page_path(l, http_query(rq, "cursor", 0));
    AUTO_FINI(buf) struct buf out = { 0 };
    struct json_put w = { .out = &out };
    const char *name;
    json_t *member;
    size_t out_len;

    (void)buf_reserve(&out, items->len + 1024);
    json_put_begin(&w, NULL);
    json_object_foreach (l->members, name, member)
        json_put_tree(&w, name, member);
    json_put_raw(&w, "items", items->data, items->len);
    json_put_text(&w, "self", self);
    if (last)
        put_next(l, rq, rs, &w, last, len);
    put_total(l, rq, rs, &w);
    json_put_end(&w);
    out_len = out.len;
    return http_reply_tagged_bytes(rq, rs, "application/json", buf_steal(&out), out_len);
}

int listing_reply(struct listing *l, const struct http_req *rq, struct http_resp *rs,
                  json_t *take_items, const void *last, size_t len)
{
    AUTO(json) json_t *items = take_items;
    AUTO_FINI(buf) struct buf out = { 0 };
    struct json_put w = { .out = &out };

    json_put_begin_array(&w, NULL);
    for (size_t i = 0; i < json_array_size(items); i++) {
        AUTO(json)
        json_t *item = fields_project(&l->fields, json_incref(json_array_get(items, i)));

        json_put_tree(&w, NULL, item);
    }
    json_put_end_array(&w);
    return listing_reply_text(l, rq, rs, &out, last, len);
}

int listing_reply_whole(struct listing *l, const struct http_req *rq, struct http_resp *rs,
                        json_t *take_all)
{
    AUTO(json) json_t *all = take_all;
    size_t count = json_array_size(all);
    uint64_t from = 0;
    json_t *items;
    size_t at;
    int r;

    r = listing_cursor(l, rq, rs, &from, sizeof from);
    if (r < 0)
        return r;
    items = json_array();
    at = be64toh(from) < count ? (size_t)be64toh(from) : count;
    for (size_t end = count - at > l->limit ? at + l->limit : count; at < end; at++)
        (void)json_array_append(items, json_array_get(all, at));
    listing_total(l, (int64_t)count, true);
    from = htobe64(at);
    return listing_reply(l, rq, rs, items, at < count ? &from : NULL, sizeof from);
}

int listing_simple(const char *path, enum fields_of of, const struct http_req *rq,
                   struct http_resp *rs, json_t *take_all)
{
    static const char *const known[] = { LISTING_PARAMETERS, NULL };
    AUTO_FINI(listing) struct listing l = { .path = path, .of = of };
    AUTO(json) json_t *all = take_all;
    int r;

    r = common_allow(rq, rs, known);
    if (r < 0)
        return r;
    r = listing_decode(&l, rq, rs);
    if (r < 0)
        return r;
    return listing_reply_whole(&l, rq, rs, TAKE(all));
}

void listing_fini(struct listing *l)
{
    json_decref(l->members);
    fields_fini(&l->fields);
    buf_fini(&l->filters);
    buf_fini(&l->shape);
}
