/* handlers/common.h - what the handlers share: parameters, reads, and jobs as answers. */
#ifndef JOBD_HANDLERS_COMMON_H
#define JOBD_HANDLERS_COMMON_H

#include <stdint.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/uuid7.h"
#include "domain/job.h"
#include "engine/engine.h"
#include "handlers/service.h"
#include "server/http/http.h"
#include "store/store.h"

/* Seconds after which to ask again, for Retry-After. */
#define COMMON_RETRY_AFTER "1"

/* -- requests -------------------------------------------------------------------------------
 */

static inline const struct service *common_service(const struct http_req *rq)
{
    return rq->service;
}

/* The path parameter "id". ERR_JOB_NOT_FOUND: what is not an id names no job. */
int common_job_id(const struct http_req *rq, struct uuid7 *ret_id, struct errinfo *e);
/* The id in "/v1/jobs/{id}"; false for any other path. */
bool common_job_of_path(const char *path, struct uuid7 *ret_id);
/* Whether the caller may have such a job run. ERR_INSUFFICIENT_SCOPE, ERR_FUNCTION_FORBIDDEN,
 * ERR_QUEUE_FORBIDDEN. */
int common_may_submit(const struct http_req *rq, const struct job *job, struct errinfo *e);
/* A new job of this request: whose it is and who submits it, if he may. ERR_INSUFFICIENT_SCOPE
 * (a command without jobs:command), ERR_FUNCTION_FORBIDDEN, ERR_QUEUE_FORBIDDEN. */
int common_set_creator(const struct http_req *rq, struct job *job, struct errinfo *e);
/* The path of what belongs to it, "/v1/jobs/<id>/artifacts", in one spelling; heap. */
char *common_job_subpath(const struct http_req *rq, const char *what);
/* A fault of the query parameter `name`, for errors[]: returns ERR_INVALID_PARAMETER. */
__attribute__((format(printf, 4, 5))) int common_bad_parameter(struct http_resp *rs,
                                                               const char *name,
                                                               const char *code,
                                                               const char *format, ...);
/* The one value of a query parameter that may be given once; NULL when it is not. */
int common_single(const struct http_req *rq, struct http_resp *rs, const char *name,
                  const char **ret_value);
/* The same for a whole number from 1 to max; untouched when it is not given. */
int common_number(const struct http_req *rq, struct http_resp *rs, const char *name,
                  int64_t max, int64_t *ret_number);
/* The same for true or false. */
int common_bool(const struct http_req *rq, struct http_resp *rs, const char *name,
                bool *ret_value);
/* http_query_allow() with a fault for each parameter that is not in the list. */
int common_allow(const struct http_req *rq, struct http_resp *rs, const char *const *names);
/* The same for none at all. */
int common_no_query(const struct http_req *rq, struct http_resp *rs);

/* -- what the engine does -------------------------------------------------------------------
 */

/* Have the engine do it for the caller of rq, and go on with `next`. Sets all of the request
 * but its idempotency. Returns HTTP_PENDING: `next` may be running by then. */
int common_ask(struct http_req *rq, enum engine_op op, struct engine_request *request,
               http_handler next);
/* What became of it, with its text as that of the answer: 0 or ERR_*. */
int common_outcome(struct http_resp *rs, const struct engine_request *request);

/* -- reads ----------------------------------------------------------------------------------
 */

/* A reader borrowed until the end of the scope: AUTO_FINI(borrow) struct borrow b = { 0 }; */
struct borrow {
    struct store *store;
    struct store_reader *reader;
};
/* tenant: whose jobs it finds by their ids, rq->principal->tenant; NULL: of all. */
int borrow_get(struct borrow *b, const struct service *sv, const char *tenant,
               struct errinfo *e);
void borrow_fini(struct borrow *b);
DEFINE_AUTO_FINI(borrow, struct borrow)

/* The whole job with its result, if that is small. ERR_JOB_NOT_FOUND. */
int common_read_job(const struct http_req *rq, struct uuid7 id, struct job *ret_job,
                    struct errinfo *e);

/* -- answers --------------------------------------------------------------------------------
 */

#define ETAG_SIZE 32
/* "v7", with the quotes: the entity-tag of this version of a job. Returns room. */
char *common_etag(int64_t version, char room[ETAG_SIZE]);
/* The headers that go with a job: its ETag, and Retry-After while it is not final. */
void common_describe_job(struct http_resp *rs, const struct job *job);
/* The job with its ETag, and Retry-After while it is not final. */
int common_reply_job(struct http_resp *rs, int status, const struct job *job);
/* `name`: the path of the job. */
void common_set_job_path(struct http_resp *rs, const char *name, struct uuid7 id);

/* What an answer for a browser says besides: it needs nothing from elsewhere, and no script. */
void common_set_page_headers(struct http_resp *rs);

#endif
