#include "domain/batch_json.h"

#include <string.h>

#include "base/mem.h"
#include "domain/json_put.h"
#include "domain/json_text.h"

static void put_counts(struct json_put *w, const struct batch *b)
{
    json_put_begin(w, "counts");
    json_put_integer(w, "pending", batch_pending(b));
    for (int s = 0; s < JOB_STATE_MAX_; s++)
        json_put_integer(w, job_state_name((enum job_state)s),
                         b->counts[s] + (s == JOB_CANCELED ? batch_skipped(b) : 0));
    json_put_end(w);
}

/* Of its members, how many have ended. */
static void put_progress(struct json_put *w, const struct batch *b)
{
    int64_t total = batch_total(b);
    int64_t ended = total - batch_active(b);

    json_put_begin(w, "progress");
    json_put_integer(w, "percent", total > 0 ? ended * 100 / total : 0);
    json_put_integer(w, "finished", ended);
    json_put_end(w);
}

static void put_links(struct json_put *w, const char *id)
{
    static const char *const links[][2] = {
        { "self", "" },          { "jobs", "/jobs" },   { "errors", "/errors" },
        { "cancel", ":cancel" }, { "close", ":close" }, { "retry", ":retry" },
        { "events", "/events" },
    };

    json_put_begin(w, "links");
    for (size_t i = 0; i < COUNT_OF(links); i++) {
        AUTO(mem) char *path = mem_printf("/v1/batches/%s%s", id, links[i][1]);

        json_put_text(w, links[i][0], path);
    }
    json_put_end(w);
}

static void put_request(struct json_put *w, const struct batch *b)
{
    json_put_text(w, "name", b->name);
    if (b->labels)
        json_put_raw(w, "labels", b->labels, strlen(b->labels));
    json_put_bool(w, "closed", b->closed);
    json_put_text(w, "failure_policy", failure_policy_name(b->failure_policy));
    if (b->max_concurrency > 0)
        json_put_integer(w, "max_concurrency", b->max_concurrency);
    if (b->array_size == 0)
        return;
    json_put_begin(w, "array");
    json_put_integer(w, "size", b->array_size);
    json_put_end(w);
}

static void put_times(struct json_put *w, const struct batch *b)
{
    json_put_time(w, "created_at", b->created_at_us);
    json_put_time(w, "started_at", b->started_at_us);
    json_put_time(w, "finished_at", b->finished_at_us);
    json_put_time(w, "updated_at", b->updated_at_us);
    json_put_time(w, "cancel_requested_at", b->cancel_requested_at_us);
}

json_t *batch_encode(const struct batch *b)
{
    AUTO_FINI(buf) struct buf out = { 0 };
    struct json_put w = { .out = &out };
    char id[UUID7_TEXT_SIZE];

    json_put_begin(&w, NULL);
    json_put_text(&w, "id", uuid7_format(b->id, id));
    json_put_text(&w, "state", batch_state_name(b->state));
    json_put_text(&w, "reason", b->reason);
    put_request(&w, b);
    json_put_integer(&w, "total", batch_total(b));
    put_counts(&w, b);
    put_progress(&w, b);
    json_put_integer(&w, "error_groups_total", b->error_groups);
    put_times(&w, b);
    json_put_text(&w, "created_by", b->created_by);
    json_put_integer(&w, "version", b->version);
    put_links(&w, id);
    json_put_end(&w);
    return json_put_parse(&w);
}

static json_t *encode_callback(const struct batch *b, enum batch_spec kind)
{
    AUTO_FINI(buf) struct buf out = { 0 };
    struct json_put w = { .out = &out };
    char id[UUID7_TEXT_SIZE];

    json_put_begin(&w, NULL);
    json_put_text(&w, "batch_id", uuid7_format(b->id, id));
    json_put_text(&w, "event", batch_spec_name(kind));
    json_put_text(&w, "state", batch_state_name(b->state));
    json_put_integer(&w, "total", batch_total(b));
    put_counts(&w, b);
    json_put_end(&w);
    return json_put_parse(&w);
}

char *batch_callback_payload(const struct batch *b, enum batch_spec kind, const char *payload,
                             size_t len, size_t *ret_len)
{
    AUTO(json) json_t *object = NULL;
    AUTO_FINI(buf) struct buf out = { 0 };

    if (json_text_parse(payload, len, &object, NULL) < 0) {
        *ret_len = len; /* order_build() has somebody to tell */
        return mem_dup(payload, len);
    }
    (void)json_object_set_new(object, "callback", encode_callback(b, kind));
    json_text_add(&out, object);
    *ret_len = out.len;
    return buf_steal(&out);
}
