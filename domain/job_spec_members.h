/* domain/job_spec_members.h - the members of a job request, one decoder each. Private to
 * job_spec.
 *
 * A decoder sees one member, fills the spec and adds a fault for what is wrong with the member
 * alone. What members mean to each other is checked afterwards, in job_spec.c. Pure, any
 * thread.
 */
#ifndef JOBD_DOMAIN_JOB_SPEC_MEMBERS_H
#define JOBD_DOMAIN_JOB_SPEC_MEMBERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "domain/job_spec.h"

enum job_spec_member {
    SPEC_FUNCTION,
    SPEC_COMMAND,
    SPEC_ARGS,
    SPEC_STDIN,
    SPEC_ENV,
    SPEC_LABELS,
    SPEC_NAME,
    SPEC_QUEUE,
    SPEC_PRIORITY,
    SPEC_DELAY,
    SPEC_RUN_AT,
    SPEC_TIMEOUT,
    SPEC_GRACE,
    SPEC_LIMITS,
    SPEC_LEFTOVER,
    SPEC_RETRY,
    SPEC_INPUTS,
    SPEC_TTL,
    SPEC_UNIQUE,
    SPEC_MEMBER_MAX_
};

/* A request while it is decoded. */
struct job_spec_draft {
    const struct job_spec_rules *rules;
    struct job_spec *spec;
    struct faults *faults;
    const json_t *sent[SPEC_MEMBER_MAX_]; /* borrowed from the body; NULL: not sent */
    const char *unique_key;               /* borrowed in the same way */
    unsigned unique_scope;                /* job_spec_unique.c's */
};

/* Decode every member of the object body. */
void job_spec_members_decode(struct job_spec_draft *d, const json_t *body);
/* The name of a member in JSON. */
const char *job_spec_member_name(enum job_spec_member member);

/* job_spec_env.c: the decoder of env, and what is asked of the env of a function's job. */
void job_spec_env_decode(struct job_spec_draft *d, const json_t *value, const char *pointer);
void job_spec_env_check_function(struct job_spec_draft *d);

/* job_spec_limits.c: the decoders of limits and leftover; that a job does not raise what its
 * function allows; what holds in the end. */
void job_spec_limits_decode(struct job_spec_draft *d, const json_t *value, const char *pointer);
void job_spec_leftover_decode(struct job_spec_draft *d, const json_t *value,
                              const char *pointer);
void job_spec_limits_check(struct job_spec_draft *d);
void job_spec_limits_fill(struct job_spec_draft *d);

/* job_spec_retry.c: the decoder of retry, and what holds in the end. */
void job_spec_retry_decode(struct job_spec_draft *d, const json_t *value, const char *pointer);
void job_spec_retry_fill(struct job_spec_draft *d);

/* job_spec_unique.c: the decoder of unique, and what its jobs have in common. */
void job_spec_unique_decode(struct job_spec_draft *d, const json_t *value, const char *pointer);
void job_spec_unique_fill(struct job_spec_draft *d);

/* job_spec_inputs.c: the decoder of inputs. */
void job_spec_inputs_decode(struct job_spec_draft *d, const json_t *value, const char *pointer);

/* A member that a nested object has and should not; table holds the count names that it may
 * have. */
void job_spec_unknown(struct job_spec_draft *d, const char *pointer, const char *name,
                      const char *const *table, size_t count);
/* A value of base64 text: adds a fault unless it is a string of it. */
void job_spec_base64_decode(struct job_spec_draft *d, const json_t *value, const char *pointer);
/* A number of seconds up to max_seconds; `zero`: 0 is allowed. */
void job_spec_seconds_decode(struct job_spec_draft *d, const json_t *value, const char *pointer,
                             bool zero, int max_seconds, usec_t *ret_us);

/* Whether value has this type (json_is_*() said so); adds "must be <want>, not <type>" if not.
 */
bool job_spec_want(struct job_spec_draft *d, bool has_type, const json_t *value,
                   const char *pointer, const char *want);

#endif
