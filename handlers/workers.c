/* GET /v1/workers (listWorkers): the processes that run jobs, and how they are. */
#include "handlers/handlers.h"

#include "base/mem.h"
#include "handlers/common.h"
#include "handlers/listing.h"

static void set_time(json_t *json, const char *name, usec_t at_us)
{
    char text[CLOCK_TEXT_SIZE];

    (void)json_object_set_new(json, name, json_string(clock_format(at_us, text)));
}

static json_t *encode(const struct engine_worker *w)
{
    json_t *json = json_object();
    bool warm = w->pool[0] != '\0';

    (void)json_object_set_new(json, "worker_id", json_integer(w->worker_id));
    (void)json_object_set_new(json, "kind", json_string(warm ? "program" : "command"));
    if (warm)
        (void)json_object_set_new(json, "pool", json_string(w->pool));
    (void)json_object_set_new(json, "pid", json_integer(w->pid));
    (void)json_object_set_new(json, "state", json_string(engine_worker_state_name(w->state)));
    if (w->reason[0] != '\0')
        (void)json_object_set_new(json, "reason", json_string(w->reason));
    (void)json_object_set_new(json, "capacity", json_integer(w->capacity));
    (void)json_object_set_new(json, "held", json_integer(w->held));
    (void)json_object_set_new(json, "jobs_total", json_integer(w->jobs_total));
    set_time(json, "started_at", w->started_at_us);
    if (w->program_pid != 0)
        (void)json_object_set_new(json, "program_pid", json_integer(w->program_pid));
    if (w->rss_bytes > 0)
        (void)json_object_set_new(json, "rss_bytes", json_integer(w->rss_bytes));
    return json;
}

int h_list_workers(struct http_req *rq, struct http_resp *rs)
{
    AUTO(mem) struct engine_worker *workers = NULL;
    size_t count = engine_workers(common_service(rq)->engine, &workers);
    json_t *all = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(all, encode(&workers[i]));
    return listing_simple("/v1/workers", FIELDS_WORKER_STATUS, rq, rs, all);
}
