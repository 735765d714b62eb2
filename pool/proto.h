/* pool/proto.h - the frames between the front and a worker, over run/front.sock (a stream
 * socket).
 *
 * A frame is a 32-bit length of what follows, one type byte, and the fields in a fixed order:
 * integers little-endian, texts and bytes with a 32-bit length (0xffffffff: NULL). Both ends
 * are the same build or its successor; HELLO carries PROTO_VERSION and a mismatch ends the
 * connection.
 *
 *   worker -> front                       front -> worker
 *   HELLO    who I am, what I hold        RUN     start this attempt
 *   OUTCOME  how an attempt ended         CANCEL  stop this attempt
 *   PROGRESS what an attempt says         ACK     this outcome is on disk: forget it
 *   STATUS   what I can take now         TIDY    there is something in the trash
 *
 * A worker that loses its connection reads what is left in it, reconnects, and says HELLO with
 * the attempts that it still holds; unacknowledged outcomes follow. So the front learns exactly
 * what was started. Pure encoding and decoding, no I/O: any thread. Decoders bound every
 * length: a frame that does not parse is ERR_PROTOCOL.
 */
#ifndef JOBD_POOL_PROTO_H
#define JOBD_POOL_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "domain/order.h"
#include "domain/outcome.h"

#define PROTO_VERSION   3
#define PROTO_FRAME_MAX ((size_t)64 * 1024 * 1024)
#define PROTO_HELD_MAX  256

enum proto_type {
    PROTO_HELLO = 1,
    PROTO_RUN,
    PROTO_CANCEL,
    PROTO_OUTCOME,
    PROTO_ACK,
    PROTO_PROGRESS,
    PROTO_STATUS,
    PROTO_TIDY,
};

struct proto_attempt {
    struct uuid7 job_id;
    int attempt;
};

struct proto_hello {
    int64_t worker_id;
    int pid;
    char pool[65];        /* "" for a command worker */
    unsigned capacity;    /* attempts it holds at once; 0: none now */
    usec_t started_at_us; /* wall clock */
    int64_t jobs_total;   /* attempts that it has ended, without those in held */
    struct proto_attempt held[PROTO_HELD_MAX]; /* running, or ended and not acknowledged */
    unsigned held_count;
};

enum proto_state {
    PROTO_STATE_UP,
    PROTO_STATE_STARTING,     /* its program is not up */
    PROTO_STATE_CIRCUIT_OPEN, /* and will not be soon: it has failed to start again and again */
    PROTO_STATE_DRAINING,     /* it ends */
    PROTO_STATE_MAX_
};

#define PROTO_REASON_SIZE 256

/* Of the host of a warm program; takes the place of an earlier one. */
struct proto_status {
    enum proto_state state;
    unsigned capacity; /* as in HELLO, from now on */
    int program_pid;   /* 0: there is none */
    int64_t rss_bytes; /* of that process when it was last looked at; 0: not known */
    char reason[PROTO_REASON_SIZE]; /* why a start led to nothing; "" when it did not */
};

enum proto_cancel_mode {
    PROTO_CANCEL_GRACEFUL, /* SIGTERM, then after the grace SIGKILL */
    PROTO_CANCEL_FORCE,    /* SIGKILL now */
    PROTO_CANCEL_SHUTDOWN, /* as graceful; the outcome's cause is CAUSE_SHUTDOWN: jobd stops */
};

struct proto_cancel {
    struct uuid7 job_id;
    int attempt;
    enum proto_cancel_mode mode;
    usec_t grace_us; /* < 0: the order's own */
};

struct proto_progress {
    struct uuid7 job_id;
    int attempt;
    double fraction; /* 0..1; < 0: not given */
    char *message;   /* or NULL; owned */
};

/* Append one whole frame to out. */
void proto_put_hello(struct buf *out, const struct proto_hello *hello);
void proto_put_run(struct buf *out, const struct order *order);
void proto_put_cancel(struct buf *out, const struct proto_cancel *cancel);
void proto_put_outcome(struct buf *out, const struct outcome *outcome);
void proto_put_ack(struct buf *out, const struct proto_attempt *ack);
void proto_put_progress(struct buf *out, const struct proto_progress *progress);
void proto_put_status(struct buf *out, const struct proto_status *status);
void proto_put_tidy(struct buf *out);

/* The next whole frame at the start of in: *ret_type, and the body within in (borrowed until in
 * changes). Returns the frame's length in bytes (the caller consumes it), 0 when more bytes are
 * needed, ERR_PROTOCOL. */
int proto_next(const struct buf *in, enum proto_type *ret_type, const char **ret_body,
               size_t *ret_body_len, struct errinfo *e);

int proto_get_hello(const char *body, size_t len, struct proto_hello *ret, struct errinfo *e);
int proto_get_run(const char *body, size_t len, struct order *ret, struct errinfo *e);
int proto_get_cancel(const char *body, size_t len, struct proto_cancel *ret, struct errinfo *e);
int proto_get_outcome(const char *body, size_t len, struct outcome *ret, struct errinfo *e);
int proto_get_ack(const char *body, size_t len, struct proto_attempt *ret, struct errinfo *e);
int proto_get_progress(const char *body, size_t len, struct proto_progress *ret,
                       struct errinfo *e);
int proto_get_status(const char *body, size_t len, struct proto_status *ret, struct errinfo *e);
int proto_get_tidy(const char *body, size_t len, struct errinfo *e);

#endif
