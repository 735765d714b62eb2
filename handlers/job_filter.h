/* handlers/job_filter.h - which jobs: the filters of a request as the store wants them. One
 * thread.
 */
#ifndef JOBD_HANDLERS_JOB_FILTER_H
#define JOBD_HANDLERS_JOB_FILTER_H

#include "base/clean.h"
#include "handlers/listing.h"
#include "server/http/http.h"
#include "store/store.h"

/* The parameters that job_filter_decode() reads: for the list of known ones. */
#define JOB_FILTER_PARAMETERS                                                                  \
    "state", "function", "queue", "name", "name_prefix", "label", "created_by",                \
        "failure_reason", "created_after", "created_before", "finished_after",                 \
        "finished_before", "batch_id", "fingerprint", "q"

/* Texts are borrowed from the request, but for the labels. */
struct job_filter {
    struct store_filter filter;
    struct store_label labels[JOB_LABELS_MAX];
    char *label_texts[JOB_LABELS_MAX];
};

/* Also says whose jobs the caller may see. Every fault is told; the code of the first is
 * returned. ERR_INVALID_PARAMETER. */
int job_filter_decode(struct job_filter *jf, const struct http_req *rq, struct http_resp *rs);
/* Add what was given to the listing, always in the same order. */
void job_filter_add(const struct job_filter *jf, const struct http_req *rq, struct listing *l);
void job_filter_fini(struct job_filter *jf);
DEFINE_AUTO_FINI(job_filter, struct job_filter)

#endif
