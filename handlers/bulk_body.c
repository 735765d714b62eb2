#include "handlers/bulk_body.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/fingerprint.h"
#include "domain/json_text.h"
#include "domain/principal.h"
#include "domain/suggest.h"
#include "handlers/cancel_way.h"

#define TEXT_MAX_BYTES 512

struct decoding {
    struct bulk_body *body;
    struct faults *faults;
    bool lenient;
};

/* A member of the filter: its decoder, and where the value goes. */
struct member {
    const char *name;
    void (*decode)(struct decoding *d, const json_t *value, const char *pointer, void *to);
    size_t offset; /* in struct store_filter */
};

static const char *want_text(struct decoding *d, const json_t *value, const char *pointer)
{
    const char *text = json_string_value(value);

    if (!text)
        faults_add(d->faults, pointer, "wrong-type", "must be a string");
    return text;
}

/* -- the filter -----------------------------------------------------------------------------
 */

static void decode_state(struct decoding *d, const json_t *value, const char *pointer,
                         unsigned *states)
{
    const char *name = want_text(d, value, pointer);
    int state = name ? job_state_parse(name) : -1;

    if (state >= 0)
        *states |= 1U << state;
    else if (name)
        faults_add(d->faults, pointer, "unknown-value",
                   "must be scheduled, queued, running, canceling, succeeded, failed or "
                   "canceled");
}

static void decode_states(struct decoding *d, const json_t *value, const char *pointer,
                          void *to)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(value)) {
        decode_state(d, value, pointer, to);
        return;
    }
    json_array_foreach (value, i, item) {
        AUTO(mem) char *at = mem_printf("%s/%zu", pointer, i);

        decode_state(d, item, at, to);
    }
    if (i == 0)
        faults_add(d->faults, pointer, "too-short", "must name a state");
}

static void decode_text(struct decoding *d, const json_t *value, const char *pointer, void *to)
{
    const char *text = want_text(d, value, pointer);

    if (text && (*text == '\0' || json_string_length(value) > TEXT_MAX_BYTES))
        faults_add(d->faults, pointer, "too-long", "must have from 1 to %d bytes",
                   TEXT_MAX_BYTES);
    else if (text)
        *(const char **)to = text;
}

static void decode_time(struct decoding *d, const json_t *value, const char *pointer, void *to)
{
    const char *text = want_text(d, value, pointer);

    if (text && !clock_parse(text, to))
        faults_add(d->faults, pointer, "invalid-time",
                   "must be a time as in RFC 3339, such as 2026-11-23T09:12:33Z");
    else if (text && *(usec_t *)to == 0)
        *(usec_t *)to = 1; /* 0 is "not asked for", which would be all jobs */
}

static void decode_reason(struct decoding *d, const json_t *value, const char *pointer,
                          void *to)
{
    const char *name = want_text(d, value, pointer);
    int cause = name ? cause_parse(name) : -1;

    if (name && cause <= CAUSE_NONE)
        faults_add(d->faults, pointer, "unknown-value", "is not a reason of a failure");
    else if (name)
        *(enum cause *)to = (enum cause)cause;
}

static void decode_batch(struct decoding *d, const json_t *value, const char *pointer, void *to)
{
    const char *text = want_text(d, value, pointer);

    if (text && !uuid7_parse(text, to))
        faults_add(d->faults, pointer, "invalid-id", "this is not the id of a batch");
}

static void decode_fingerprint(struct decoding *d, const json_t *value, const char *pointer,
                               void *to)
{
    const char *text = want_text(d, value, pointer);

    if (text && !fingerprint_parse(text, to))
        faults_add(d->faults, pointer, "invalid-id", "must have 16 hexadecimal digits");
}

static void decode_labels(struct decoding *d, const json_t *value, const char *pointer,
                          void *to)
{
    struct store_filter *filter = &d->body->filter;
    const char *name;
    json_t *label;

    (void)to;
    if (!json_is_object(value) || json_object_size(value) == 0 ||
        json_object_size(value) > JOB_LABELS_MAX) {
        faults_add(d->faults, pointer, "wrong-type",
                   "must be an object with from 1 to %d members", JOB_LABELS_MAX);
        return;
    }
    d->body->labels = mem_array0(json_object_size(value), sizeof *d->body->labels);
    json_object_foreach (json_iterable(value), name, label) {
        AUTO(mem) char *at = faults_pointer(pointer, name);
        const char *text = want_text(d, label, at);

        d->body->labels[filter->label_count++] =
            (struct store_label){ .name = name, .value = text ? text : "" };
    }
    filter->labels = d->body->labels;
}

#define MEMBER(name_, decode_, member_)                                                        \
    {                                                                                          \
        .name = (name_), .decode = (decode_), .offset = offsetof(struct store_filter, member_) \
    }

static const struct member members[] = {
    MEMBER("state", decode_states, states),
    MEMBER("function", decode_text, function),
    MEMBER("queue", decode_text, queue),
    MEMBER("name", decode_text, name),
    MEMBER("name_prefix", decode_text, name_prefix),
    MEMBER("labels", decode_labels, labels),
    MEMBER("created_by", decode_text, created_by),
    MEMBER("failure_reason", decode_reason, cause),
    MEMBER("created_after", decode_time, created_after_us),
    MEMBER("created_before", decode_time, created_before_us),
    MEMBER("finished_after", decode_time, finished_after_us),
    MEMBER("finished_before", decode_time, finished_before_us),
    MEMBER("batch_id", decode_batch, batch),
    MEMBER("fingerprint", decode_fingerprint, fingerprint),
    MEMBER("q", decode_text, text),
};

static const struct member *find_member(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (text_equal(members[i].name, name))
            return &members[i];
    return NULL;
}

static void unknown(struct decoding *d, const char *pointer, const char *nearest)
{
    if (d->lenient)
        return;
    if (nearest)
        faults_add(d->faults, pointer, "unknown-field",
                   "there is no such field; did you mean %s?", nearest);
    else
        faults_add(d->faults, pointer, "unknown-field", "there is no such field");
}

static void decode_filter(struct decoding *d, const json_t *value)
{
    const char *name;
    json_t *item;

    if (!json_is_object(value)) {
        faults_add(d->faults, "#/filter", "wrong-type", "must be an object");
        return;
    }
    if (json_object_size(value) == 0) /* a slip must not mean all jobs that there are */
        faults_add(d->faults, "#/filter", "too-short", "must say something about the jobs");
    json_object_foreach (json_iterable(value), name, item) {
        const struct member *m = find_member(name);
        AUTO(mem) char *pointer = faults_pointer("#/filter", name);
        struct suggestion s = { .word = name };

        for (size_t i = 0; i < COUNT_OF(members); i++)
            suggest_consider(&s, members[i].name);
        if (m)
            m->decode(d, item, pointer, (char *)&d->body->filter + m->offset);
        else
            unknown(d, pointer, s.nearest);
    }
}

/* -- the rest -------------------------------------------------------------------------------
 */

static void decode_ids(struct decoding *d, const json_t *value)
{
    size_t count = json_array_size(value);
    const json_t *item;
    size_t i;

    if (!json_is_array(value)) {
        faults_add(d->faults, "#/ids", "wrong-type", "must be an array of strings");
        return;
    }
    if (count > BULK_IDS_MAX) {
        faults_add(d->faults, "#/ids", "too-long", "must have at most %d items", BULK_IDS_MAX);
        return;
    }
    d->body->items = mem_array0(count + 1, sizeof *d->body->items);
    d->body->count = count;
    json_array_foreach (value, i, item) {
        const char *text = json_string_value(item);
        AUTO(mem) char *pointer = NULL;

        if (text && uuid7_parse(text, &d->body->items[i].id))
            continue;
        pointer = mem_printf("#/ids/%zu", i);
        faults_add(d->faults, pointer, "invalid-id", "this is not the id of a job");
    }
}

static void decode_member(struct decoding *d, const char *name, const json_t *value,
                          enum bulk_change change)
{
    AUTO(mem) char *pointer = NULL;

    if (text_equal(name, "ids"))
        decode_ids(d, value);
    else if (text_equal(name, "filter"))
        decode_filter(d, value);
    else if (text_equal(name, "dry_run") && json_is_boolean(value))
        d->body->dry_run = json_is_true(value);
    else if (text_equal(name, "dry_run"))
        faults_add(d->faults, "#/dry_run", "wrong-type", "must be true or false");
    else if (change != BULK_CANCEL ||
             !cancel_way_decode(&d->body->way, name, value, d->faults)) {
        pointer = faults_pointer("#", name);
        unknown(d, pointer, NULL);
    }
}

int bulk_body_decode(struct bulk_body *b, const json_t *body, enum bulk_change change,
                     const struct http_req *rq, struct http_resp *rs)
{
    struct decoding d = { .body = b, .faults = &rs->faults, .lenient = rq->lenient };
    const char *name;
    json_t *value;

    cancel_way_init(&b->way);
    b->filter.tenant = rq->principal->tenant;
    if (!json_is_object(body))
        faults_add(d.faults, "#", "wrong-type", "must be an object");
    else if (!json_object_get(body, "ids") == !json_object_get(body, "filter"))
        faults_add(d.faults, "#", "missing", "exactly one of ids and filter must be given");
    json_object_foreach (json_iterable(body), name, value)
        decode_member(&d, name, value, change);
    return faults_judge(d.faults, 0, &rs->err);
}

void bulk_body_fini(struct bulk_body *b)
{
    cancel_way_fini(&b->way);
    free(b->items);
    free(b->labels);
    *b = (struct bulk_body){ 0 };
}
