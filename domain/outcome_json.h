/* domain/outcome_json.h - how an attempt ended, as clients see it: the parts that a job
 * (job_json) and an attempt (attempt_json) share. Pure, any thread.
 */
#ifndef JOBD_DOMAIN_OUTCOME_JSON_H
#define JOBD_DOMAIN_OUTCOME_JSON_H

#include "domain/json_put.h"
#include "domain/outcome.h"

/* The members failure, logs and usage (openapi: Failure, LogSummary, Usage). */
void outcome_put_failure(struct json_put *w, const struct outcome *o);
void outcome_put_logs(struct json_put *w, const struct outcome *o);
void outcome_put_usage(struct json_put *w, const struct outcome *o);
/* exit_code or signal, if there is one. */
void outcome_put_exit(struct json_put *w, const struct outcome *o);
/* An array of the names of these limits (bit 1 << limit). */
void outcome_put_limits(struct json_put *w, const char *name, unsigned limits);

#endif
