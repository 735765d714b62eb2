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
    int64_t kept_bytes;  /* of these, kept: always the first ones */
    bool spilled;        /* kept in a file of the data directory; else in data */
    char *data;          /* kept_bytes bytes when not spilled; NULL when there are none */
};

enum result_kind {
    RESULT_NONE,
    RESULT_JSON,   /* `result` holds one JSON text */
    RESULT_STDOUT, /* the kept stdout is the result */
    RESULT_KIND_MAX_
};

struct outcome {
    struct uuid7 job_id;
    int attempt;
    enum cause cause; /* CAUSE_NONE: success */
    int exit_code;    /* -1 when the main process did not exit by itself */
    int signal;       /* 0 when it was not killed by a signal */
    char *message;    /* the particulars for people, or NULL */
    usec_t started_at_us;
    usec_t finished_at_us;
    usec_t user_cpu_us;
    usec_t system_cpu_us;
    int64_t max_rss_bytes;
    int leftovers_killed; /* processes that outlived the main process */
    int pid;              /* of the main process; 0 when there was none */
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
