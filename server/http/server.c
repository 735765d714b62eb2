#include "server/http/server.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/http/acceptor.h"
#include "server/http/chain.h"
#include "server/http/dispatch.h"
#include "server/http/http_loop.h"
#include "server/http/lingering.h"
#include "server/http/request.h"
#include "server/http/tls.h"

/* What libmicrohttpd 0.9.75 answers by itself, before this file hears of a request, with pages
 * of its own and without the common headers: 400 for a malformed request line, header, chunk or
 * length, 413 for a length beyond 64 bits, 414 and 431 when the head does not fit into its
 * memory (which is larger than what chain.c refuses), 505 for other versions. It closes the
 * connection after each of them. Its strict mode is off, because its answers are worse than
 * chain.c's: the head of the one for a missing Host is sent twice.
 *
 * MHD answers `Connection: close` when a response is queued in the first call of the access
 * handler, so the first call only judges the headers, and the answer waits for the next call
 * unless the body must not be read.
 *
 * Every listening socket has conf.threads daemons of one thread each (http_loop.h), to which
 * the acceptor shares out the connections; the daemons neither listen nor have threads of their
 * own. With many connections there are more threads in use than CPUs: for every request that is
 * resumed MHD walks the list of all connections of its daemon that are suspended, and with many
 * lists each is short (docs/adr/0016-many-who-wait.md).
 */
/* MHD clears all of it for every request, so more costs time, and keeps it for each connection.
 */
#define MEMORY_FOR_THE_REST_BYTES ((size_t)4 * 1024)
/* How long http_server_free() waits for answers on their way. */
#define STOP_WAIT_US           (5 * USEC_PER_SEC)
#define CONNECTIONS_PER_THREAD 256
#define TLS_OPTIONS_MAX        5

struct http_daemon {
    struct http_thread thread;
    struct http_server *server;
    struct MHD_Daemon *mhd;
    bool tls;
    struct address *place; /* of the connection that is being added; NULL: it is not counted */
};

struct http_server {
    struct http_conf conf;
    struct bodies bodies;
    struct router *router;
    struct connections *connections;
    struct rates *rates;
    struct lingering *lingering;
    atomic_bool quiescing;
    atomic_uint running; /* requests between their last byte and the end of their answer */
    int drained_fd;      /* eventfd: written when running falls to 0 while quiescing */
    struct acceptor *acceptor;
    size_t next_turn; /* the acceptor's: whose turn it is */
    size_t daemon_count;
    size_t few_threads; /* for each listening socket, while there are few connections */
    struct http_daemon *daemons; /* of listening socket l: those with i % listen_count == l */
};

/* -- callbacks: on the thread of one daemon --------------------------------------------------
 */

static struct connection *line_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info->socket_context;
}

static enum MHD_Result on_arrival(void *cls, const struct sockaddr *address, socklen_t len)
{
    struct http_daemon *d = cls;

    (void)len;
    return connections_admit(d->server->connections, address, &d->place) ? MHD_YES : MHD_NO;
}

/* libmicrohttpd closes the socket when this returns: another descriptor keeps it open. */
static void linger(struct http_server *s, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy >= 0)
        lingering_take(s->lingering, copy);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_daemon *d = cls;
    struct connections *cs = d->server->connections;
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (connection_still_sends(*context))
            linger(d->server, fd);
        connection_leave(cs, *context);
        acceptor_ended(d->server->acceptor);
        return;
    }
    *context = connection_enter(cs, fd, !d->tls, d->place);
    d->place = NULL;
}

/* MHD cuts the request target up later, so this is the only sight of it as it was sent. */
static void *on_request_line(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct http_daemon *d = cls;
    struct request *r = request_new(&d->thread, connection, uri);

    r->line = line_of(connection);
    (void)connection_awaits_head(r->line, r->started_us); /* too late: found out below */
    return r;
}

static enum MHD_Result on_head(struct http_daemon *d, struct request *r, const char *method,
                               const char *version)
{
    r->stage = REQUEST_ARRIVED;
    if (!chain_admit(r, method, version))
        return connection_awaits_body(r->line, r->started_us, 0) ? MHD_YES : MHD_NO;
    if (!connection_awaits_answer(r->line, false))
        return MHD_NO;
    atomic_fetch_add(&d->server->running, 1);
    return dispatch_answer(r, r->refusal);
}

static enum MHD_Result on_body(struct request *r, const char *part, size_t *len)
{
    bool more = request_add_body(r, part, *len);

    r->arrived_bytes += *len;
    *len = 0;
    return more && connection_awaits_body(r->line, r->started_us, r->arrived_bytes) ? MHD_YES
                                                                                    : MHD_NO;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version,
                                 const char *upload_data, size_t *upload_data_size,
                                 void **con_cls)
{
    struct http_daemon *d = cls;
    struct request *r = *con_cls;

    (void)connection;
    (void)url;
    switch (r->stage) {
    case REQUEST_NEW:
        return on_head(d, r, method, version);
    case REQUEST_ARRIVED:
        if (*upload_data_size > 0)
            return on_body(r, upload_data, upload_data_size);
        if (!connection_awaits_answer(r->line, true))
            return MHD_NO;
        request_end_body(r);
        atomic_fetch_add(&d->server->running, 1);
        return dispatch_run(r);
    case REQUEST_RUNNING:
        return dispatch_run(r);
    case REQUEST_ANSWERED:
        break;
    }
    return MHD_NO; /* MHD does not call after an answer */
}

/* What libmicrohttpd ends while it makes the body of an answer it does not close in that pass,
 * and nothing tells that it is to be run again. Each pass begins with a look at the connection
 * that has been silent for longest, and at all that have a timeout of their own. */
static void see_to_end(struct http_daemon *d, struct MHD_Connection *connection)
{
    unsigned idle_seconds = (unsigned)(d->server->conf.idle_timeout_us / USEC_PER_SEC);

    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                    idle_seconds + 1);
    http_loop_run_again(d->thread.loop);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode toe)
{
    struct http_daemon *d = cls;
    struct http_server *s = d->server;
    struct request *r = *con_cls;
    bool was_running = r && (r->stage == REQUEST_RUNNING || r->stage == REQUEST_ANSWERED);

    if (toe == MHD_REQUEST_TERMINATED_WITH_ERROR)
        see_to_end(d, connection);
    if (r)
        connection_awaits_request(r->line, clock_mono_us());
    *con_cls = request_free(r);
    if (was_running && atomic_fetch_sub(&s->running, 1) == 1 && atomic_load(&s->quiescing))
        (void)eventfd_write(s->drained_fd, 1); /* can fail only when it is set already */
}

/* MHD would decode the path as a whole, and %2F would forge a segment: the router decodes. */
static size_t leave_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_mhd_log(void *cls, const char *format,
                                                             va_list args)
{
    char text[256];

    (void)cls;
    (void)vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = 0;
    log_debug("http.mhd", LSTR("text", text));
}

/* As few threads as there are CPUs while there are few connections: each wakes up for its own,
 * and to wake many for little costs a fifth of all that the server does. */
static size_t threads_in_use(const struct http_server *s)
{
    size_t all = s->daemon_count / s->conf.listen_count;
    size_t wanted = s->few_threads + acceptor_connections(s->acceptor) / CONNECTIONS_PER_THREAD;

    return wanted < all ? wanted : all;
}

/* On the thread of one daemon. */
static void on_refused(void *ctx)
{
    struct http_daemon *d = ctx;

    connections_give_up(d->server->connections, d->place);
    d->place = NULL;
    acceptor_ended(d->server->acceptor);
}

/* On the acceptor's thread. */
static void share_out(void *ctx, size_t listener, int take_fd, const struct sockaddr *address,
                      socklen_t address_len)
{
    struct http_server *s = ctx;
    size_t listeners = s->conf.listen_count;
    size_t turn = s->next_turn++ % threads_in_use(s);

    http_loop_add(s->daemons[turn * listeners + listener].thread.loop, take_fd, address,
                  address_len);
}

/* -- start and stop -------------------------------------------------------------------------
 */

/* What a TLS socket needs beyond the others; MHD copies none of it. */
static void set_tls(const struct http_daemon *d, struct MHD_OptionItem items[TLS_OPTIONS_MAX])
{
    const struct http_tls *tls = d->server->conf.tls;
    size_t n = 0;

    if (d->tls) {
        items[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, tls->cert };
        items[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, tls->key };
        items[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0,
                                              (void *)(uintptr_t)TLS_PRIORITIES };
        if (tls->client_ca)
            items[n++] =
                (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_TRUST, 0, tls->client_ca };
    }
    items[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
}

/* The default is 16 KiB in all: a target of 8 KiB leaves room for headers of nearly as many. */
static size_t head_memory_bytes(const struct http_conf *conf)
{
    size_t bytes = conf->max_header_bytes;

    if (bytes < conf->max_uri_bytes)
        bytes = conf->max_uri_bytes;
    return bytes + MEMORY_FOR_THE_REST_BYTES;
}

/* The acceptor keeps to max_connections, and those beyond it wait. MHD would turn them away,
 * and counts one more: that of whose end on_connection() is told. */
static int daemon_start(struct http_daemon *d, struct errinfo *e)
{
    struct MHD_OptionItem tls_options[TLS_OPTIONS_MAX];
    const struct http_conf *conf = &d->server->conf;
    unsigned idle_seconds = (unsigned)(conf->idle_timeout_us / USEC_PER_SEC);

    set_tls(d, tls_options);
    d->mhd = MHD_start_daemon(
        (d->tls ? MHD_USE_TLS : 0u) | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO |
            MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET,
        0, on_arrival, d, on_access, d, MHD_OPTION_NOTIFY_CONNECTION, on_connection, d,
        MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL, MHD_OPTION_CONNECTION_LIMIT,
        conf->max_connections + 1, MHD_OPTION_CONNECTION_MEMORY_LIMIT, head_memory_bytes(conf),
        MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds, MHD_OPTION_URI_LOG_CALLBACK,
        on_request_line, d, MHD_OPTION_NOTIFY_COMPLETED, on_completed, d,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 0,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, tls_options, MHD_OPTION_END);
    if (!d->mhd)
        return err_sys(e, "start the HTTP server");
    return http_loop_new(&(struct http_loop_conf){ d->mhd, on_refused, d }, &d->thread.loop, e);
}

static void daemons_prepare(struct http_server *s)
{
    unsigned threads = s->conf.threads > 0 ? s->conf.threads : 1;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    s->daemon_count = s->conf.listen_count * threads;
    s->few_threads = cpus > 0 ? (size_t)cpus : 1;
    s->daemons = mem_array0(s->daemon_count + 1, sizeof *s->daemons);
    for (size_t i = 0; i < s->daemon_count; i++) {
        bool tls = s->conf.listen_tls && s->conf.listen_tls[i % s->conf.listen_count];

        s->daemons[i] = (struct http_daemon){
            .thread = { .conf = &s->conf,
                        .router = s->router,
                        .rates = s->rates,
                        .quiescing = &s->quiescing,
                        .bodies = &s->bodies,
                        .sees_torn_lines = strcmp(MHD_get_version(), "0.9.75") == 0,
                        .asks_certificates = tls && s->conf.tls->client_ca },
            .server = s,
            .tls = tls,
        };
    }
}

static int watch_connections(struct http_server *s, struct errinfo *e)
{
    const struct connections_conf conf = {
        .header_timeout_us = s->conf.header_timeout_us,
        .body_timeout_us = s->conf.body_timeout_us,
        .idle_timeout_us = s->conf.idle_timeout_us,
        .max = s->conf.max_connections,
        .max_per_address = s->conf.max_connections_per_address,
        .exempt = s->conf.trusted_proxies,
    };

    return connections_new(&conf, &s->connections, e);
}

/* Last of all: whoever is accepted is served. */
static int start_accepting(struct http_server *s, struct errinfo *e)
{
    const struct acceptor_conf conf = { .listen_fds = s->conf.listen_fds,
                                        .listen_count = s->conf.listen_count,
                                        .max_connections = s->conf.max_connections,
                                        .take = share_out,
                                        .ctx = s };
    int r;

    r = acceptor_new(&conf, &s->acceptor, e);
    for (size_t i = 0; i < s->daemon_count && r == 0; i++)
        r = http_loop_start(s->daemons[i].thread.loop, e);
    return r < 0 ? r : acceptor_start(s->acceptor, e);
}

int http_server_new(const struct http_conf *conf, struct http_server **ret_server,
                    struct errinfo *e)
{
    AUTO(http_server) struct http_server *s = mem_new0(sizeof *s);
    int r;

    s->conf = *conf;
    s->bodies.max = conf->max_bodies_bytes;
    if (s->conf.max_uri_bytes == 0)
        s->conf.max_uri_bytes = HTTP_URI_BYTES;
    if (s->conf.max_header_bytes == 0)
        s->conf.max_header_bytes = HTTP_HEADER_BYTES;
    s->drained_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->drained_fd < 0)
        return err_sys(e, "eventfd");
    r = router_new(conf->routes, conf->route_count, &s->router, e);
    if (r < 0)
        return r;
    r = watch_connections(s, e);
    if (r == 0)
        r = lingering_new(&(struct lingering_conf){ 0 }, &s->lingering, e);
    if (r < 0)
        return r;
    s->rates = rates_new();
    daemons_prepare(s);
    for (size_t i = 0; i < s->daemon_count; i++) {
        r = daemon_start(&s->daemons[i], e);
        if (r < 0)
            return r;
    }
    r = start_accepting(s, e);
    if (r < 0)
        return r;
    *ret_server = TAKE(s);
    return 0;
}

void http_server_quiesce(struct http_server *s)
{
    if (atomic_exchange(&s->quiescing, true))
        return;
    if (s->acceptor)
        acceptor_stop(s->acceptor);
}

bool http_server_is_serving(const struct http_server *s)
{
    return atomic_load(&s->running) > 0 || connections_expect(s->connections, clock_mono_us());
}

/* A client that reads its answer slowly must not keep the server from stopping. */
static void wait_for_answers(struct http_server *s)
{
    usec_t end_us = clock_mono_us() + STOP_WAIT_US;

    while (atomic_load(&s->running) > 0) {
        struct pollfd p = { .fd = s->drained_fd, .events = POLLIN };
        usec_t left_us = end_us - clock_mono_us();
        eventfd_t times;

        if (left_us <= 0)
            break;
        (void)poll(&p, 1, (int)(left_us / USEC_PER_MS) + 1);
        (void)eventfd_read(s->drained_fd, &times); /* empty: the time is over */
    }
}

struct http_server *http_server_free(struct http_server *s)
{
    if (!s)
        return NULL;
    http_server_quiesce(s);
    wait_for_answers(s);
    for (size_t i = 0; i < s->daemon_count; i++) {
        s->daemons[i].thread.loop = http_loop_free(s->daemons[i].thread.loop);
        if (s->daemons[i].mhd)
            MHD_stop_daemon(s->daemons[i].mhd);
        request_free_spares(&s->daemons[i].thread);
    }
    s->acceptor = acceptor_free(s->acceptor);
    s->connections = connections_free(s->connections);
    s->lingering = lingering_free(s->lingering);
    s->rates = rates_free(s->rates);
    fd_fini(&s->drained_fd);
    free(s->daemons);
    s->router = router_free(s->router);
    free(s);
    return NULL;
}
