#include "server/http/connections.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <utlist.h>

#include "base/cidr.h"
#include "base/hash_bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid7.h"
#include "server/http/peer.h"
#include "server/http/problem.h"

/* Values of a deadline that are no time. */
#define NEVER    ((int64_t)0)
#define TOO_LATE ((int64_t)-1) /* final */

#define HEADER_TIMEOUT_US (20 * USEC_PER_SEC) /* where the configuration says 0 */
#define BODY_TIMEOUT_US   (60 * USEC_PER_SEC)

struct address {
    struct ip_address ip;
    unsigned count;
    UT_hash_handle hh;
};

struct connection {
    struct connections *all;
    int fd;
    bool plain;
    atomic_bool in_request;       /* its end is told by 408 */
    _Atomic(int64_t) deadline_us; /* monotonic; the HTTP thread and the watch exchange it */
    struct address *address;      /* NULL: none, or none that is counted */
    void *note;                   /* see connection_note() */
    bool asked;                   /* a request of it is, or was, there as a whole */
    bool still_sends;             /* the last one is not */
    struct connection *prev, *next;
};

struct connections {
    struct connections_conf conf;
    pthread_mutex_t mutex; /* guards all below, and each fd against its end; a leaf */
    pthread_cond_t changed;
    struct connection *list;
    struct address *addresses;
    bool stopping;
    pthread_t watch;
    bool has_watch;
    atomic_uint unasked; /* connections that are not `asked` */
    _Atomic usec_t last_came_us;
    struct uuid7_gen ids; /* of the watch alone */
};

/* -- the watch ------------------------------------------------------------------------------
 */

/* To whom the answer does not matter any more it does no harm. */
static void answer_late(struct connections *cs, const struct connection *c)
{
    char id[UUID7_TEXT_SIZE], head[512];
    const struct problem p = {
        .code = ERR_REQUEST_TIMEOUT,
        .detail = "the request did not arrive in time",
        .request_id = uuid7_format(uuid7_new(&cs->ids, clock_wall_us()), id),
    };
    size_t len;
    AUTO(mem) char *body = problem_encode(&p, &len);
    int head_len =
        snprintf(head, sizeof head,
                 "HTTP/1.1 408 Request Timeout\r\n"
                 "Content-Type: application/problem+json\r\n"
                 "Content-Length: %zu\r\nX-Request-Id: %s\r\nCache-Control: no-store\r\n"
                 "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
                 len, id);

    /* What does not fit into the socket's buffer at once is lost with the rest. */
    (void)send(c->fd, head, (size_t)head_len, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE);
    (void)send(c->fd, body, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void end_late(struct connections *cs, struct connection *c)
{
    bool told = c->plain && atomic_load(&c->in_request);

    if (told)
        answer_late(cs, c);
    log_debug("http.too_late", LBOOL("told", told));
    (void)shutdown(c->fd, SHUT_RDWR); /* fails when the client was quicker */
}

/* End those whose time is over. Returns when to look again. */
static usec_t look(struct connections *cs, usec_t now_us)
{
    usec_t head_us = cs->conf.header_timeout_us, body_us = cs->conf.body_timeout_us;
    usec_t next_us = now_us + (head_us < body_us ? head_us : body_us);
    struct connection *c;

    DL_FOREACH (cs->list, c) {
        int64_t deadline_us = atomic_load(&c->deadline_us);

        if (deadline_us <= 0)
            continue;
        if (deadline_us > now_us) {
            next_us = deadline_us < next_us ? deadline_us : next_us;
            continue;
        }
        if (atomic_compare_exchange_strong(&c->deadline_us, &deadline_us, TOO_LATE))
            end_late(cs, c);
    }
    return next_us;
}

static void *watch(void *arg)
{
    struct connections *cs = arg;

    (void)pthread_mutex_lock(&cs->mutex);
    while (!cs->stopping) {
        if (!cs->list) {
            (void)pthread_cond_wait(&cs->changed, &cs->mutex);
            continue;
        }
        usec_t next_us = look(cs, clock_mono_us());
        const struct timespec at = { .tv_sec = (time_t)(next_us / USEC_PER_SEC),
                                     .tv_nsec = (long)(next_us % USEC_PER_SEC) * 1000 };

        (void)pthread_cond_timedwait(&cs->changed, &cs->mutex, &at);
    }
    (void)pthread_mutex_unlock(&cs->mutex);
    return NULL;
}

int connections_new(const struct connections_conf *conf, struct connections **ret_connections,
                    struct errinfo *e)
{
    AUTO(connections) struct connections *cs = mem_new0(sizeof *cs);
    pthread_condattr_t attr;

    cs->conf = *conf;
    if (conf->header_timeout_us == 0)
        cs->conf.header_timeout_us = HEADER_TIMEOUT_US;
    if (conf->body_timeout_us == 0)
        cs->conf.body_timeout_us = BODY_TIMEOUT_US;
    (void)pthread_mutex_init(&cs->mutex, NULL); /* these cannot fail for the default kinds */
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&cs->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    errno = pthread_create(&cs->watch, NULL, watch, cs);
    if (errno != 0)
        return err_sys(e, "start a thread");
    cs->has_watch = true;
    *ret_connections = TAKE(cs);
    return 0;
}

struct connections *connections_free(struct connections *cs)
{
    if (!cs)
        return NULL;
    (void)pthread_mutex_lock(&cs->mutex);
    cs->stopping = true;
    (void)pthread_cond_signal(&cs->changed);
    (void)pthread_mutex_unlock(&cs->mutex);
    if (cs->has_watch)
        (void)pthread_join(cs->watch, NULL);
    (void)pthread_cond_destroy(&cs->changed);
    (void)pthread_mutex_destroy(&cs->mutex);
    free(cs);
    return NULL;
}

/* -- addresses ------------------------------------------------------------------------------
 */

/* 127.0.0.0/8 and ::1: this machine's own. */
static bool is_loopback(const struct ip_address *ip)
{
    static const struct ip_address v6 = { .bytes = { [15] = 1 } };
    static const struct cidr v4 = { .base = { .bytes = { [10] = 0xff, [11] = 0xff, 127 } },
                                    .prefix_bits = 104 };
    const struct cidr_list list = { .items = (struct cidr *)(uintptr_t)&v4, .count = 1 };

    return ip_equal(ip, &v6) || cidr_list_has(&list, ip);
}

/* How many that address may have; 0: any number, and they are not counted. */
static unsigned max_of(const struct connections *cs, const struct ip_address *ip)
{
    const struct connections_conf *conf = &cs->conf;

    if (conf->exempt && cidr_list_has(&conf->exempt->ranges, ip))
        return 0;
    if (conf->max_per_address > 0)
        return conf->max_per_address;
    return is_loopback(ip) ? 0 : conf->max / 2 + 1;
}

static struct address *find_or_add(struct connections *cs, const struct ip_address *ip)
{
    struct address *entry;

    HASH_FIND(hh, cs->addresses, ip, sizeof *ip, entry);
    if (!entry) {
        entry = mem_new0(sizeof *entry);
        entry->ip = *ip;
        HASH_ADD(hh, cs->addresses, ip, sizeof entry->ip, entry);
    }
    return entry;
}

static void count_out(struct connections *cs, struct address *entry)
{
    if (!entry || --entry->count > 0)
        return;
    HASH_DEL(cs->addresses, entry);
    free(entry);
}

bool connections_admit(struct connections *cs, const struct sockaddr *address,
                       struct address **ret_place)
{
    struct address *entry;
    struct ip_address ip;
    unsigned max;
    bool room;

    *ret_place = NULL;
    if (!address || !ip_from_socket(address, &ip))
        return true;
    max = max_of(cs, &ip);
    if (max == 0)
        return true;
    (void)pthread_mutex_lock(&cs->mutex);
    entry = find_or_add(cs, &ip);
    room = entry->count < max;
    if (room)
        entry->count++;
    (void)pthread_mutex_unlock(&cs->mutex);
    if (room)
        *ret_place = entry;
    else
        log_debug("http.too_many_connections", LI64("connections", max));
    return room;
}

void connections_give_up(struct connections *cs, struct address *take_place)
{
    (void)pthread_mutex_lock(&cs->mutex);
    count_out(cs, take_place);
    (void)pthread_mutex_unlock(&cs->mutex);
}

/* -- one connection -------------------------------------------------------------------------
 */

struct connection *connection_enter(struct connections *cs, int fd, bool plain,
                                    struct address *take_place)
{
    struct connection *c = mem_new0(sizeof *c);
    usec_t now_us = clock_mono_us();

    c->all = cs;
    c->fd = fd;
    c->plain = plain;
    c->still_sends = true;
    c->address = take_place;
    atomic_store(&c->in_request, true); /* also for what never comes: so it is not silent */
    atomic_store(&c->deadline_us, now_us + cs->conf.header_timeout_us);
    atomic_store(&cs->last_came_us, now_us);
    (void)atomic_fetch_add(&cs->unasked, 1);
    (void)pthread_mutex_lock(&cs->mutex);
    if (!cs->list)
        (void)pthread_cond_signal(&cs->changed);
    DL_PREPEND(cs->list, c);
    (void)pthread_mutex_unlock(&cs->mutex);
    return c;
}

static void set_asked(struct connection *c)
{
    if (!c->asked)
        (void)atomic_fetch_sub(&c->all->unasked, 1);
    c->asked = true;
}

bool connections_expect(const struct connections *cs, usec_t now_us)
{
    return atomic_load(&cs->unasked) > 0 &&
           now_us - atomic_load(&cs->last_came_us) < CONNECTION_FRESH_US;
}

void connection_leave(struct connections *cs, struct connection *c)
{
    if (!c)
        return;
    (void)pthread_mutex_lock(&cs->mutex);
    DL_DELETE(cs->list, c);
    count_out(cs, c->address);
    (void)pthread_mutex_unlock(&cs->mutex);
    set_asked(c);
    free(c->note);
    free(c);
}

void **connection_note(struct connection *c)
{
    return &c->note;
}

/* False: the watch was quicker. */
static bool set_deadline(struct connection *c, int64_t deadline_us)
{
    int64_t old = atomic_load_explicit(&c->deadline_us, memory_order_relaxed);

    do {
        if (old == TOO_LATE)
            return false;
    } while (!atomic_compare_exchange_weak(&c->deadline_us, &old, deadline_us));
    return true;
}

bool connection_awaits_head(struct connection *c, usec_t now_us)
{
    if (!c)
        return true;
    c->still_sends = true;
    atomic_store_explicit(&c->in_request, true, memory_order_relaxed);
    return set_deadline(c, now_us + c->all->conf.header_timeout_us);
}

bool connection_awaits_body(struct connection *c, usec_t began_us, size_t so_far_bytes)
{
    usec_t extra_us = (usec_t)(so_far_bytes / CONNECTION_MIN_BYTES_PER_SEC) * USEC_PER_SEC;

    return !c || set_deadline(c, began_us + c->all->conf.body_timeout_us + extra_us);
}

bool connection_awaits_answer(struct connection *c, bool whole)
{
    if (!c)
        return true;
    c->still_sends = !whole;
    set_asked(c);
    return set_deadline(c, NEVER);
}

bool connection_still_sends(const struct connection *c)
{
    return c && c->still_sends;
}

/* Within idle_timeout_us libmicrohttpd ends who is silent, so only who trickles gets here. */
void connection_awaits_request(struct connection *c, usec_t now_us)
{
    if (!c)
        return;
    atomic_store_explicit(&c->in_request, false, memory_order_relaxed);
    (void)set_deadline(c,
                       now_us + c->all->conf.idle_timeout_us + c->all->conf.header_timeout_us);
}
