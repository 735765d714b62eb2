#include "pool/link.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "pool/paths.h"

#define READ_SIZE    65536
#define RETRY_MIN_US (10 * USEC_PER_MS)
#define RETRY_MAX_US (100 * USEC_PER_MS) /* it is a local socket, and jobs wait */
#define PROVEN_US    (200 * USEC_PER_MS) /* held as long, its end is no failure */

struct link {
    struct link_conf conf;
    struct watch watch; /* fd -1: not connected */
    struct buf in;
    struct buf out;
    bool deaf; /* the front does not read any more: its end will follow */
    struct timer retry;
    unsigned failures; /* in a row */
    usec_t connected_us;
};

static void connect_later(struct link *l, bool failed)
{
    usec_t delay_us = RETRY_MIN_US;

    if (!failed) {
        l->failures = 0;
        loop_set_timer(l->conf.loop, &l->retry, clock_mono_us());
        return;
    }
    for (unsigned i = 0; i < l->failures && delay_us < RETRY_MAX_US; i++)
        delay_us *= 2;
    l->failures++;
    loop_set_timer(l->conf.loop, &l->retry,
                   clock_mono_us() + (delay_us < RETRY_MAX_US ? delay_us : RETRY_MAX_US));
}

/* ---- connecting ---------------------------------------------------------------------------
 */

/* A socket's path has 107 bytes at most, a data directory may have more: then it is named
 * through a descriptor of its directory, which stays open in *dir_fd for the connect. */
static int fill_address(const char *data_dir, struct sockaddr_un *addr, int *dir_fd,
                        struct errinfo *e)
{
    char path[PATHS_SIZE];
    const char *name;
    int n;

    addr->sun_family = AF_UNIX;
    paths_front_socket(data_dir, path);
    if (strlen(path) < sizeof addr->sun_path) {
        memcpy(addr->sun_path, path, strlen(path) + 1);
        return 0;
    }
    name = strrchr(path, '/');
    path[name - path] = '\0';
    *dir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dir_fd < 0)
        return err_sys(e, "open %s", path);
    n = snprintf(addr->sun_path, sizeof addr->sun_path, "/proc/self/fd/%d/%s", *dir_fd,
                 name + 1);
    assert(n > 0 && (size_t)n < sizeof addr->sun_path);
    return 0;
}

static int connect_now(struct link *l, struct errinfo *e)
{
    struct sockaddr_un addr = { 0 };
    AUTO_FINI(fd) int dir_fd = -1;
    AUTO_FINI(fd) int fd = -1;
    int r;

    r = fill_address(l->conf.data_dir, &addr, &dir_fd, e);
    if (r < 0)
        return r;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    if (connect(fd, (const struct sockaddr *)&addr, sizeof addr) < 0)
        return err_sys(e, "connect"); /* EAGAIN: the backlog is full */
    r = loop_watch(l->conf.loop, &l->watch, fd, EPOLLIN, e);
    if (r == 0)
        (void)fd_take(&fd);
    return r;
}

static void on_retry(void *ctx)
{
    struct link *l = ctx;
    struct errinfo e;

    if (connect_now(l, &e) < 0) {
        log_debug("link.connect_failed", LSTR("reason", e.text));
        connect_later(l, true);
        return;
    }
    l->connected_us = clock_mono_us();
    l->conf.on_up(l->conf.ctx);
}

static void disconnect(struct link *l)
{
    int fd = l->watch.fd;

    if (fd < 0)
        return;
    loop_unwatch(l->conf.loop, &l->watch);
    (void)close(fd);
    buf_clear(&l->in);
    buf_clear(&l->out);
    l->deaf = false;
}

static void go_down(struct link *l, bool failed)
{
    bool short_lived = clock_mono_us() - l->connected_us < PROVEN_US;

    disconnect(l);
    l->conf.on_down(l->conf.ctx);
    /* The first short-lived one is a front that was just replaced. */
    connect_later(l, failed || (short_lived && l->failures > 0));
    if (short_lived && l->failures == 0)
        l->failures = 1;
}

/* ---- reading and writing ------------------------------------------------------------------
 */

static int take_frames(struct link *l, struct errinfo *e)
{
    struct buf rest = l->in; /* a view: l->in is consumed once, at the end */
    enum proto_type type;
    const char *body;
    size_t body_len;
    size_t taken = 0;
    int r;

    while ((r = proto_next(&rest, &type, &body, &body_len, e)) > 0) {
        rest.data += r;
        rest.len -= (size_t)r;
        taken += (size_t)r;
        r = l->conf.on_frame(l->conf.ctx, type, body, body_len, e);
        if (r < 0)
            break;
    }
    buf_consume(&l->in, taken);
    return r;
}

/* Read until there is no more: 0, or ERR_CLOSED at the end of the connection. */
static int fill_in(struct link *l)
{
    for (;;) {
        char *room = buf_reserve(&l->in, READ_SIZE);
        ssize_t n = read(l->watch.fd, room, READ_SIZE);

        if (n > 0)
            buf_commit(&l->in, (size_t)n);
        if (n > 0 && n < READ_SIZE)
            return 0; /* the next turn tells whether there is more */
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return ERR_CLOSED; /* ECONNRESET, when we had sent what it did not read */
        if (n < 0 && errno == EAGAIN)
            return 0;
    }
}

void link_flush(struct link *l)
{
    while (l->out.len > 0 && !l->deaf) {
        ssize_t n = send(l->watch.fd, l->out.data, l->out.len, MSG_NOSIGNAL);

        if (n >= 0) {
            buf_consume(&l->out, (size_t)n);
        } else if (errno == EAGAIN) {
            loop_rewatch(l->conf.loop, &l->watch, EPOLLIN | EPOLLOUT);
            return;
        } else if (errno != EINTR) {
            l->deaf = true; /* what it sent before is still to be read */
        }
    }
    buf_clear(&l->out);
    loop_rewatch(l->conf.loop, &l->watch, EPOLLIN);
}

static void on_ready(void *ctx, uint32_t events)
{
    struct link *l = ctx;
    struct errinfo e;
    int end = 0;
    int r;

    if (events & EPOLLOUT)
        link_flush(l);
    if (!(events & ~(uint32_t)EPOLLOUT))
        return;
    end = fill_in(l);
    r = take_frames(l, &e);
    if (r < 0)
        log_error("link.protocol", LSTR("reason", e.text));
    if (r < 0 || end < 0)
        go_down(l, r < 0);
}

void link_read_rest(struct link *l)
{
    if (link_is_up(l))
        on_ready(l, EPOLLIN);
}

bool link_is_up(const struct link *l)
{
    return l->watch.fd >= 0;
}

struct buf *link_out(struct link *l)
{
    assert(link_is_up(l));
    return &l->out;
}

struct link *link_new(const struct link_conf *conf)
{
    struct link *l = mem_new0(sizeof *l);

    l->conf = *conf;
    l->watch = (struct watch){ .fd = -1, .on_ready = on_ready, .ctx = l };
    l->retry = (struct timer){ .on_due = on_retry, .ctx = l };
    connect_later(l, false);
    return l;
}

struct link *link_free(struct link *l)
{
    if (!l)
        return NULL;
    disconnect(l);
    loop_clear_timer(l->conf.loop, &l->retry);
    buf_fini(&l->in);
    buf_fini(&l->out);
    free(l);
    return NULL;
}
