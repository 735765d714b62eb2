/* engine/links.h - the connections of the workers: accept, frame, deliver, send.
 *
 * Belongs to the engine thread. Descriptors are watched by the engine's epoll; what arrives is
 * handed to the callbacks during links_accept(), links_event() and links_read_rest(). A link
 * that breaks is only marked: links_reap() frees it, so pointers stay valid within one round of
 * events.
 */
#ifndef JOBD_ENGINE_LINKS_H
#define JOBD_ENGINE_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clean.h"
#include "base/clock.h"
#include "base/err.h"
#include "engine/pace.h"
#include "pool/proto.h"

struct links;

/* One worker. Read-only outside links.c. */
struct link {
    int64_t worker_id; /* 0 until its HELLO */
    int pid;
    char pool[65];
    unsigned capacity; /* attempts that it takes at once; 0: none now */
    usec_t started_at_us;
    int64_t jobs_total; /* attempts that it has ended */
    struct pace pace;
    struct proto_status status; /* of the host of a program: the latest */
    int fd;
    bool broken;  /* closed or misbehaving: to be reaped */
    bool writing; /* EPOLLOUT is asked for */
    struct buf in;
    struct buf out;
    struct link *next;
};

struct links_events {
    /* Also again on the same link, when a worker retires: its capacity is 0 from then on. */
    void (*on_hello)(void *ctx, struct link *link, const struct proto_hello *hello);
    /* outcome is taken. */
    void (*on_outcome)(void *ctx, struct link *link, struct outcome *take_outcome);
    /* progress is borrowed. */
    void (*on_progress)(void *ctx, struct link *link, const struct proto_progress *progress);
    void *ctx;
};

/* listen_fd is taken. In the epoll set the listener's data.ptr is the links, a worker's its
 * link. */
int links_new(int epoll_fd, int take_listen_fd, const struct links_events *events,
              struct links **ret_links, struct errinfo *e);
struct links *links_free(struct links *ls);
DEFINE_AUTO(links, struct links)

/* Accept all that wait. When descriptors have run out none is accepted for a while. */
void links_accept(struct links *ls);
/* Until when none is accepted: monotonic; 0: any time. Its end is noticed by this call. */
usec_t links_pause_end_us(struct links *ls);
/* A worker's descriptor is ready. */
void links_event(struct links *ls, struct link *link, uint32_t epoll_events);
/* Accept and read everything that is there now, from everybody: what a dead worker left behind.
 */
void links_read_rest(struct links *ls);
/* Send what has been put into link->out, now or when the socket takes it. */
void links_flush(struct links *ls);
/* Free the broken ones. */
void links_reap(struct links *ls);

/* The first link; go on with ->next. May include broken ones and ones without a HELLO. */
struct link *links_first(struct links *ls);
/* The worker's live link, or NULL. */
struct link *links_find(struct links *ls, int64_t worker_id);
/* One of the workers that run commands is told to empty the trash; when there is none, the next
 * one looks when it starts. */
void links_tidy(struct links *ls);
/* Live links that said HELLO. */
unsigned links_count(struct links *ls);

#endif
