#include "server/front.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/token.h"
#include "engine/engine.h"
#include "engine/requests.h"
#include "handlers/event_pieces.h"
#include "handlers/follow.h"
#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include "handlers/service.h"
#include "pool/paths.h"
#include "server/auth.h"
#include "server/config.h"
#include "server/http/peer.h"
#include "server/http/server.h"
#include "server/key_file.h"
#include "server/tls_settings.h"
#include "store/store.h"

/* When the number of CPUs decides. */
#define HTTP_THREADS_PER_CPU 4
#define HTTP_THREADS_MIN     4
#define HTTP_THREADS_MAX     32

/* Descriptors. A connection may hold the file that it sends, too; each thread has its own for
 * the database and for waiting; a worker may connect again before its old link is closed. */
#define FDS_PER_CONNECTION 2
#define FDS_PER_THREAD     8
#define FDS_PER_WORKER     2
#define FDS_FOR_THE_REST   40

struct front {
    const struct front_conf *conf;
    int control_fd;      /* borrowed from the engine, which reads it */
    int64_t connections; /* of clients, at most */
    struct store *store;
    struct engine *engine;
    struct http_server *http;
    struct followers followers;
    struct event_pieces *event_pieces;
    struct trusted_proxies trusted_proxies;
    struct auth *auth;
    struct http_tls tls;
    bool listen_tls[LISTEN_MAX];
    struct flights flights;
    struct service service;
};

/* ---- while it runs ----------------------------------------------------------------------- */

/* Engine thread: /readyz would say 200 from now on. */
static void on_ready(void *ctx)
{
    const struct front *f = ctx;
    const struct settings *s = f->conf->settings;
    struct control_msg msg = { .type = CONTROL_READY };
    struct errinfo e = { 0 };

    if (listeners_publish(f->conf->listeners, s->data_dir, &e) < 0)
        log_error("front.publish_failed", LSTR("reason", e.text)); /* it serves, all the same */
    if (send(f->control_fd, &msg, sizeof msg, MSG_NOSIGNAL) < 0)
        log_error("front.control_lost", LSTR("reason", "the supervisor does not listen"));
    for (size_t i = 0; i < f->conf->listeners->count; i++)
        log_info("front.listening", LSTR("address", f->conf->listeners->names[i]));
}

/* Engine thread: who connects from now on waits in the sockets for the next front. */
static void on_leave(void *ctx)
{
    const struct front *f = ctx;

    if (f->http)
        http_server_quiesce(f->http);
}

/* Engine thread. */
static bool is_serving(void *ctx)
{
    const struct front *f = ctx;

    return f->http && http_server_is_serving(f->http);
}

/* HTTP threads. */
static bool is_draining(void *ctx)
{
    const struct front *f = ctx;
    struct engine_status status;

    engine_status(f->engine, &status);
    return status.draining;
}

/* HTTP threads. */
static int has_room(void *ctx, struct errinfo *e)
{
    const struct front *f = ctx;
    const struct settings *s = f->conf->settings;
    int64_t waiting_jobs = engine_waiting_jobs(f->engine);

    if ((int64_t)engine_pending(f->engine) >= s->max_pending_submits)
        return err_set(e, ERR_NOT_READY, "more is submitted than can be written down");
    if (waiting_jobs >= s->max_waiting_jobs)
        return err_set(e, ERR_QUEUE_FULL, "%lld jobs are waiting; max_waiting_jobs allows %lld",
                       (long long)waiting_jobs, (long long)s->max_waiting_jobs);
    return 0;
}

/* ---- start ------------------------------------------------------------------------------- */

/* Each connection takes a descriptor. Not for the workers: a job may use select(2). */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* else fewer connections fit */
    }
}

static void ignore_signals(void)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    (void)sigaction(SIGPIPE, &ignore, NULL); /* cannot fail for these */
    (void)sigaction(SIGXFSZ, &ignore, NULL); /* a limit on file sizes is a full disk */
    (void)sigaction(SIGTERM, &ignore, NULL); /* the supervisor says when to stop */
    (void)sigaction(SIGINT, &ignore, NULL);
}

static unsigned http_threads(const struct settings *s)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (s->http_threads > 0)
        return (unsigned)s->http_threads;
    if (cpus < HTTP_THREADS_MIN / HTTP_THREADS_PER_CPU)
        return HTTP_THREADS_MIN;
    return cpus < HTTP_THREADS_MAX / HTTP_THREADS_PER_CPU
               ? (unsigned)cpus * HTTP_THREADS_PER_CPU
               : HTTP_THREADS_MAX;
}

/* Clients wait in the backlog of the socket when there are no more: that way they never take
 * the descriptors that workers and the database need. */
static int64_t connections_that_fit(const struct front_conf *conf, size_t workers)
{
    int64_t asked = conf->settings->max_connections;
    int64_t threads = (int64_t)(http_threads(conf->settings) * conf->listeners->count);
    int64_t reserved =
        threads * FDS_PER_THREAD + (int64_t)workers * FDS_PER_WORKER + FDS_FOR_THE_REST;
    struct rlimit limit;
    int64_t fit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT32_MAX)
        return asked;
    fit = ((int64_t)limit.rlim_cur - reserved) / FDS_PER_CONNECTION;
    if (fit < 1)
        fit = 1;
    if (fit >= asked)
        return asked;
    log_warn("front.fewer_connections", LI64("connections", fit), LI64("asked", asked),
             LI64("descriptors", (int64_t)limit.rlim_cur));
    return fit;
}

static int open_store(struct front *f, struct errinfo *e)
{
    const struct settings *s = f->conf->settings;
    const struct store_conf conf = {
        .data_dir = s->data_dir,
        .durability = (enum store_durability)s->durability,
    };

    return store_open("sqlite", &conf, &f->store, e);
}

/* *ret_list is the caller's to free; its names are borrowed from the settings. */
static int read_depths(const struct settings *s, struct queue_depth **ret_list,
                       struct errinfo *e)
{
    AUTO(mem)
    struct queue_depth *list = mem_array0(s->queue_depths.count + 1, sizeof *list);

    for (size_t i = 0; i < s->queue_depths.count; i++) {
        int r =
            config_queue_depth(s->queue_depths.items[i], &list[i].queue_len, &list[i].max, e);

        if (r < 0)
            return r;
        list[i].queue = s->queue_depths.items[i];
    }
    *ret_list = TAKE(list);
    return 0;
}

static int start_engine(struct front *f, const struct front_start *start, struct errinfo *e)
{
    const struct settings *s = f->conf->settings;
    AUTO(mem) struct queue_depth *depths = NULL;
    struct engine_conf conf = {
        .data_dir = s->data_dir,
        .functions = &s->functions,
        .store = f->store,
        .start = start,
        .max_waiting_jobs = s->max_waiting_jobs,
        /* Who waits keeps a connection: some are left for those who do not. */
        .max_waiters = s->max_long_polls > 0 ? (size_t)s->max_long_polls
                                             : (size_t)(f->connections - f->connections / 4),
        .idempotency_ttl_us = s->idempotency_ttl_us,
        .retention_us = s->retention_us,
        .drain_timeout_us = s->drain_timeout_us,
        .event_retention_us = s->event_retention_us,
        .max_events = s->max_events,
        .quarantine_after = (int)s->quarantine_after,
        .on_ready = on_ready,
        .on_leave = on_leave,
        .is_serving = is_serving,
        .ctx = f,
    };

    if (read_depths(s, &depths, e) < 0)
        return ERR_CONFIG;
    conf.queue_depths = depths;
    conf.queue_depth_count = s->queue_depths.count;
    return engine_new(&conf, &f->engine, e);
}

static void key_use_done(struct engine_request *request)
{
    free(request); /* a use that is not noted is no loss */
}

/* HTTP threads. */
static void note_key_use(void *ctx, const char *id, usec_t at_us)
{
    const struct front *f = ctx;
    struct key_request *request = mem_new0(sizeof *request);

    request->rq.op = ENGINE_KEY;
    request->rq.done = key_use_done;
    request->change = KEY_USED;
    memcpy(request->key.id, id, sizeof request->key.id);
    request->key.last_used_at_us = at_us;
    engine_request(f->engine, &request->rq);
}

static int start_auth(struct front *f, struct errinfo *e)
{
    const struct settings *s = f->conf->settings;
    struct keyring_conf keys = { .store = f->store, .note_use = note_key_use, .ctx = f };
    int r;

    r = tls_settings_load(s, &f->tls, e);
    if (r < 0)
        return r;
    if (s->api_keys_file) {
        r = key_file_read(s->api_keys_file, &keys.fixed, e);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < f->conf->listeners->count; i++)
        f->listen_tls[i] = text_starts(f->conf->listeners->names[i], "tls:", NULL);
    r = auth_new(s, &keys, &f->auth, e);
    if (r < 0)
        api_keys_fini(&keys.fixed);
    return r;
}

/* HTTP threads. */
static void on_keys_changed(void *ctx)
{
    auth_keys_changed(ctx);
}

static int start_http(struct front *f, struct errinfo *e)
{
    const struct settings *s = f->conf->settings;
    const struct http_conf conf = {
        .listen_fds = f->conf->listeners->fds,
        .listen_count = f->conf->listeners->count,
        .listen_tls = f->listen_tls,
        .tls = &f->tls,
        .routes = handlers_routes,
        .route_count = handlers_route_count,
        .service = &f->service,
        .max_body_bytes = (size_t)s->max_body_bytes,
        .max_batch_body_bytes = (size_t)s->max_batch_body_bytes,
        .max_bodies_bytes =
            (size_t)(s->max_bodies_bytes > s->max_batch_body_bytes ? s->max_bodies_bytes
                                                                   : s->max_batch_body_bytes),
        .max_connections = (unsigned)f->connections,
        .threads = http_threads(s),
        .max_connections_per_address = (unsigned)s->max_connections_per_address,
        .max_uri_bytes = (size_t)s->max_uri_bytes,
        .max_header_bytes = (size_t)s->max_header_bytes,
        .header_timeout_us = s->header_timeout_us,
        .body_timeout_us = s->body_timeout_us,
        .idle_timeout_us = s->keepalive_timeout_us,
        .cors_origins = (const char *const *)s->cors_origins.items,
        .cors_origin_count = s->cors_origins.count,
        .trusted_proxies = &f->trusted_proxies,
        .auth = auth_for_http(f->auth),
        .loopback_only = !s->insecure,
        .key_rate = { s->rate_limit, s->rate_period_us, s->rate_burst },
        .address_rate = { s->rate_limit_per_address, s->rate_period_us, s->rate_burst },
        .room = has_room,
        .room_ctx = f,
        .draining = is_draining,
        .draining_ctx = f,
    };
    char room[PATHS_SIZE];
    int r;

    f->event_pieces = event_pieces_new();
    f->service = (struct service){
        .engine = f->engine,
        .store = f->store,
        .functions = &s->functions,
        .data_dir = s->data_dir,
        .allow_commands = s->allow_commands,
        .long_poll_max_us = s->long_poll_max_us,
        .event_heartbeat_us = s->event_heartbeat_us,
        .retention_us = s->retention_us,
        .require_if_match = s->require_if_match,
        .followers = &f->followers,
        .keys_changed = on_keys_changed,
        .keys_ctx = f->auth,
        .event_pieces = f->event_pieces,
        .max_body_bytes = (size_t)s->max_body_bytes,
        .max_batch_jobs = (size_t)s->max_batch_jobs,
        .flights = &f->flights,
        .idempotency_ttl_us = s->idempotency_ttl_us,
        .require_idempotency_key = s->require_idempotency_key,
    };
    f->followers.max = 1 + (unsigned)(f->connections / 4); /* each keeps a connection */
    r = config_trusted_proxies(s, &f->trusted_proxies, e);
    if (r < 0)
        return r;
    r = token_key_load(paths_token_key(s->data_dir, room), &f->service.cursor_key, e);
    if (r < 0)
        return r;
    return http_server_new(&conf, &f->http, e);
}

static int start_all(struct front *f, const struct front_start *start, struct errinfo *e)
{
    int r;

    f->connections = connections_that_fit(f->conf, start->worker_count);
    r = open_store(f, e);
    if (r < 0)
        return r;
    r = start_engine(f, start, e);
    if (r < 0)
        return r;
    r = start_auth(f, e);
    if (r < 0)
        return r;
    return start_http(f, e);
}

/* ---- end --------------------------------------------------------------------------------- */

/* The engine has answered everybody who waited; answers on their way are sent. */
static void stop_all(struct front *f)
{
    if (f->http)
        http_server_quiesce(f->http);
    f->http = http_server_free(f->http);
    f->event_pieces = event_pieces_free(f->event_pieces);
    f->auth = auth_free(f->auth);
    http_tls_fini(&f->tls);
    trusted_proxies_fini(&f->trusted_proxies);
    f->engine = engine_free(f->engine);
    f->store = store_free(f->store);
    flights_fini(&f->flights);
}

static int start_failed(struct front *f, const struct errinfo *e)
{
    bool for_good = e->code == ERR_SCHEMA_NEWER || e->code == ERR_CONFIG;

    log_error("front.start_failed", LSTR("code", err_meta(e->code)->symbol),
              LSTR("reason", e->text));
    stop_all(f);
    if (for_good)
        return EX_CONFIG;
    return err_is_shortage(e) ? EX_TEMPFAIL : EXIT_FAILURE;
}

int front_main(void *ctx, const struct front_start *start)
{
    struct front f = { .conf = ctx, .control_fd = start->control_fd };
    struct errinfo e = { 0 };

    flights_init(&f.flights);
    ignore_signals();
    raise_descriptor_limit();
    if (start_all(&f, start, &e) < 0)
        return start_failed(&f, &e);
    if (engine_run(f.engine, &e) < 0) {
        /* Without a supervisor, or without the database, there is nothing to finish: whoever
         * waits sees the connection close, and jobs go on in their workers. At once, as the
         * HTTP threads still work with f. */
        log_error("front.failed", LSTR("reason", e.text));
        _exit(EXIT_FAILURE);
    }
    stop_all(&f);
    return 0;
}
