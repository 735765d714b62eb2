#include "domain/event_json.h"

#include <inttypes.h>

#include "domain/json_text.h"

/* In front of the kinds' names. */
#define TYPE_PREFIX "dev.jobd."

static void add_member(struct buf *out, const char *name, const char *text)
{
    if (!text)
        return;
    buf_printf(out, ",\"%s\":", name);
    json_text_add_string(out, text);
}

static void add_job_data(struct buf *out, const struct event *ev, const char *id)
{
    bool progress = ev->kind == EVENT_JOB_PROGRESS;

    buf_printf(out,
               "{\"job_id\":\"%s\",\"state\":\"%s\",\"version\":%" PRId64 ",\"attempt\":%d", id,
               job_state_name(ev->state), ev->version, ev->attempt);
    add_member(out, "queue", ev->queue);
    add_member(out, "function", ev->function);
    if (!progress) {
        add_member(out, "reason", ev->reason);
    } else {
        if (ev->progress_ppm >= 0)
            buf_printf(out, ",\"percent\":%.6g", (double)ev->progress_ppm / 1e4);
        add_member(out, "message", ev->reason);
    }
    buf_add_char(out, '}');
}

static void add_batch_data(struct buf *out, const struct event *ev, const char *id)
{
    buf_printf(out, "{\"batch_id\":\"%s\",\"version\":%" PRId64, id, ev->version);
    add_member(out, "reason", ev->reason);
    buf_add_char(out, '}');
}

/* `sequence` is compared as a text (CloudEvents extension "sequence"), hence its zeros. */
void event_json_add(struct buf *out, const struct event *ev, const char *traceparent)
{
    bool is_batch = event_kind_is_batch(ev->kind);
    char id[UUID7_TEXT_SIZE];
    char at[CLOCK_TEXT_SIZE];

    (void)uuid7_format(ev->subject, id);
    buf_printf(out,
               "{\"specversion\":\"1.0\",\"id\":\"%" PRId64
               "\",\"source\":\"/v1/%s\","
               "\"type\":\"" TYPE_PREFIX
               "%s\",\"subject\":\"%s\",\"time\":\"%s\","
               "\"sequence\":\"%019" PRId64 "\"",
               ev->seq, is_batch ? "batches" : "jobs", event_kind_name(ev->kind), id,
               clock_format(ev->at_us, at), ev->seq);
    add_member(out, "traceparent", traceparent);
    buf_add_str(out, ",\"datacontenttype\":\"application/json\",\"data\":");
    if (is_batch)
        add_batch_data(out, ev, id);
    else
        add_job_data(out, ev, id);
    buf_add_char(out, '}');
}
