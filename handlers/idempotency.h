/* handlers/idempotency.h - POSTs that create something, may be sent twice and create it once
 * (draft-ietf-httpapi-idempotency-key-header-07).
 *
 *     struct creation { struct idempotency idempotency; struct submit_request submit; };
 *
 *     r = idempotency_begin(&c->idempotency, rq, rs, body, &c->submit.rq, encode);
 *     if (r < 0)
 *         return r;
 *     if (r == IDEMPOTENCY_REPLAYED)            it was done before: that answer again
 *         return idempotency_reply(&c->idempotency, rs);
 *     ... engine_request(..., &c->submit.rq);   the answer is remembered in its transaction
 *
 * with idempotency_end() where the request's state is freed. A request without the header
 * passes through and costs nothing. How it works: the scope (who asks, for what, with which
 * key) is entered in the table of requests on their way, where a second one of the same scope
 * finds it (409). Whoever is in the table looks into the ledger, and sees all that those before
 * him have committed. So of one scope only one is ever past the look and before its commit.
 *
 * HTTP threads; a struct idempotency belongs to its request.
 */
#ifndef JOBD_HANDLERS_IDEMPOTENCY_H
#define JOBD_HANDLERS_IDEMPOTENCY_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/sha256.h"
#include "engine/engine.h"
#include "server/http/http.h"

/* -- requests on their way ------------------------------------------------------------------
 */

struct flight;

/* Those with a key. Any thread. */
struct flights {
    pthread_mutex_t mutex; /* guards by_scope; a leaf */
    struct flight *by_scope;
};
void flights_init(struct flights *f);
/* All must have landed. */
void flights_fini(struct flights *f);
/* False: one of this scope is on its way already. */
bool flights_enter(struct flights *f, const unsigned char scope[SHA256_BYTES],
                   struct flight **ret_flight);
/* It has landed. */
void flights_leave(struct flights *f, struct flight *take_flight);

/* -- one request ----------------------------------------------------------------------------
 */

/* Zeroed: has no key. */
struct idempotency {
    struct engine_idempotency engine; /* its record: of this request, or of the one before */
    struct flights *flights;
    struct flight *flight; /* NULL: has landed, or has no key */
    bool replayed;         /* the record is an answer that was given before */
};

typedef void (*idempotency_encode)(const struct engine_request *rq,
                                   struct idempotency_record *record);

#define IDEMPOTENCY_REPLAYED 2

/* What a handler does once it has the body and before it judges it. Returns 0: go on, with
 * request->idempotency set when there is a key; IDEMPOTENCY_REPLAYED: engine.record is the
 * answer that was given before. ERR_IDEMPOTENCY_KEY, ERR_IDEMPOTENCY_KEY_REQUIRED,
 * ERR_IDEMPOTENCY_PROGRESS, ERR_IDEMPOTENCY_REUSED, or what the store says. encode is that of
 * engine/engine.h. */
int idempotency_begin(struct idempotency *i, const struct http_req *rq, struct http_resp *rs,
                      const json_t *body, struct engine_request *request,
                      idempotency_encode encode);

/* The same in two steps, for bodies that are not one JSON value: enter; then, with the
 * fingerprint in engine.record, look. */
int idempotency_enter(struct idempotency *i, const struct http_req *rq, struct http_resp *rs);
int idempotency_look(struct idempotency *i, const struct http_req *rq, struct http_resp *rs,
                     struct engine_request *request, idempotency_encode encode);

/* The remembered answer, whose body is JSON. Returns 0. */
int idempotency_reply(struct idempotency *i, struct http_resp *rs);
/* The header that tells a replay from the first answer. */
void idempotency_set_replayed(const struct idempotency *i, struct http_resp *rs);

/* The request is committed, or is not going to be: others with the key may come. */
void idempotency_land(struct idempotency *i);
void idempotency_end(struct idempotency *i);

/* For an encode(): the answer with this status is the job as it is. */
void idempotency_remember_job(struct idempotency_record *record, int status,
                              const struct job *job);

#endif
