/* GET / (getService), the contract (getOpenapiJson, getOpenapiYaml, getDocs), where it is
 * (getApiCatalog). */
#include "handlers/handlers.h"

#include "base/clean.h"
#include "base/embed.h"
#include "handlers/common.h"

EMBED(openapi_json, "openapi/openapi.json");
EMBED(openapi_yaml, "openapi/openapi.yaml");
EMBED(docs_html, "openapi/docs.html");

static json_t *encode_links(void)
{
    static const struct {
        const char *name;
        const char *path;
    } links[] = {
        { "self", "/" },
        { "jobs", "/v1/jobs" },
        { "events", "/v1/events" },
        { "functions", "/v1/functions" },
        { "workers", "/v1/workers" },
        { "livez", "/livez" },
        { "readyz", "/readyz" },
        { "openapi", "/openapi.json" },
        { "docs", "/docs" },
        { "api_catalog", "/.well-known/api-catalog" },
        { "problems", "/problems" },
    };
    json_t *json = json_object();

    for (size_t i = 0; i < COUNT_OF(links); i++)
        (void)json_object_set_new(json, links[i].name, json_string(links[i].path));
    return json;
}

int h_get_service(struct http_req *rq, struct http_resp *rs)
{
    json_t *json;
    int r;

    r = common_no_query(rq, rs);
    if (r < 0)
        return r;
    json = json_pack("{s:s, s:s, s:o}", "name", "jobd", "version", JOBD_VERSION, "links",
                     encode_links());
    http_set_header(
        rs, "Link", "%s",
        "</openapi.json>; rel=\"service-desc\", </docs>; rel=\"service-doc\","
        " </readyz>; rel=\"status\", </.well-known/api-catalog>; rel=\"api-catalog\"");
    return http_reply_tagged(rq, rs, json);
}

int h_get_openapi_json(struct http_req *rq, struct http_resp *rs)
{
    int r = common_no_query(rq, rs);

    if (r < 0)
        return r;
    return http_reply_tagged_static(rq, rs, "application/json", openapi_json,
                                    EMBED_LEN(openapi_json));
}

int h_get_openapi_yaml(struct http_req *rq, struct http_resp *rs)
{
    int r = common_no_query(rq, rs);

    if (r < 0)
        return r;
    return http_reply_tagged_static(rq, rs, "application/yaml", openapi_yaml,
                                    EMBED_LEN(openapi_yaml));
}

int h_get_docs(struct http_req *rq, struct http_resp *rs)
{
    int r = common_no_query(rq, rs);

    if (r < 0)
        return r;
    common_set_page_headers(rs);
    return http_reply_tagged_static(rq, rs, "text/html; charset=utf-8", docs_html,
                                    EMBED_LEN(docs_html));
}

/* RFC 9727; links as RFC 9264 writes them, relative to the server. */
int h_get_api_catalog(struct http_req *rq, struct http_resp *rs)
{
    static const char catalog[] =
        "{\"linkset\":[{\"anchor\":\"/\","
        "\"service-desc\":[{\"href\":\"/openapi.json\",\"type\":\"application/json\"},"
        "{\"href\":\"/openapi.yaml\",\"type\":\"application/yaml\"}],"
        "\"service-doc\":[{\"href\":\"/docs\",\"type\":\"text/html\"}],"
        "\"status\":[{\"href\":\"/readyz\",\"type\":\"text/plain\"}]}]}\n";
    int r = common_no_query(rq, rs);

    if (r < 0)
        return r;
    http_set_header(rs, "Link", "%s", "</.well-known/api-catalog>; rel=\"api-catalog\"");
    return http_reply_tagged_static(
        rq, rs, "application/linkset+json; profile=\"https://www.rfc-editor.org/info/rfc9727\"",
        catalog, sizeof catalog - 1);
}
