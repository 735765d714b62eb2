#include "handlers/job_filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/fingerprint.h"
#include "domain/principal.h"
#include "handlers/common.h"

#define TEXT_MAX_BYTES 512

/* What decoding goes through: each function tells its fault and returns, so that all are told.
 */
struct decoding {
    const struct http_req *rq;
    struct http_resp *rs;
    struct job_filter *jf;
};

/* -- states ---------------------------------------------------------------------------------
 */

static int decode_state(struct http_resp *rs, const char *name, size_t len, unsigned *states)
{
    AUTO(mem) char *text = mem_dup(name, len);
    int state = job_state_parse(text);

    if (state < 0)
        return common_bad_parameter(rs, "state", "unknown-value",
                                    "\"%.40s\" is not a state: they are scheduled, queued, "
                                    "running, canceling, succeeded, failed and canceled",
                                    text);
    *states |= 1U << state;
    return 0;
}

/* Each value of `state`: names with commas between them. */
static int decode_states(struct decoding *d)
{
    const char *list;
    int r = 0;

    for (size_t i = 0; r == 0 && (list = http_query(d->rq, "state", i)) != NULL; i++)
        for (;;) {
            size_t len = strcspn(list, ",");

            r = decode_state(d->rs, list, len, &d->jf->filter.states);
            if (r < 0 || list[len] == '\0')
                break;
            list += len + 1;
        }
    return r;
}

static int decode_reason(struct decoding *d)
{
    const char *name;
    int cause;
    int r = common_single(d->rq, d->rs, "failure_reason", &name);

    if (r < 0 || !name)
        return r;
    cause = cause_parse(name);
    if (cause <= CAUSE_NONE)
        return common_bad_parameter(d->rs, "failure_reason", "unknown-value",
                                    "\"%.40s\" is not a reason of a failure", name);
    d->jf->filter.cause = (enum cause)cause;
    return 0;
}

static int decode_batch(struct decoding *d)
{
    const char *text;
    int r = common_single(d->rq, d->rs, "batch_id", &text);

    if (r < 0 || !text || uuid7_parse(text, &d->jf->filter.batch))
        return r;
    return common_bad_parameter(d->rs, "batch_id", "invalid-id",
                                "this is not the id of a batch");
}

static int decode_fingerprint(struct decoding *d)
{
    const char *text;
    int r = common_single(d->rq, d->rs, "fingerprint", &text);

    if (r < 0 || !text || fingerprint_parse(text, &d->jf->filter.fingerprint))
        return r;
    return common_bad_parameter(d->rs, "fingerprint", "invalid-id",
                                "must have 16 hexadecimal digits");
}

/* -- texts ----------------------------------------------------------------------------------
 */

static int decode_token(struct decoding *d, const char *name, size_t max_len,
                        const char **ret_value)
{
    int r = common_single(d->rq, d->rs, name, ret_value);

    if (r < 0 || !*ret_value || text_is_token(*ret_value, max_len))
        return r;
    return common_bad_parameter(d->rs, name, "invalid-name",
                                "must have from 1 to %zu characters out of A-Z a-z 0-9 . _ -",
                                max_len);
}

static int decode_text(struct decoding *d, const char *name, const char **ret_value)
{
    int r = common_single(d->rq, d->rs, name, ret_value);

    if (r < 0 || !*ret_value)
        return r;
    if (**ret_value == '\0' || strlen(*ret_value) > TEXT_MAX_BYTES)
        return common_bad_parameter(d->rs, name, "too-long", "must have from 1 to %d bytes",
                                    TEXT_MAX_BYTES);
    return 0;
}

/* "name:value"; the first colon counts. */
static int decode_label(struct decoding *d, const char *text)
{
    struct job_filter *jf = d->jf;
    size_t i = jf->filter.label_count;
    size_t len = strcspn(text, ":");

    if (i == JOB_LABELS_MAX)
        return common_bad_parameter(d->rs, "label", "too-long", "at most %d labels are read",
                                    JOB_LABELS_MAX);
    if (len == 0 || text[len] == '\0')
        return common_bad_parameter(d->rs, "label", "invalid-label",
                                    "must be the label's name, a colon and its value");
    jf->label_texts[i] = mem_str(text);
    jf->label_texts[i][len] = '\0';
    jf->labels[i] = (struct store_label){ .name = jf->label_texts[i],
                                          .value = jf->label_texts[i] + len + 1 };
    jf->filter.label_count++;
    return 0;
}

static int decode_labels(struct decoding *d)
{
    const char *text;
    int r = 0;

    for (size_t i = 0; r == 0 && (text = http_query(d->rq, "label", i)) != NULL; i++)
        r = decode_label(d, text);
    d->jf->filter.labels = d->jf->labels;
    return r;
}

/* -- times ----------------------------------------------------------------------------------
 */

static int decode_time(struct decoding *d, const char *name, usec_t *ret_at_us)
{
    const char *text;
    int r = common_single(d->rq, d->rs, name, &text);

    if (r < 0 || !text)
        return r;
    if (!clock_parse(text, ret_at_us))
        return common_bad_parameter(d->rs, name, "invalid-time",
                                    "must be a time like 2026-11-23T09:12:33.120Z (RFC 3339; "
                                    "a + is written %%2B)");
    if (*ret_at_us == 0)
        *ret_at_us = 1; /* 0 is "not asked for" */
    return 0;
}

/* -- all ------------------------------------------------------------------------------------
 */

int job_filter_decode(struct job_filter *jf, const struct http_req *rq, struct http_resp *rs)
{
    struct decoding d = { .rq = rq, .rs = rs, .jf = jf };
    struct store_filter *f = &jf->filter;
    const int results[] = {
        decode_states(&d),
        decode_token(&d, "function", FUNCTION_NAME_MAX, &f->function),
        decode_token(&d, "queue", JOB_QUEUE_MAX, &f->queue),
        decode_text(&d, "name", &f->name),
        decode_text(&d, "name_prefix", &f->name_prefix),
        decode_labels(&d),
        decode_text(&d, "created_by", &f->created_by),
        decode_reason(&d),
        decode_time(&d, "created_after", &f->created_after_us),
        decode_time(&d, "created_before", &f->created_before_us),
        decode_time(&d, "finished_after", &f->finished_after_us),
        decode_time(&d, "finished_before", &f->finished_before_us),
        decode_batch(&d),
        decode_fingerprint(&d),
        decode_text(&d, "q", &f->text),
    };

    f->tenant = rq->principal->tenant;
    for (size_t i = 0; i < COUNT_OF(results); i++)
        if (results[i] < 0)
            return results[i];
    return 0;
}

/* The states in their own order, whatever the client's was. */
static void add_states(unsigned states, struct listing *l)
{
    AUTO_FINI(buf) struct buf list = { 0 };

    for (int state = 0; state < JOB_STATE_MAX_; state++) {
        if (!(states & 1U << state))
            continue;
        if (list.len > 0)
            buf_add_char(&list, ',');
        buf_add_str(&list, job_state_name((enum job_state)state));
    }
    if (list.len > 0)
        listing_add(l, "state", list.data);
}

void job_filter_add(const struct job_filter *jf, const struct http_req *rq, struct listing *l)
{
    static const char *const rest[] = { "function",
                                        "queue",
                                        "name",
                                        "name_prefix",
                                        "label",
                                        "created_by",
                                        "failure_reason",
                                        "created_after",
                                        "created_before",
                                        "finished_after",
                                        "finished_before",
                                        "batch_id",
                                        "fingerprint",
                                        "q" };
    const char *value;

    add_states(jf->filter.states, l);
    for (size_t i = 0; i < COUNT_OF(rest); i++)
        for (size_t n = 0; (value = http_query(rq, rest[i], n)) != NULL; n++)
            listing_add(l, rest[i], value);
}

void job_filter_fini(struct job_filter *jf)
{
    for (size_t i = 0; i < COUNT_OF(jf->label_texts); i++)
        free(jf->label_texts[i]);
    *jf = (struct job_filter){ 0 };
}
