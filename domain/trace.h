/* domain/trace.h - W3C Trace Context (level 1): the headers traceparent and tracestate.
 *
 * jobd joins a trace and starts none: a job whose request came without a valid traceparent has
 * none. The job itself is a span below the one that the client named; its id is made from the
 * job's, so that all that shows the job agrees on it. Pure; any thread.
 */
#ifndef JOBD_DOMAIN_TRACE_H
#define JOBD_DOMAIN_TRACE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/uuid7.h"

#define TRACE_PARENT_SIZE     56 /* with the NUL */
#define TRACE_ID_SIZE         33
#define TRACE_STATE_MAX_BYTES 512
#define TRACE_STATE_MAX_ITEMS 32

/* What a request says. */
struct trace {
    char parent[TRACE_PARENT_SIZE]; /* as version 00; "": no trace */
    char state[TRACE_STATE_MAX_BYTES + 1];
    bool state_lost; /* it was not valid, or too much */
};

/* False, and *ret_trace untouched, for what is not valid; a version that is not known yet is
 * read as 00. state is emptied. */
bool trace_parse(const char *traceparent, struct trace *ret_trace);
/* Add one line of tracestate: the lines of several headers make one list. What is not valid or
 * too much empties it for good. */
void trace_add_state(struct trace *t, const char *line);

/* The trace-id of a traceparent that trace_parse() has made. Returns room. */
char *trace_id(const char *parent, char room[TRACE_ID_SIZE]);

/* A member of a job's payload, and what it says of that job: the traceparent of its own span,
 * "" when payload has none, and the tracestate, NULL when there is none (borrowed). */
json_t *trace_encode(const struct trace *t);
void trace_of_job(const json_t *payload, struct uuid7 id, char ret_parent[TRACE_PARENT_SIZE],
                  const char **ret_state);
#define TRACE_MEMBER "trace"

#endif
