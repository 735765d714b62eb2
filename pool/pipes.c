#include "pool/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"

#define CHUNK_SIZE  65536
#define READS_EVENT 8    /* chunks for one event, so that the rest of the loop gets its turn */
#define READS_DRAIN 1024 /* when nobody should be writing any more: only against the absurd */
#define NO_FDS_CHILD                                                                           \
    {                                                                                          \
        -1, -1, -1, -1                                                                         \
    }

static void end_close(struct pipe_end *end)
{
    loop_unwatch(end->pipes->loop, &end->watch);
    fd_fini(&end->fd);
}

/* ---- stdin --------------------------------------------------------------------------------
 */

static void write_some(struct pipes *p)
{
    struct pipe_end *end = &p->ends[PIPE_STDIN];
    struct errinfo e;

    while (p->input.len > 0 && !p->input_refused) {
        ssize_t n = sys.write(end->fd, p->input.data, p->input.len);

        if (n >= 0)
            buf_consume(&p->input, (size_t)n);
        else if (errno == EAGAIN &&
                 (end->watch.fd >= 0 ||
                  loop_watch(p->loop, &end->watch, end->fd, EPOLLOUT, &e) == 0))
            return; /* when there is room */
        else if (errno != EINTR)
            p->input_refused = true; /* EPIPE: nobody can read it any more */
    }
    loop_unwatch(p->loop, &end->watch);
    if (p->input_ends)
        end_close(end);
}

/* What waits for room is written when there is some. */
static void flush(void *ctx)
{
    struct pipes *p = ctx;
    const struct pipe_end *end = &p->ends[PIPE_STDIN];

    if (p->input.len > 0 && end->fd >= 0 && end->watch.fd < 0)
        write_some(p);
}

void pipes_put(struct pipes *p, const void *block, size_t len)
{
    if (p->ends[PIPE_STDIN].fd < 0)
        return;
    buf_add(&p->input, block, len);
    loop_defer(p->loop, &p->flush);
}

void pipes_write(struct pipes *p, const void *block, size_t len)
{
    pipes_put(p, block, len);
    loop_cancel_task(p->loop, &p->flush);
    flush(p);
}

void pipes_end_input(struct pipes *p)
{
    p->input_ends = true;
    if (p->input.len == 0 || p->input_refused)
        end_close(&p->ends[PIPE_STDIN]);
    else
        flush(p);
}

size_t pipes_unread(const struct pipes *p)
{
    int in_pipe = 0;

    if (p->ends[PIPE_STDIN].fd < 0 || ioctl(p->ends[PIPE_STDIN].fd, FIONREAD, &in_pipe) < 0)
        return 0;
    return (size_t)in_pipe + p->input.len;
}

/* ---- what the program says ----------------------------------------------------------------
 */

static void take_lines(struct pipes *p, bool at_end)
{
    const char *line;
    size_t len;

    while (lines_next(&p->lines, &line, &len))
        p->conf.on_line(p->conf.ctx, line, len);
    if (at_end && lines_rest(&p->lines, &line, &len))
        p->conf.on_line(p->conf.ctx, line, len);
}

static void take_block(struct pipe_end *end, const char *block, size_t len)
{
    struct pipes *p = end->pipes;

    if (end->name == PIPE_CHANNEL) {
        lines_add(&p->lines, block, len);
        take_lines(p, false);
    } else {
        p->conf.on_output(p->conf.ctx, end->name == PIPE_STDOUT ? STREAM_STDOUT : STREAM_STDERR,
                          block, len);
    }
}

static void take_end(struct pipe_end *end)
{
    if (end->name == PIPE_CHANNEL)
        take_lines(end->pipes, true);
    end_close(end);
}

/* Until the pipe is empty or at its end; to_the_end: that there is one will not be told. */
static void read_some(struct pipe_end *end, int max_reads, bool to_the_end)
{
    char chunk[CHUNK_SIZE];

    while (end->fd >= 0 && max_reads-- > 0) {
        ssize_t n = read(end->fd, chunk, sizeof chunk);

        if (n > 0)
            take_block(end, chunk, (size_t)n);
        if (n > 0 && n < CHUNK_SIZE && !to_the_end)
            return; /* a pipe gives all that it has, and the next turn tells of more */
        if (n > 0)
            continue;
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            take_end(end);
        else if (errno == EAGAIN)
            return;
    }
}

static void on_ready(void *ctx, uint32_t events)
{
    struct pipe_end *end = ctx;
    struct pipes *p = end->pipes;

    (void)events;
    if (end->name == PIPE_STDIN) {
        write_some(p);
        return;
    }
    read_some(end, READS_EVENT, end->name != PIPE_CHANNEL);
    p->conf.on_read(p->conf.ctx);
}

bool pipes_looked(const struct pipes *p)
{
    return p->drained_turn == loop_turns(p->loop);
}

/* One call instead of one for each pipe: most often there is nothing. */
void pipes_drain(struct pipes *p)
{
    struct pollfd ready[PIPE_MAX_] = { 0 };

    p->drained_turn = loop_turns(p->loop);
    for (int i = 0; i < PIPE_MAX_; i++)
        ready[i] =
            (struct pollfd){ .fd = i == PIPE_STDIN ? -1 : p->ends[i].fd, .events = POLLIN };
    while (poll(ready, PIPE_MAX_, 0) < 0 && errno == EINTR)
        ;
    for (int i = PIPE_STDOUT; i < PIPE_MAX_; i++)
        if (ready[i].revents != 0)
            read_some(&p->ends[i], READS_DRAIN, true);
}

void pipes_finish(struct pipes *p)
{
    pipes_drain(p);
    if (p->ends[PIPE_CHANNEL].fd >= 0)
        take_lines(p, true);
}

bool pipes_at_end(const struct pipes *p)
{
    return p->ends[PIPE_STDOUT].fd < 0 && p->ends[PIPE_STDERR].fd < 0 &&
           p->ends[PIPE_CHANNEL].fd < 0;
}

bool pipes_overlong(const struct pipes *p)
{
    return p->lines.overlong;
}

/* ---- opening and closing ------------------------------------------------------------------
 */

static int open_end(struct pipes *p, enum pipe_name name, int *ret_child_fd, struct errinfo *e)
{
    struct pipe_end *end = &p->ends[name];
    bool ours_writes = name == PIPE_STDIN;
    int fds[2];

    if (sys.pipe2(fds, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    end->fd = fds[ours_writes ? 1 : 0];
    *ret_child_fd = fds[ours_writes ? 0 : 1];
    /* Ours only: the other end is another open file description. */
    if (fcntl(end->fd, F_SETFL, O_NONBLOCK) < 0)
        return err_sys(e, "fcntl(O_NONBLOCK)");
    if (ours_writes)
        return 0;
    return loop_watch(p->loop, &end->watch, end->fd, EPOLLIN, e);
}

int pipes_open(struct pipes *p, struct loop *l, const struct pipes_conf *conf,
               int child_fds[SPAWN_FD_COUNT], struct errinfo *e)
{
    int fds[SPAWN_FD_COUNT] = NO_FDS_CHILD;

    *p = (struct pipes){ .loop = l,
                         .conf = *conf,
                         .held = NO_FDS_CHILD,
                         .flush = { .run = flush, .ctx = p },
                         .drained_turn = UINT64_MAX };
    for (int i = 0; i < PIPE_MAX_; i++) {
        struct pipe_end *end = &p->ends[i];

        *end = (struct pipe_end){ .pipes = p, .name = (enum pipe_name)i, .fd = -1 };
        end->watch = (struct watch){ .fd = -1, .on_ready = on_ready, .ctx = end };
    }
    for (int i = 0; i < PIPE_MAX_; i++)
        if (open_end(p, (enum pipe_name)i, &fds[i], e) < 0) {
            pipes_close_child(fds);
            pipes_close(p);
            return ERR_SYS;
        }
    for (int i = 0; i < SPAWN_FD_COUNT; i++)
        child_fds[i] = fds[i];
    return 0;
}

void pipes_close_child(int child_fds[SPAWN_FD_COUNT])
{
    for (int i = 0; i < SPAWN_FD_COUNT; i++)
        fd_fini(&child_fds[i]);
}

void pipes_hold(struct pipes *p, int take_child_fds[SPAWN_FD_COUNT])
{
    fd_fini(&take_child_fds[PIPE_STDIN]); /* or nobody would ever be told that it is not read */
    for (int i = 0; i < SPAWN_FD_COUNT; i++)
        p->held[i] = fd_take(&take_child_fds[i]);
}

void pipes_let_go(struct pipes *p)
{
    if (p->loop)
        pipes_close_child(p->held);
}

void pipes_close(struct pipes *p)
{
    if (!p->loop)
        return;
    loop_cancel_task(p->loop, &p->flush);
    pipes_let_go(p);
    for (int i = 0; i < PIPE_MAX_; i++)
        end_close(&p->ends[i]);
    buf_fini(&p->input);
    lines_fini(&p->lines);
    p->loop = NULL;
}
