/* domain/outcome_json.h - how an attempt ended, as clients see it: the parts that a job
 * (job_json) and an attempt (attempt_json) share. Pure, any thread.
 */
#ifndef JOBD_DOMAIN_OUTCOME_JSON_H
#define JOBD_DOMAIN_OUTCOME_JSON_H

#include <jansson.h>

#include "domain/outcome.h"

/* New objects (openapi: Failure, LogSummary, Usage). */
json_t *outcome_encode_failure(const struct outcome *o);
json_t *outcome_encode_logs(const struct outcome *o);
json_t *outcome_encode_usage(const struct outcome *o);
/* Add exit_code or signal, if there is one. */
void outcome_set_exit(json_t *object, const struct outcome *o);

/* A new array of the names of these limits (bit 1 << limit). */
json_t *outcome_encode_limits(unsigned names);

/* Seconds as a new number, without a fraction when there is none. */
json_t *json_seconds(usec_t us);
/* Add a time, if it is not 0. */
void json_set_time(json_t *object, const char *name, usec_t wall_us);

#endif
