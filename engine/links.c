#include "engine/links.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#define READ_CHUNK_BYTES ((size_t)64 * 1024)
#define PAUSE_US         (100 * USEC_PER_MS)

struct links {
    int epoll_fd;
    int listen_fd;
    usec_t pause_end_us; /* 0: accepting */
    bool short_of_fds;   /* since the last one that was accepted, which was logged */
    struct link *list;
    struct links_events events;
};

static int watch(struct links *ls, int op, int fd, uint32_t events, void *ptr,
                 struct errinfo *e)
{
    struct epoll_event ev = { .events = events, .data.ptr = ptr };

    if (epoll_ctl(ls->epoll_fd, op, fd, &ev) < 0)
        return err_sys(e, "epoll_ctl");
    return 0;
}

int links_new(int epoll_fd, int take_listen_fd, const struct links_events *events,
              struct links **ret_links, struct errinfo *e)
{
    AUTO(links) struct links *ls = mem_new0(sizeof *ls);
    int r;

    ls->epoll_fd = epoll_fd;
    ls->listen_fd = take_listen_fd;
    ls->events = *events;
    r = watch(ls, EPOLL_CTL_ADD, ls->listen_fd, EPOLLIN, ls, e);
    if (r < 0)
        return r;
    *ret_links = TAKE(ls);
    return 0;
}

static void link_free(struct link *link)
{
    fd_fini(&link->fd);
    buf_fini(&link->in);
    buf_fini(&link->out);
    free(link);
}

struct links *links_free(struct links *ls)
{
    struct link *link;
    struct link *next;

    if (!ls)
        return NULL;
    LL_FOREACH_SAFE (ls->list, link, next)
        link_free(link);
    fd_fini(&ls->listen_fd);
    free(ls);
    return NULL;
}

static void link_break(struct link *link, const char *why)
{
    if (link->broken)
        return;
    link->broken = true;
    log_info("worker.disconnected", LI64("worker_id", link->worker_id),
             LI64("worker_pid", link->pid), LSTR("why", why));
}

/* -- what a worker says ---------------------------------------------------------------------
 */

static int take_hello(struct links *ls, struct link *link, const char *body, size_t len,
                      struct errinfo *e)
{
    struct proto_hello hello = { 0 };
    int r;

    r = proto_get_hello(body, len, &hello, e);
    if (r < 0)
        return r;
    if (link->worker_id != 0 &&
        (link->worker_id != hello.worker_id || !text_equal(link->pool, hello.pool)))
        return err_set(e, ERR_PROTOCOL, "a second HELLO, of another worker");
    link->worker_id = hello.worker_id;
    link->pid = hello.pid;
    link->capacity = hello.capacity;
    link->started_at_us = hello.started_at_us;
    link->jobs_total = hello.jobs_total;
    (void)memcpy(link->pool, hello.pool, sizeof link->pool);
    ls->events.on_hello(ls->events.ctx, link, &hello);
    return 0;
}

static int take_outcome(struct links *ls, struct link *link, const char *body, size_t len,
                        struct errinfo *e)
{
    struct outcome outcome = { 0 };
    int r;

    r = proto_get_outcome(body, len, &outcome, e);
    if (r < 0) {
        outcome_fini(&outcome);
        return r;
    }
    if (outcome_is_release(&outcome)) {
        pace_note_returned(&link->pace);
    } else {
        link->jobs_total++;
        pace_note(&link->pace, outcome.finished_at_us - outcome.started_at_us);
    }
    ls->events.on_outcome(ls->events.ctx, link, &outcome);
    return 0;
}

static int take_progress(struct links *ls, struct link *link, const char *body, size_t len,
                         struct errinfo *e)
{
    struct proto_progress progress = { 0 };
    int r;

    r = proto_get_progress(body, len, &progress, e);
    if (r == 0)
        ls->events.on_progress(ls->events.ctx, link, &progress);
    free(progress.message);
    return r;
}

static int take_status(struct link *link, const char *body, size_t len, struct errinfo *e)
{
    int r = proto_get_status(body, len, &link->status, e);

    if (r == 0)
        link->capacity = link->status.capacity;
    return r;
}

static int take_frame(struct links *ls, struct link *link, enum proto_type type,
                      const char *body, size_t len, struct errinfo *e)
{
    if (type == PROTO_HELLO)
        return take_hello(ls, link, body, len, e);
    if (link->worker_id == 0)
        return err_set(e, ERR_PROTOCOL, "frame %d before HELLO", (int)type);
    if (type == PROTO_OUTCOME)
        return take_outcome(ls, link, body, len, e);
    if (type == PROTO_PROGRESS)
        return take_progress(ls, link, body, len, e);
    if (type == PROTO_STATUS)
        return take_status(link, body, len, e);
    return err_set(e, ERR_PROTOCOL, "frame %d is not for the front", (int)type);
}

static void take_frames(struct links *ls, struct link *link)
{
    struct errinfo e = { 0 };
    enum proto_type type;
    const char *body;
    size_t body_len;
    int r;

    while (!link->broken) {
        r = proto_next(&link->in, &type, &body, &body_len, &e);
        if (r == 0)
            return;
        if (r > 0) {
            size_t frame_len = (size_t)r;

            r = take_frame(ls, link, type, body, body_len, &e);
            buf_consume(&link->in, frame_len);
        }
        if (r < 0)
            link_break(link, e.text);
    }
}

/* A short read ends it, since epoll is level-triggered: unless the rest is wanted to its very
 * end. */
static void link_read(struct links *ls, struct link *link, bool to_the_end)
{
    while (!link->broken) {
        char *room = buf_reserve(&link->in, READ_CHUNK_BYTES);
        ssize_t n = recv(link->fd, room, READ_CHUNK_BYTES, MSG_DONTWAIT);

        if (n > 0) {
            buf_commit(&link->in, (size_t)n);
            take_frames(ls, link);
            if ((size_t)n < READ_CHUNK_BYTES && !to_the_end)
                return;
        } else if (n == 0) {
            link_break(link, "closed");
        } else if (errno != EINTR) {
            if (errno != EAGAIN)
                link_break(link, "read failed");
            return;
        }
    }
}

/* -- what it is told ------------------------------------------------------------------------
 */

static void link_write(struct links *ls, struct link *link)
{
    struct errinfo e = { 0 };
    bool more;

    while (!link->broken && link->out.len > 0) {
        ssize_t n = send(link->fd, link->out.data, link->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n >= 0) {
            buf_consume(&link->out, (size_t)n);
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            /* Not broken yet: what it sent before it went must still be read. */
            buf_clear(&link->out);
            return;
        }
    }
    more = link->out.len > 0;
    if (more == link->writing || link->broken)
        return;
    link->writing = more;
    if (watch(ls, EPOLL_CTL_MOD, link->fd, more ? EPOLLIN | EPOLLOUT : EPOLLIN, link, &e) < 0)
        link_break(link, e.text);
}

void links_flush(struct links *ls)
{
    struct link *link;

    LL_FOREACH (ls->list, link)
        if (link->out.len > 0 && !link->writing)
            link_write(ls, link);
}

void links_event(struct links *ls, struct link *link, uint32_t epoll_events)
{
    if (epoll_events & EPOLLOUT)
        link_write(ls, link);
    if (epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        link_read(ls, link, false);
}

/* -- coming and going -----------------------------------------------------------------------
 */

/* The listener stays readable, so it must not be looked at meanwhile. */
static void pause_accepting(struct links *ls)
{
    struct errinfo e = { 0 };

    if (!ls->short_of_fds)
        log_warn("worker.not_accepted", LSTR("reason", strerrordesc_np(errno)));
    ls->short_of_fds = true;
    if (watch(ls, EPOLL_CTL_MOD, ls->listen_fd, 0, ls, &e) == 0)
        ls->pause_end_us = clock_mono_us() + PAUSE_US;
}

usec_t links_pause_end_us(struct links *ls)
{
    struct errinfo e = { 0 };

    if (ls->pause_end_us != 0 && clock_mono_us() >= ls->pause_end_us &&
        watch(ls, EPOLL_CTL_MOD, ls->listen_fd, EPOLLIN, ls, &e) == 0)
        ls->pause_end_us = 0;
    return ls->pause_end_us;
}

static bool is_shortage(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

void links_accept(struct links *ls)
{
    for (;;) {
        struct errinfo e = { 0 };
        struct link *link;
        int fd = accept4(ls->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0 && errno == EINTR)
            continue;
        if (fd < 0 && is_shortage(errno) && ls->pause_end_us == 0)
            pause_accepting(ls);
        if (fd < 0)
            return;
        ls->short_of_fds = false;
        link = mem_new0(sizeof *link);
        link->fd = fd;
        LL_PREPEND(ls->list, link);
        if (watch(ls, EPOLL_CTL_ADD, fd, EPOLLIN, link, &e) < 0)
            link_break(link, e.text);
    }
}

void links_read_rest(struct links *ls)
{
    struct link *link;

    links_accept(ls);
    LL_FOREACH (ls->list, link)
        link_read(ls, link, true);
}

void links_reap(struct links *ls)
{
    struct link **at = &ls->list;

    while (*at) {
        struct link *link = *at;

        if (link->broken) {
            *at = link->next;
            link_free(link); /* closing takes it out of the epoll set */
        } else {
            at = &link->next;
        }
    }
}

struct link *links_first(struct links *ls)
{
    return ls->list;
}

struct link *links_find(struct links *ls, int64_t worker_id)
{
    struct link *link;

    LL_FOREACH (ls->list, link)
        if (!link->broken && link->worker_id == worker_id)
            return link;
    return NULL;
}

void links_tidy(struct links *ls)
{
    struct link *chosen = NULL;
    struct link *link;

    LL_FOREACH (ls->list, link)
        if (!link->broken && link->worker_id != 0 && link->pool[0] == '\0' &&
            (!chosen || chosen->capacity == 0)) /* then it may end before it comes to it */
            chosen = link;
    if (chosen)
        proto_put_tidy(&chosen->out);
}

unsigned links_count(struct links *ls)
{
    unsigned count = 0;
    struct link *link;

    LL_FOREACH (ls->list, link)
        if (!link->broken && link->worker_id != 0)
            count++;
    return count;
}
