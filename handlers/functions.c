/* GET /v1/functions (listFunctions) and /v1/functions/{name} (getFunction). */
#include "handlers/handlers.h"

#include "domain/args_schema.h"
#include "handlers/common.h"
#include "handlers/listing.h"

/* Whole seconds as an integer: 60, not 60.0. */
static json_t *seconds(usec_t us)
{
    if (us % USEC_PER_SEC == 0)
        return json_integer(us / USEC_PER_SEC);
    return json_real((double)us / (double)USEC_PER_SEC);
}

static json_t *encode(const struct function *fn)
{
    json_t *json = json_object();
    bool warm = fn->kind == FUNCTION_PROGRAM;

    (void)json_object_set_new(json, "name", json_string(fn->name));
    (void)json_object_set_new(json, "kind", json_string(warm ? "program" : "command"));
    if (fn->description)
        (void)json_object_set_new(json, "description", json_string(fn->description));
    if (fn->timeout_us > 0)
        (void)json_object_set_new(json, "timeout_seconds", seconds(fn->timeout_us));
    if (!limits_empty(&fn->limits))
        (void)json_object_set_new(json, "limits", limits_encode(&fn->limits));
    if (fn->retry.max_attempts > 1)
        (void)json_object_set_new(json, "retry", retry_encode(&fn->retry));
    if (warm) {
        (void)json_object_set_new(json, "workers", json_integer(fn->workers));
        (void)json_object_set_new(json, "concurrency", json_integer(fn->concurrency));
    }
    (void)json_object_set_new(json, "parameters", function_parameters(fn));
    if (fn->args_schema)
        (void)json_object_set_new(json, "args_schema",
                                  json_deep_copy(args_schema_json(fn->args_schema)));
    return json;
}

int h_list_functions(struct http_req *rq, struct http_resp *rs)
{
    const struct function_table *table = common_service(rq)->functions;
    json_t *all = json_array();

    for (size_t i = 0; i < table->count; i++)
        (void)json_array_append_new(all, encode(&table->items[i]));
    return listing_simple("/v1/functions", FIELDS_FUNCTION, rq, rs, all);
}

int h_get_function(struct http_req *rq, struct http_resp *rs)
{
    const struct function *fn;
    int r;

    r = common_no_query(rq, rs);
    if (r < 0)
        return r;
    fn = function_find(common_service(rq)->functions, http_param(rq, "name"));
    if (!fn)
        return err_set(&rs->err, ERR_NOT_FOUND, "there is no such function");
    return http_reply_tagged(rq, rs, encode(fn));
}
