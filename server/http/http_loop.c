#include "server/http/http_loop.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/fd.h"
#include "base/mem.h"

struct arrival {
    int fd;
    socklen_t len;
    struct sockaddr_storage address;
    struct arrival *next;
};

struct http_loop {
    struct http_loop_conf conf;
    int epoll_fd; /* libmicrohttpd's own, and wake_fd */
    int wake_fd;  /* eventfd, edge-triggered: nobody reads it */
    /* Set before the loop looks for work once more and then sleeps; whoever brings work looks
     * at it behind that, and the one who has cleared it writes to wake_fd. */
    atomic_bool sleeping;
    atomic_bool stopping;
    atomic_uint bringers;                      /* of work, who are not done with the loop yet */
    _Atomic(struct http_loop_entry *) resumed; /* stacks: the last one first */
    _Atomic(struct arrival *) arrivals;
    bool again; /* the loop's own */
    bool running;
    pthread_t thread;
};

static void wake_up(struct http_loop *l)
{
    if (atomic_exchange(&l->sleeping, false))
        (void)eventfd_write(l->wake_fd, 1); /* can fail only when it was written 2^64 times */
}

/* As soon as the entry is in the list everything may be over, and the loop be freed. */
void http_loop_resume(struct http_loop *l, struct http_loop_entry *entry)
{
    (void)atomic_fetch_add_explicit(&l->bringers, 1, memory_order_relaxed);
    entry->next = atomic_load_explicit(&l->resumed, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&l->resumed, &entry->next, entry))
        ;
    wake_up(l);
    (void)atomic_fetch_sub_explicit(&l->bringers, 1, memory_order_release);
}

void http_loop_add(struct http_loop *l, int take_fd, const struct sockaddr *address,
                   socklen_t len)
{
    struct arrival *a = mem_new0(sizeof *a);

    a->fd = take_fd;
    a->len = len < sizeof a->address ? len : sizeof a->address;
    memcpy(&a->address, address, a->len);
    a->next = atomic_load_explicit(&l->arrivals, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&l->arrivals, &a->next, a))
        ;
    wake_up(l);
}

/* -- the thread -----------------------------------------------------------------------------
 */

/* The order does not matter: libmicrohttpd resumes in the order of its own list. */
static void resume_all(struct http_loop *l)
{
    struct http_loop_entry *next;

    for (struct http_loop_entry *at = atomic_exchange(&l->resumed, NULL); at; at = next) {
        next = at->next;
        MHD_resume_connection(at->connection);
    }
}

/* What has arrived, the first one first. */
static struct arrival *take_arrivals(struct http_loop *l)
{
    struct arrival *list = NULL, *next;

    for (struct arrival *at = atomic_exchange(&l->arrivals, NULL); at; at = next) {
        next = at->next;
        at->next = list;
        list = at;
    }
    return list;
}

static void add_all(struct http_loop *l)
{
    struct arrival *next;

    for (struct arrival *at = take_arrivals(l); at; at = next) {
        next = at->next;
        /* It closes the socket when it fails. */
        if (MHD_add_connection(l->conf.mhd, at->fd, (struct sockaddr *)&at->address, at->len) !=
            MHD_YES)
            l->conf.on_refused(l->conf.ctx);
        free(at);
    }
}

void http_loop_run_again(struct http_loop *l)
{
    l->again = true;
}

/* As libmicrohttpd wants; -1: until something comes. */
static int timeout_ms(const struct http_loop *l)
{
    MHD_UNSIGNED_LONG_LONG ms;

    if (MHD_get_timeout(l->conf.mhd, &ms) != MHD_YES)
        return -1;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

static bool has_work(struct http_loop *l)
{
    return atomic_load(&l->resumed) || atomic_load(&l->arrivals) || atomic_load(&l->stopping);
}

static void wait_for_work(struct http_loop *l)
{
    int ms = timeout_ms(l);
    struct epoll_event events[2];

    if (ms == 0 || l->again)
        return;
    atomic_store(&l->sleeping, true);
    if (!has_work(l))
        (void)epoll_wait(l->epoll_fd, events, 2, ms); /* whatever it says, all is looked at */
    atomic_store_explicit(&l->sleeping, false, memory_order_relaxed);
}

static void *serve(void *arg)
{
    struct http_loop *l = arg;

    (void)pthread_setname_np(pthread_self(), "jobd-http");
    while (!atomic_load(&l->stopping)) {
        add_all(l);
        resume_all(l);
        l->again = false;
        (void)MHD_run(l->conf.mhd);
        wait_for_work(l);
    }
    add_all(l);
    resume_all(l);
    return NULL;
}

/* -- start and stop -------------------------------------------------------------------------
 */

static int watch(struct http_loop *l, int fd, uint32_t events, struct errinfo *e)
{
    struct epoll_event event = { .events = events };

    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return err_sys(e, "epoll_ctl");
    return 0;
}

int http_loop_new(const struct http_loop_conf *conf, struct http_loop **ret_loop,
                  struct errinfo *e)
{
    AUTO(http_loop) struct http_loop *l = mem_new0(sizeof *l);
    const union MHD_DaemonInfo *info;
    int r;

    l->conf = *conf;
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->wake_fd < 0 || l->epoll_fd < 0)
        return err_sys(e, "prepare an HTTP thread");
    r = watch(l, l->wake_fd, EPOLLIN | EPOLLET, e);
    info = MHD_get_daemon_info(conf->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (r == 0)
        r = watch(l, info->epoll_fd, EPOLLIN, e);
    if (r < 0)
        return r;
    *ret_loop = TAKE(l);
    return 0;
}

int http_loop_start(struct http_loop *l, struct errinfo *e)
{
    errno = pthread_create(&l->thread, NULL, serve, l);
    if (errno != 0)
        return err_sys(e, "start an HTTP thread");
    l->running = true;
    return 0;
}

void http_loop_stop(struct http_loop *l)
{
    if (!l->running)
        return;
    atomic_store(&l->stopping, true);
    wake_up(l);
    (void)pthread_join(l->thread, NULL);
    l->running = false;
}

struct http_loop *http_loop_free(struct http_loop *l)
{
    if (!l)
        return NULL;
    http_loop_stop(l);
    while (atomic_load_explicit(&l->bringers, memory_order_acquire) > 0)
        (void)sched_yield(); /* within a few instructions */
    fd_fini(&l->wake_fd);
    fd_fini(&l->epoll_fd);
    free(l);
    return NULL;
}
