/* domain/attempt_json.h - an attempt as its clients see it (openapi: Attempt). Pure, any
 * thread. */
#ifndef JOBD_DOMAIN_ATTEMPT_JSON_H
#define JOBD_DOMAIN_ATTEMPT_JSON_H

#include <jansson.h>

#include "domain/attempt.h"

/* A new object. An unset field is absent. */
json_t *attempt_encode(const struct attempt *a);

#endif
