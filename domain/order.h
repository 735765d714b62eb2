/* domain/order.h - all that a worker must know to run one attempt: nothing is left to look up.
 *
 * Built by the engine from a claimed job and its function, sent to the worker (pool/proto.h).
 * Plain data; every pointer is owned by the struct.
 */
#ifndef JOBD_DOMAIN_ORDER_H
#define JOBD_DOMAIN_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/uuid7.h"
#include "domain/function.h"
#include "domain/inputs.h"
#include "domain/job.h"
#include "domain/leftover.h"
#include "domain/limits.h"

struct order {
    struct uuid7 job_id;
    int attempt;
    int priority;   /* of the job: among orders that wait in a worker the highest is next */
    char *function; /* NULL for a command job */
    char **argv;    /* NULL-terminated; empty for a warm program, which runs already */
    char **env;     /* NULL-terminated "NAME=value" on top of the worker's base environment */
    char *input;    /* stdin of a command, or the JSON line (with its \n) of a warm program */
    size_t input_len;
    usec_t timeout_us; /* 0: none */
    usec_t grace_us;
    bool result_from_stdout;
    struct limits limits;
    enum leftover leftover;
    struct inputs inputs; /* of a command */
};

/* Resolve a claimed job: placeholders filled, environment built (JOBD_JOB_ID, JOBD_ATTEMPT,
 * JOBD_FUNCTION, JOBD_FD and the job's own), stdin decoded (base64) or, when it is not given,
 * args as JSON, inputs decoded. fn is NULL for a command job. The limits are those of the job
 * lowered by the ceiling (see function_ceiling()), which may have changed since the submit.
 * ERR_VALIDATION: the job does not fit fn any more. */
int order_build(const struct job *job, const struct function *fn, const struct limits *ceiling,
                struct order *ret_order, struct errinfo *e);
void order_fini(struct order *o);
DEFINE_AUTO_FINI(order, struct order)

#endif
