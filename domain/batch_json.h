/* domain/batch_json.h - a batch as clients see it, and as its callbacks do. Pure, any thread.
 */
#ifndef JOBD_DOMAIN_BATCH_JSON_H
#define JOBD_DOMAIN_BATCH_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "domain/batch.h"

/* A new tree (openapi: Batch). */
json_t *batch_encode(const struct batch *b);

/* The payload of a job, with a member `callback` that says which batch has come to what: a heap
 * string. It becomes the job's environment, or a part of the line to a program
 * (domain/order.h).
 */
char *batch_callback_payload(const struct batch *b, enum batch_spec kind, const char *payload,
                             size_t len, size_t *ret_len);

#endif
