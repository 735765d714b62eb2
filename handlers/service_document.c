/* GET / (getService), the contract (getOpenapiJson, getOpenapiYaml), and what the error codes
 * mean (listProblems, getProblem). */
#include "handlers/handlers.h"

#include "base/embed.h"
#include "base/text.h"
#include "handlers/common.h"

EMBED(openapi_json, "openapi/openapi.json");
EMBED(openapi_yaml, "openapi/openapi.yaml");

int h_get_service(struct http_req *rq, struct http_resp *rs)
{
    json_t *json;
    int r;

    r = common_no_query(rq, rs);
    if (r < 0)
        return r;
    json = json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}}", "name", "jobd",
                     "version", JOBD_VERSION, "links", "self", "/", "jobs", "/v1/jobs",
                     "functions", "/v1/functions", "workers", "/v1/workers", "livez", "/livez",
                     "readyz", "/readyz", "openapi", "/openapi.json", "problems", "/problems");
    http_set_header(rs, "Link",
                    "</openapi.json>; rel=\"service-desc\", </readyz>; rel=\"status\"");
    return http_reply_json(rs, 200, json);
}

int h_get_openapi_json(struct http_req *rq, struct http_resp *rs)
{
    int r = common_no_query(rq, rs);

    if (r < 0)
        return r;
    return http_reply_static(rs, 200, "application/json", openapi_json,
                             EMBED_LEN(openapi_json));
}

int h_get_openapi_yaml(struct http_req *rq, struct http_resp *rs)
{
    int r = common_no_query(rq, rs);

    if (r < 0)
        return r;
    return http_reply_static(rs, 200, "application/yaml", openapi_yaml,
                             EMBED_LEN(openapi_yaml));
}

/* -- problems -------------------------------------------------------------------------------
 */

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
    items = json_array();
    for (int i = 0; i < ERR_INDEX_MAX_; i++) {
        const struct err_meta *meta = err_meta(-(i + 1));

        /* Several internal errors share one slug: the first one speaks for it. */
        if (err_meta_by_slug(meta->slug) == meta)
            (void)json_array_append_new(items, encode_problem(meta));
    }
    return http_reply_json(rs, 200, json_pack("{s:o}", "items", items));
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
    return http_reply_json(rs, 200, encode_problem(meta));
}
