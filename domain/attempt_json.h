/* domain/attempt_json.h - an attempt as its clients see it (openapi: Attempt). Pure, any
 * thread. */
#ifndef JOBD_DOMAIN_ATTEMPT_JSON_H
#define JOBD_DOMAIN_ATTEMPT_JSON_H

#include <jansson.h>

#include "domain/attempt.h"
#include "domain/json_put.h"

/* Write it as an object. An unset field is absent. */
void attempt_put(struct json_put *w, const struct attempt *a);
/* The same as a new tree. */
json_t *attempt_encode(const struct attempt *a);

#endif
