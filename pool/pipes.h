/* pool/pipes.h - the four pipes of a program that runs, as the worker holds them.
 *
 * Its stdin is written and its stdout, stderr and job channel are read as the descriptors
 * allow, so neither side ever waits for the other. One thread.
 */
#ifndef JOBD_POOL_PIPES_H
#define JOBD_POOL_PIPES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "domain/outcome.h"
#include "pool/lines.h"
#include "pool/loop.h"
#include "pool/spawn.h"

enum pipe_name { PIPE_STDIN, PIPE_STDOUT, PIPE_STDERR, PIPE_CHANNEL, PIPE_MAX_ };

struct pipes_conf {
    /* Bytes of an output stream, and whole lines of the job channel. Must not close the pipes.
     */
    void (*on_output)(void *ctx, enum stream stream, const char *block, size_t len);
    void (*on_line)(void *ctx, const char *line, size_t len);
    /* After them, once for each time that something could be read: may do anything. */
    void (*on_read)(void *ctx);
    void *ctx;
};

struct pipes;

struct pipe_end {
    struct watch watch;
    struct pipes *pipes;
    enum pipe_name name;
    int fd; /* -1: closed */
};

/* Stays in place while it is open. pipes_close() accepts a zeroed one. */
struct pipes {
    struct loop *loop; /* NULL: never opened */
    struct pipes_conf conf;
    struct pipe_end ends[PIPE_MAX_];
    struct buf input; /* waits for room in the pipe, or for the end of the loop's turn */
    struct task flush;
    bool input_ends;    /* close stdin when input is written */
    bool input_refused; /* the program has closed its stdin */
    struct lines lines;
    uint64_t drained_turn;    /* of the loop: everything was read in it */
    int held[SPAWN_FD_COUNT]; /* the program's ends, as far as we hold them, too; else -1 */
};

/* child_fds are the program's ends, 0..3: for spawn(), then pipes_close_child(). On failure
 * nothing is open. */
int pipes_open(struct pipes *p, struct loop *l, const struct pipes_conf *conf,
               int child_fds[SPAWN_FD_COUNT], struct errinfo *e);
void pipes_close_child(int child_fds[SPAWN_FD_COUNT]);
/* Instead of closing them, but for that of stdin: keep them, so that the end of the program is
 * no end of its pipes, of which we would be told one by one. They are taken, and closed by
 * pipes_let_go() or pipes_close(). */
void pipes_hold(struct pipes *p, int take_child_fds[SPAWN_FD_COUNT]);
void pipes_let_go(struct pipes *p);
/* Nobody writes any more: drain, and what is left in the channel is its last line. */
void pipes_finish(struct pipes *p);
/* Write to stdin, after what waits there already. A program that does not read it is no error.
 */
void pipes_write(struct pipes *p, const void *block, size_t len);
/* The same, but at the end of the loop's turn, with what else is put in it. */
void pipes_put(struct pipes *p, const void *block, size_t len);
/* Close stdin once everything is written. */
void pipes_end_input(struct pipes *p);
/* How many of the bytes written the program has not read, as long as stdin is open; else 0. */
size_t pipes_unread(const struct pipes *p);
/* Read all that is there now. Calls on_output and on_line, not on_read. */
void pipes_drain(struct pipes *p);
/* Whether that was done in this turn of the loop. */
bool pipes_looked(const struct pipes *p);
/* Whether stdout, stderr and the channel have all been read to their end. */
bool pipes_at_end(const struct pipes *p);
/* Whether a line was longer than LINES_LENGTH_MAX: the channel is only discarded since. */
bool pipes_overlong(const struct pipes *p);
void pipes_close(struct pipes *p);

#endif
