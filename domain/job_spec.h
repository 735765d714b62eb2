/* domain/job_spec.h - what a client asks for: decode and validate the body of POST /v1/jobs.
 *
 * Pure: no clock (times are relative until job_spec_to_job()), no I/O. Any thread.
 */
#ifndef JOBD_DOMAIN_JOB_SPEC_H
#define JOBD_DOMAIN_JOB_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/clean.h"
#include "base/clock.h"
#include "domain/faults.h"
#include "domain/function.h"
#include "domain/job.h"
#include "domain/unique.h"

struct trace; /* domain/trace.h */

struct job_spec {
    const struct function *fn; /* borrowed from the table; NULL for a command job */
    char *queue;
    char *name; /* NULL: none */
    int priority;
    usec_t run_at_us;  /* wall clock; 0: not given */
    usec_t delay_us;   /* 0: none */
    usec_t timeout_us; /* the job's own or its function's; 0: none */
    usec_t grace_us;
    usec_t ttl_us; /* how long it is kept once it has ended; 0: as long as the server says */
    struct limits limits; /* the function's, lowered by the job's own */
    enum leftover leftover;
    struct retry_policy retry;
    bool has_unique;
    struct unique_rule unique;
    char *payload; /* as in struct job */
    size_t payload_len;
};

struct job_spec_rules {
    const struct function_table *functions;
    bool allow_commands;
    const struct trace *trace; /* that the job joins; NULL: none */
    bool lenient;              /* ignore unknown members (Prefer: handling=lenient) */
    bool in_array;             /* it is the template of an array: see domain/array_args.h */
};

/* Decode body; on faults (f->count > 0 afterwards) *spec is half filled and only to be ended.
 * Returns 0, ERR_VALIDATION (faults were added) or ERR_COMMANDS_DISABLED. */
int job_spec_decode(const json_t *body, const struct job_spec_rules *rules,
                    struct job_spec *spec, struct faults *f, struct errinfo *e);

/* Fill the job that this spec asks for, as it is inserted: scheduled or queued, version 1.
 * Takes the texts out of spec. id.hi == 0 on return: the engine gives the id. */
void job_spec_to_job(struct job_spec *spec, usec_t now_us, struct job *ret_job);

void job_spec_fini(struct job_spec *spec);
DEFINE_AUTO_FINI(job_spec, struct job_spec)

#endif
