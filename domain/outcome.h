/* domain/outcome.h - how one attempt ended, and what it cost.
 *
 * Made by the worker, carried over the wire (pool/proto.h), written to the ledger by the
 * engine. Plain data; every pointer is owned by the struct.
 */
#ifndef JOBD_DOMAIN_OUTCOME_H
#define JOBD_DOMAIN_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/uuid7.h"
#include "domain/limits.h"

enum cause {
#define CAUSE(symbol, slug, kind, message) CAUSE_##symbol,
#include "domain/cause.def"
#undef CAUSE
    CAUSE_MAX_
};

struct cause_meta {
    const char *slug;
    const char *kind;    /* "job" or "system" */
    const char *message; /* one constant sentence, without the particulars */
};

const struct cause_meta *cause_meta(enum cause cause);
/* The cause with this slug, or -1. */
int cause_parse(const char *slug);

enum stream { STREAM_STDOUT, STREAM_STDERR, STREAM_MAX_ };

const char *stream_name(enum stream stream); /* "stdout", "stderr" */
int stream_parse(const char *name);          /* -1 for anything else */

/* What is kept of one output stream. */
struct capture {
    int64_t total_bytes; /* written by the program */
    int64_t kept_bytes; /* of these, kept: head_bytes from the start, the others from the end */
    int64_t head_bytes; /* 0: all kept ones are from the start */
    bool spilled;       /* kept in a file of the data directory; else in data */
    char *data;         /* kept_bytes bytes when not spilled; NULL when there are none */
};

enum result_kind {
    RESULT_NONE,
    RESULT_JSON,   /* `result` holds one JSON text */
    RESULT_STDOUT, /* the kept stdout is the result */
    RESULT_KIND_MAX_
};

/* What held the processes of an attempt together. */
enum containment {
    CONTAINMENT_NONE, /* not said */
    CONTAINMENT_SUBREAPER,
    CONTAINMENT_CGROUP, /* and the subreaper, for those that leave it */
    CONTAINMENT_MAX_
};

/* "none", "subreaper", "cgroup". */
const char *containment_name(enum containment containment);

struct outcome {
    struct uuid7 job_id;
    int attempt;
    enum cause cause;    /* CAUSE_NONE: success */
    int exit_code;       /* -1 when the main process did not exit by itself */
    int signal;          /* 0 when it was not killed by a signal */
    int64_t fingerprint; /* of the kind of failure, when the job has failed by it; else 0 */
    char *message;       /* the particulars for people, or NULL */
    char *spawn_stage;   /* SPAWN_FAILED: what was tried last ("execve", "chdir"), or NULL */
    int spawn_errno;     /* SPAWN_FAILED: why it failed; 0: not known */
    usec_t started_at_us;
    usec_t finished_at_us;
    usec_t user_cpu_us;
    usec_t system_cpu_us;
    int64_t max_rss_bytes;
    int64_t
        voluntary_switches; /* of context, with those of all children that were waited for */
    int64_t involuntary_switches;
    enum containment containment;
    unsigned limits_enforced;  /* bit 1 << limit: these were in force */
    unsigned limits_by_cgroup; /* of these, for the whole tree and not each process */
    unsigned limits_exceeded;  /* what the attempt ended of, as far as that is known */
    int leftovers_killed;      /* processes that outlived the main process */
    int pid;                   /* of the main process; 0 when there was none */
    struct capture captures[STREAM_MAX_];
    enum result_kind result_kind;
    char *result; /* result_len bytes with RESULT_JSON, else NULL */
    size_t result_len;
};

/* Whether the attempt counts for nothing: the job goes back to the queue as it was. */
bool outcome_is_release(const struct outcome *o);
void outcome_fini(struct outcome *o);
DEFINE_AUTO_FINI(outcome, struct outcome)

#endif
