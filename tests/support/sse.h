/* tests/support/sse.h - a client of a stream of events, as an EventSource is one: on a thread
 * of its own, reading while it comes, and coming back with the last id when it is asked to. */
#ifndef JOBD_TESTS_SUPPORT_SSE_H
#define JOBD_TESTS_SUPPORT_SSE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "tests/support/api.h"

struct sse_event {
    int64_t id;
    char kind[32];
    char *data;
    usec_t at_us; /* monotonic: when it came */
};

struct sse {
    pthread_t thread;
    char *url;
    const char *last_id; /* to begin with; NULL: none. Borrowed */
    const char *token;   /* a bearer key; NULL: none. Borrowed */
    bool comes_back;     /* after each end but a 204 or an error, until sse_stop() */

    pthread_mutex_t mutex; /* guards what follows: read it through the functions below, or
                              when the thread has ended (sse_await_end(), sse_stop()) */
    pthread_cond_t changed;
    struct buf line;
    struct sse_event next; /* of which lines have come */
    int64_t last_seen;     /* the id of the last event that is complete */
    struct sse_event *events;
    size_t count;
    size_t room;
    size_t beats;
    size_t connections;
    long status; /* of the last answer */
    int code;    /* CURLcode of the last one */
    bool stop;
    bool done;
};

/* s is zeroed but for last_id, token and comes_back. */
void sse_start(struct sse *s, const struct api *a, const char *path);
/* Until it has received so many events, heartbeats, or its end: fails the test after 60 s. */
void sse_await_events(struct sse *s, size_t count);
void sse_await_beats(struct sse *s, size_t count);
/* What has come, while more comes: the event's data stays until sse_fini(). */
struct sse_event sse_event_at(struct sse *s, size_t index);
size_t sse_count(struct sse *s);
size_t sse_beats(struct sse *s);
/* Until the stream has ended. */
void sse_await_end(struct sse *s);
/* Break the connection, if it is open, and end. */
void sse_stop(struct sse *s);
void sse_fini(struct sse *s);
DEFINE_AUTO_FINI(sse, struct sse)

#endif
