/* GET /problems (listProblems) and /problems/{code} (getProblem): what the error codes mean, as
 * JSON and, for browsers, as HTML: the `type` of each problem leads here. */
#include "handlers/handlers.h"

#include "base/buf.h"
#include "base/text.h"
#include "handlers/common.h"

static json_t *encode_problem(const struct err_meta *meta)
{
    return json_pack("{s:o, s:s, s:i, s:s}", "type", json_sprintf("/problems/%s", meta->slug),
                     "code", meta->slug, "status", meta->http_status, "title", meta->title);
}

int h_list_problems(struct http_req *rq, struct http_resp *rs)
{
    json_t *items;
    int r;

    r = common_no_query(rq, rs);
    if (r < 0)
        return r;
    if (http_wants_html(rq)) {
        http_set_header(rs, "Location", "%s", "/docs#problems");
        return http_reply_empty(rs, 303);
    }
    items = json_array();
    for (int i = 0; i < ERR_INDEX_MAX_; i++) {
        const struct err_meta *meta = err_meta(-(i + 1));

        /* Several internal errors share one slug: the first one speaks for it. */
        if (err_meta_by_slug(meta->slug) == meta)
            (void)json_array_append_new(items, encode_problem(meta));
    }
    return http_reply_tagged(rq, rs, json_pack("{s:o}", "items", items));
}

/* Codes and titles are our own: nothing in them needs to be escaped. */
static int reply_page(const struct err_meta *meta, const struct http_req *rq,
                      struct http_resp *rs)
{
    AUTO_FINI(buf) struct buf page = { 0 };
    size_t len;

    buf_printf(&page,
               "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
               "<title>%s</title>\n<h1>%s</h1>\n<p>%d <code>%s</code></p>\n"
               "<p><a href=\"/docs#problem-%s\">All codes and where they come from</a></p>\n",
               meta->slug, meta->title, meta->http_status, meta->slug, meta->slug);
    common_set_page_headers(rs);
    len = page.len;
    return http_reply_tagged_bytes(rq, rs, "text/html; charset=utf-8", buf_steal(&page), len);
}

int h_get_problem(struct http_req *rq, struct http_resp *rs)
{
    const struct err_meta *meta;
    int r;

    r = common_no_query(rq, rs);
    if (r < 0)
        return r;
    meta = err_meta_by_slug(http_param(rq, "code"));
    if (!meta)
        return err_set(&rs->err, ERR_NOT_FOUND, "there is no such code; /problems has all");
    if (http_wants_html(rq))
        return reply_page(meta, rq, rs);
    return http_reply_tagged(rq, rs, encode_problem(meta));
}
