/* handlers/batches.h - what the operations on batches share. HTTP threads. */
#ifndef JOBD_HANDLERS_BATCHES_H
#define JOBD_HANDLERS_BATCHES_H

#include "domain/batch.h"
#include "domain/idempotency.h"
#include "handlers/common.h"

/* The path parameter "id". ERR_BATCH_NOT_FOUND: what is not an id names no batch. */
int batches_id(const struct http_req *rq, struct uuid7 *ret_id, struct errinfo *e);
/* The batch as it is on disk, as far as the caller may see it. ERR_BATCH_NOT_FOUND. */
int batches_read(const struct http_req *rq, struct uuid7 id, struct batch *ret_batch,
                 struct errinfo *e);
/* The batch with its ETag, and with Location where `located`. */
int batches_reply(struct http_resp *rs, int status, const struct batch *b, bool located);
/* As it is on disk now. */
int batches_reply_now(const struct http_req *rq, struct http_resp *rs, int status,
                      struct uuid7 id, bool located);

#endif
