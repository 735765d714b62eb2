#include "server/http/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

/* Between two tries to accept while there are no descriptors or there is no memory. */
#define ACCEPT_PAUSE_MS 100
/* From one socket, before the others have their turn. */
#define ACCEPTS_AT_ONCE 64

struct acceptor {
    struct acceptor_conf conf;
    struct pollfd *polled; /* the listening sockets, and behind them wake_fd */
    int wake_fd;           /* eventfd: there is room again, or the end has come */
    atomic_uint connections;
    atomic_bool stopping;
    bool short_of; /* descriptors or memory */
    bool running;
    pthread_t thread;
};

static bool is_full(struct acceptor *a)
{
    return atomic_load(&a->connections) >= a->conf.max_connections;
}

/* False when this socket has nobody else now. */
static bool accept_one(struct acceptor *a, size_t listener)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    int fd = accept4(a->conf.listen_fds[listener], (struct sockaddr *)&address, &len,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        a->short_of = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
        if (a->short_of)
            log_debug("http.accept_failed", LI64("errno", errno));
        return errno == ECONNABORTED || errno == EINTR; /* that client has left */
    }
    (void)atomic_fetch_add(&a->connections, 1);
    a->conf.take(a->conf.ctx, listener, fd, (struct sockaddr *)&address, len);
    return true;
}

static void accept_all(struct acceptor *a)
{
    for (size_t i = 0; i < a->conf.listen_count; i++) {
        if (!(a->polled[i].revents & POLLIN))
            continue;
        for (int n = 0; n < ACCEPTS_AT_ONCE && !is_full(a); n++)
            if (!accept_one(a, i))
                break;
    }
}

static void *accept_on(void *arg)
{
    struct acceptor *a = arg;
    struct pollfd *wake = &a->polled[a->conf.listen_count];

    (void)pthread_setname_np(pthread_self(), "jobd-accept");
    while (!atomic_load(&a->stopping)) {
        bool idle = is_full(a) || a->short_of;
        eventfd_t times;

        for (size_t i = 0; i < a->conf.listen_count; i++)
            a->polled[i].revents = 0;
        if (poll(idle ? wake : a->polled, idle ? 1 : (nfds_t)a->conf.listen_count + 1,
                 a->short_of ? ACCEPT_PAUSE_MS : -1) < 0)
            continue; /* interrupted */
        a->short_of = false;
        if (wake->revents)
            (void)eventfd_read(a->wake_fd, &times); /* cannot fail: it is readable */
        if (!idle)
            accept_all(a);
    }
    return NULL;
}

static void wake_up(struct acceptor *a)
{
    (void)eventfd_write(a->wake_fd, 1); /* can fail only when it is set already */
}

unsigned acceptor_connections(const struct acceptor *a)
{
    return atomic_load(&a->connections);
}

void acceptor_ended(struct acceptor *a)
{
    if (atomic_fetch_sub(&a->connections, 1) >= a->conf.max_connections)
        wake_up(a);
}

/* -- start and stop -------------------------------------------------------------------------
 */

static int prepare(struct acceptor *a, struct errinfo *e)
{
    size_t count = a->conf.listen_count;

    a->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->wake_fd < 0)
        return err_sys(e, "eventfd");
    a->polled = mem_array0(count + 1, sizeof *a->polled);
    for (size_t i = 0; i < count; i++) {
        int flags = fcntl(a->conf.listen_fds[i], F_GETFL);

        if (flags < 0 || fcntl(a->conf.listen_fds[i], F_SETFL, flags | O_NONBLOCK) < 0)
            return err_sys(e, "make a listening socket not block");
        a->polled[i] = (struct pollfd){ .fd = a->conf.listen_fds[i], .events = POLLIN };
    }
    a->polled[count] = (struct pollfd){ .fd = a->wake_fd, .events = POLLIN };
    return 0;
}

int acceptor_new(const struct acceptor_conf *conf, struct acceptor **ret_acceptor,
                 struct errinfo *e)
{
    AUTO(acceptor) struct acceptor *a = mem_new0(sizeof *a);
    int r;

    a->conf = *conf;
    a->wake_fd = -1;
    r = prepare(a, e);
    if (r < 0)
        return r;
    *ret_acceptor = TAKE(a);
    return 0;
}

int acceptor_start(struct acceptor *a, struct errinfo *e)
{
    errno = pthread_create(&a->thread, NULL, accept_on, a);
    if (errno != 0)
        return err_sys(e, "start the thread that accepts");
    a->running = true;
    return 0;
}

void acceptor_stop(struct acceptor *a)
{
    if (!a->running)
        return;
    atomic_store(&a->stopping, true);
    wake_up(a);
    (void)pthread_join(a->thread, NULL);
    a->running = false;
}

struct acceptor *acceptor_free(struct acceptor *a)
{
    if (!a)
        return NULL;
    acceptor_stop(a);
    fd_fini(&a->wake_fd);
    free(a->polled);
    free(a);
    return NULL;
}
