/* domain/event.h - what has happened to a job or a batch, one line of the event log. Plain
 * data.
 *
 * Every change that the ledger commits is one event; its number is the ledger's change
 * sequence, so that events of all jobs have one order, which is that of the commits. The events
 * of one subject form a chain: each names the one before it, and the subject's row the last.
 */
#ifndef JOBD_DOMAIN_EVENT_H
#define JOBD_DOMAIN_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/uuid7.h"
#include "domain/job_state.h"

enum event_kind {
#define EVENT(symbol, name) EVENT_##symbol,
#include "domain/event.def"
#undef EVENT
    EVENT_KIND_MAX_
};

/* Texts are borrowed; NULL: there is none. */
struct event {
    int64_t seq;
    int64_t prev_seq; /* of the event before it of the same subject; 0: it is the first */
    enum event_kind kind;
    struct uuid7 subject; /* the job, or the batch for batch.* */
    usec_t at_us;
    enum job_state state; /* of the job, after it; for batch.* without meaning */
    int64_t version;      /* of the subject, after it */
    int attempt;
    int progress_ppm; /* job.progress; -1: not said */
    const char *reason;
    const char *queue; /* of the job; "" for batch.* */
    const char *function;
    const char *tenant; /* "": the default one */
};

/* "job.succeeded" and so on. */
const char *event_kind_name(enum event_kind kind);
/* The kind of that name, or -1. */
int event_kind_parse(const char *name);
/* Whether the subject is a batch, and not a job. */
bool event_kind_is_batch(enum event_kind kind);
/* Whether the subject has come to its end. */
bool event_kind_is_final(enum event_kind kind);

/* Which events somebody wants. Texts are borrowed; NULL: any. Zeroed is all events. */
struct event_filter {
    uint64_t kinds;       /* bit 1 << kind; 0: any */
    unsigned states;      /* bit 1 << state; 0: any. Batches have none */
    const char *queue;    /* jobs of this queue */
    const char *function; /* jobs of this function; "": command jobs */
    const char *tenant;
    bool has_subject;
    struct uuid7 subject;
};
bool event_matches(const struct event *ev, const struct event_filter *f);

#endif
