/* domain/job.h - a job as the ledger knows it. Plain data, one thread at a time. */
#ifndef JOBD_DOMAIN_JOB_H
#define JOBD_DOMAIN_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/uuid7.h"
#include "domain/job_state.h"
#include "domain/outcome.h"

#define JOB_NAME_MAX            128
#define JOB_QUEUE_MAX           128
#define JOB_QUEUE_DEFAULT       "default"
#define JOB_PRIORITY_MIN        (-1000)
#define JOB_PRIORITY_MAX        1000
#define JOB_ARGS_MAX            1024
#define JOB_ARG_MAX_BYTES       131071 /* one argument or NAME=value: MAX_ARG_STRLEN */
#define JOB_ARGS_MAX_BYTES      524288 /* all arguments; all of env; NULs included */
#define JOB_ENV_MAX             256
#define JOB_LABELS_MAX          64
#define JOB_LABEL_NAME_MAX      128  /* characters, as in JOB_NAME_MAX */
#define JOB_LABEL_VALUE_MAX     1024 /* characters */
#define JOB_TIMEOUT_MAX_SECONDS (31 * 86400)
#define JOB_GRACE_MAX_SECONDS   3600
#define JOB_GRACE_DEFAULT_US    (10 * USEC_PER_SEC)
#define JOB_DELAY_MAX_SECONDS   (10 * 366 * 86400)
#define JOB_TTL_MAX_SECONDS     (10 * 366 * 86400)
#define JOB_REASON_MAX          256

struct unique_rule; /* domain/unique.h */

/* Times that have not happened are 0; texts that are not set are NULL. */
struct job {
    struct uuid7 id;
    enum job_state state;
    int64_t version;     /* 1 when created, one more with every change */
    char *tenant;        /* whose it is; NULL and "": the default tenant */
    char *created_by;    /* the id of the API key that submitted it; NULL: nobody's */
    struct uuid7 batch;  /* that it is a member of; zero: none */
    int64_t array_place; /* its index in the array of its batch, and one; 0: in none */
    int64_t fingerprint; /* of the kind of its failure (domain/fingerprint.h); 0: none */
    int64_t change_seq;  /* the ledger's global count of changes at the last one */
    char *function;      /* NULL for a `command` job */
    char *pool; /* who runs it: "" the command workers, else a program function's name */
    char *queue;
    char *name;
    int priority;               /* higher first */
    usec_t timeout_us;          /* 0: none */
    usec_t grace_us;            /* from the polite signal to the one that cannot be refused */
    struct unique_rule *unique; /* what a submit must look for; NULL: nothing. Not read back */
    /* A JSON object: command, args, stdin, env, labels, inputs, unique as they were sent;
     * limits, leftover and retry as they hold, when they are not the default. */
    char *payload;
    size_t payload_len;
    usec_t created_at_us;
    usec_t scheduled_at_us; /* run_at; 0 when it could run at once */
    usec_t queued_at_us;
    usec_t started_at_us; /* of the current attempt */
    usec_t finished_at_us;
    usec_t updated_at_us;
    usec_t cancel_requested_at_us;
    usec_t ttl_us; /* kept for so long once it has ended; 0: as long as the server keeps jobs;
                    * < 0: somebody has asked for its removal */
    usec_t expires_at_us; /* then it is removed; 0: not known here, or never */
    char *reason;         /* why it was canceled, or why it waits */
    int attempt;          /* 0 before the first claim, one more with each; fences outcomes */
    int releases;         /* attempts that were given back: they do not count as tried */
    int progress_ppm;     /* of the current attempt, in parts per million; -1: not said */
    char *progress_message;
    usec_t progress_at_us;
    int64_t worker_id; /* owner while running or canceling, else of the last attempt; 0: none */
    int worker_pid;
    bool has_outcome;       /* outcome below is that of attempt `attempt` */
    struct outcome outcome; /* without captures' data; result only when it was asked for */
};

static inline const char *job_tenant(const struct job *job)
{
    return job->tenant ? job->tenant : "";
}

/* Fill in when a job that has ended expires, if the server keeps jobs for retention_us (0: for
 * ever) and it has no time of its own. */
void job_set_expiry(struct job *job, usec_t retention_us);

void job_fini(struct job *job);
DEFINE_AUTO_FINI(job, struct job)

#endif
