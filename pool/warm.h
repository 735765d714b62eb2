/* pool/warm.h - one process of a warm program: its start, its pipes, and its end.
 *
 * The host (pool/program.h) has room for two, so that a worn one can be replaced by one that is
 * up already. What is signalled and swept here is the whole tree of this process and nothing of
 * its twin's (pool/kin.h). One thread.
 */
#ifndef JOBD_POOL_WARM_H
#define JOBD_POOL_WARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "domain/channel.h"
#include "domain/function.h"
#include "pool/cage.h"
#include "pool/kin.h"
#include "pool/loop.h"
#include "pool/pipes.h"
#include "pool/wear.h"

#define WARM_CONCURRENCY_MAX FUNCTION_CONCURRENCY_MAX

enum warm_state {
    WARM_NONE,     /* there is no process */
    WARM_STARTING, /* it gets no attempts yet */
    WARM_UP,
    WARM_RETIRING, /* it gets none any more, and ends when it holds none */
};

struct warm;

struct warm_conf {
    struct loop *loop;
    const struct function *fn;
    struct cage_host *cage;
    void (*on_output)(void *ctx, struct warm *w, enum stream stream, const char *block,
                      size_t len);
    /* A line of the channel with an id. */
    void (*on_line)(void *ctx, struct warm *w, struct channel_line *line);
    void (*on_read)(void *ctx, struct warm *w);   /* after those; may do anything */
    void (*on_change)(void *ctx, struct warm *w); /* it is up, or worn */
    void *ctx;
};

struct warm {
    const struct warm_conf *conf;
    struct warm *twin;
    enum warm_state state;
    pid_t pid;        /* of the process, or of the one that has ended; 0: there is none */
    struct kin kin;   /* all that is below it; its pid goes when the process ends */
    struct cage cage; /* of it and its children */
    struct pipes pipes;
    uint64_t written_bytes; /* to its stdin */
    uint64_t read_bytes;    /* of these, by it or its children; known from warm_bury() on */
    unsigned limit;         /* attempts that it takes at once */
    unsigned held;          /* attempts that it has: the host's to count */
    unsigned answers;
    usec_t started_us;
    bool has_said_ready;
    bool proven;    /* it was up, in the sense of pool/circuit.h */
    bool overdue;   /* it was not ready in time */
    bool dismissed; /* its end is wanted by the host */
    bool overlong;  /* its channel is lost: a line had no end */
    bool killed;
    bool ended; /* the host is to call warm_bury() */
    int wait_status;
    struct wear wear;
    struct timer up; /* STARTING: too late to be ready, or, on trial, long enough alive */
    struct timer age;
    struct timer kill;

    unsigned invalid_lines;
    char *invalid_reason;  /* of the first of them */
    struct buf last_words; /* the end of its stderr while it had no job */
};

/* conf and twin are borrowed. */
void warm_init(struct warm *w, const struct warm_conf *conf, struct warm *twin);
/* Only in WARM_NONE. A function with ready_timeout_us says itself when it is up; any other is
 * up at once, or, on trial, when it has lived for a second. on_change tells, perhaps before
 * this returns. On ERR_SYS there is no process; *ret_stage as spawn()'s. */
int warm_start(struct warm *w, bool trial, const char **ret_stage, struct errinfo *e);
/* Note a line of the channel that means nothing. */
void warm_count_invalid(struct warm *w, const char *reason);
/* Give it a line. */
void warm_write(struct warm *w, const void *block, size_t len);
/* One of the attempts that it had is over. */
void warm_let_go(struct warm *w);
/* Give it no more attempts; when it holds none, its stdin is closed, and it is killed when it
 * has not ended after the function's grace. */
void warm_retire(struct warm *w);
/* Its channel is lost: it must end very soon by itself, or is killed. */
void warm_expect_end(struct warm *w);
/* SIGKILL to the whole tree, again and again until it has ended. */
void warm_kill(struct warm *w);
/* Its process has ended and is reaped. */
void warm_ended(struct warm *w, int wait_status);
/* After that: prove that the tree is empty (none_left: it is), read what it left in
 * its pipes, and close them. Returns how many processes had to be killed. What is known of it
 * stays until warm_clear(). */
int warm_bury(struct warm *w, bool none_left);
/* Back to WARM_NONE. A process that is still there is killed with its tree. */
void warm_clear(struct warm *w);
/* Whether there is a process that has not ended. */
bool warm_is_alive(const struct warm *w);

#endif
