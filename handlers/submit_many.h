/* handlers/submit_many.h - many jobs of one request on their way into the ledger: what became
 * of each, the answer, and what is remembered of it. Private to the operations that submit
 * many.
 *
 * HTTP threads, but for many_remember(), which is the engine's.
 */
#ifndef JOBD_HANDLERS_SUBMIT_MANY_H
#define JOBD_HANDLERS_SUBMIT_MANY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "engine/requests.h"
#include "handlers/idempotency.h"
#include "handlers/submission.h"
#include "server/http/http.h"

/* What became of one job of the batch; the values are in the ledger. */
enum many_kind {
    MANY_REFUSED = 'p',
    MANY_ACCEPTED = 'a',
    MANY_EXISTING = 'e',  /* there is another one like it, which takes its place */
    MANY_DUPLICATE = 'd', /* there is, and it is in the way: refused */
};

struct many_item {
    enum many_kind kind;
    size_t job;        /* in request.jobs, unless REFUSED */
    struct uuid7 id;   /* its own, or that of the other one: once it is submitted */
    int status;        /* REFUSED and DUPLICATE */
    size_t problem_at; /* the same: in problems */
    size_t problem_len;
};

/* The request: the state of its handler, which begins with what the engine is sent. */
struct many {
    struct submit_many_request request;
    struct idempotency idempotency;
    struct submission submission;
    bool atomic;
    struct many_item *items;
    size_t count;
    size_t capacity;     /* of items and of request.jobs */
    struct buf problems; /* one after the other */
    bool has_results;    /* what the engine has said is in items */
};

void many_free(void *state);

/* Write down what is wrong with one job. faults may be NULL. */
void many_refuse(struct many *m, struct many_item *item, int code, const struct faults *faults,
                 const struct errinfo *why);

/* Make room for what the engine says of jobs of which there is to be one, if there are such.
 * When all are to be taken or none, none of them may be in the way of another one: faults. */
void many_prepare_unique(struct many *m, struct http_resp *rs);
/* After ERR_DUPLICATE_JOB: the faults, in the order of the request. */
void many_name_duplicates(const struct many *m, struct http_resp *rs);

/* Once they are submitted. Returns 0. */
int many_answer(struct many *m, struct http_resp *rs);

/* For engine/engine.h: 17 bytes for each job. */
void many_remember(const struct engine_request *rq, struct idempotency_record *record);
/* The answer of then. ERR_DATABASE. */
int many_replay(struct many *m, struct http_resp *rs);

#endif
