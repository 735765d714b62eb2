/* domain/function.h - the functions that clients may call by name, from the configuration.
 *
 * A `command` function is one exec for each attempt; {name} in its arguments is replaced from
 * the job's args. A `program` function is a warm program that takes one job after another. The
 * table is made once at start and only read afterwards: any thread.
 */
#ifndef JOBD_DOMAIN_FUNCTION_H
#define JOBD_DOMAIN_FUNCTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clean.h"
#include "base/clock.h"
#include "base/err.h"
#include "domain/faults.h"
#include "domain/leftover.h"
#include "domain/limits.h"
#include "domain/retry.h"

struct args_schema; /* domain/args_schema.h */

#define FUNCTION_NAME_MAX        64
#define FUNCTION_WORKERS_MAX     256
#define FUNCTION_CONCURRENCY_MAX 64

#define FUNCTION_READY_TIMEOUT_US (30 * USEC_PER_SEC) /* when `ready` names none */

enum function_kind { FUNCTION_COMMAND, FUNCTION_PROGRAM };

struct function {
    char *name;
    char *description; /* for people; may be NULL */
    enum function_kind kind;
    char **argv; /* argc entries and a NULL */
    size_t argc;
    usec_t timeout_us; /* of a job that names none; 0: none */
    usec_t grace_us;
    bool result_from_stdout;         /* command functions: stdout is the result */
    bool takes_inputs;               /* command functions: jobs may bring files along */
    struct limits limits;            /* of every job; a job may lower them */
    enum leftover leftover;          /* of a job that names none */
    struct retry_policy retry;       /* of a job that names none */
    struct args_schema *args_schema; /* what args must be; NULL: anything */
    /* What follows is for program functions. */
    unsigned workers;        /* how many programs run at once */
    unsigned concurrency;    /* jobs that a program takes at once; 0 is 1 */
    unsigned max_jobs;       /* until a program is replaced; 0: no limit */
    int64_t max_rss_bytes;   /* the same */
    usec_t max_age_us;       /* the same */
    usec_t ready_timeout_us; /* within which it says that it is ready; 0: it need not say it */
};

struct function_table {
    struct function *items;
    size_t count;
    struct limits command_limits; /* of every job that names no function */
};

/* Borrowed from the table; NULL when there is none of that name. */
const struct function *function_find(const struct function_table *t, const char *name);
/* "" for a command function, else its name: the pool that runs its jobs. Borrowed. */
const char *function_pool(const struct function *fn);

/* The limits that no job of this function may raise; fn is NULL for a command job. Borrowed. */
const struct limits *function_ceiling(const struct function_table *t,
                                      const struct function *fn);

/* Check the syntax of one configured argument: braces must pair, {name} is
 * [A-Za-z_][A-Za-z0-9_]*, {{ and }} stand for the braces themselves. ERR_CONFIG. */
int function_check_template(const char *text, struct errinfo *e);

/* The distinct placeholder names of a function, in order of appearance, as a new JSON array. A
 * program function has none: its arguments are its own. */
json_t *function_parameters(const struct function *fn);

/* Add a fault for all that the schema finds wrong with args (may be NULL: not sent), and for
 * every placeholder that it does not fill with a string, a number or a boolean, at "#/args...".
 */
void function_check_args(const struct function *fn, const json_t *args, struct faults *f);

/* Append one argument with its placeholders filled. ERR_VALIDATION when one cannot be filled or
 * the argument grows beyond JOB_ARG_MAX_BYTES. */
int function_expand(const char *text, const json_t *args, struct buf *out, struct errinfo *e);

void function_fini(struct function *fn);
void function_table_fini(struct function_table *t);

#endif
