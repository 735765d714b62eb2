/* bench/http_echo.c - what server/http costs: the ceiling's work (ceilings/mhd_echo.c) done by
 * a handler behind the whole chain.
 *
 *     http_echo PORT [THREADS [WHERE [BUSY]]]      runs until its standard input ends
 *
 * WHERE is "direct" (the handler answers) or "engine": the handler hands the request to one
 * other thread, which answers what has come together in one go, as the ledger loop does; it
 * spends BUSY microseconds of processor time on each request, and 100 us asleep on each go.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/uuid7.h"
#include "domain/json_text.h"
#include "server/http/server.h"

struct item {
    struct http_req *rq;
    struct item *next;
};

/* Requests pushed by HTTP threads, taken all at once by the engine thread. */
static _Atomic(struct item *) queue;
static int wake_fd = -1;
static atomic_bool stopping;

static usec_t busy_us;

static int reply(struct http_resp *rs)
{
    static _Thread_local struct uuid7_gen ids;
    char id[UUID7_TEXT_SIZE];
    char *text;

    (void)uuid7_format(uuid7_new(&ids, clock_wall_us()), id);
    text = mem_printf("{\"id\":\"%s\"}", id);
    http_set_header(rs, "Location", "/v1/jobs/%s", id);
    return http_reply_bytes(rs, 202, "application/json", text, strlen(text));
}

static int read_body(struct http_req *rq, struct http_resp *rs)
{
    json_t *json = NULL;
    int r = http_body_json(rq, &json, &rs->err);

    json_decref(json);
    return r;
}

static int direct(struct http_req *rq, struct http_resp *rs)
{
    int r = read_body(rq, rs);

    return r < 0 ? r : reply(rs);
}

static int after_engine(struct http_req *rq, struct http_resp *rs)
{
    (void)rq;
    return reply(rs);
}

static int through_engine(struct http_req *rq, struct http_resp *rs)
{
    int r = read_body(rq, rs);
    struct item *it;

    if (r < 0)
        return r;
    it = mem_new0(sizeof *it);
    it->rq = rq;
    rq->next = after_engine;
    rq->state = it;
    rq->state_free = free;
    it->next = atomic_load(&queue);
    while (!atomic_compare_exchange_weak(&queue, &it->next, it))
        continue;
    if (!it->next)
        (void)eventfd_write(wake_fd, 1);
    return HTTP_PENDING;
}

/* As a turn of the ledger loop: rows for each request, then one commit. */
static void turn(const struct item *it)
{
    struct timespec commit = { .tv_nsec = 100000 };
    usec_t end_us = clock_mono_us();

    if (busy_us == 0)
        return;
    for (; it; it = it->next)
        end_us += busy_us;
    while (clock_mono_us() < end_us)
        continue;
    (void)nanosleep(&commit, NULL);
}

static void *engine(void *arg)
{
    eventfd_t times;

    (void)arg;
    while (!atomic_load(&stopping)) {
        struct item *it;

        (void)eventfd_read(wake_fd, &times);
        it = atomic_exchange(&queue, NULL);
        turn(it);
        while (it) {
            struct item *next = it->next;

            http_resume(it->rq);
            it = next;
        }
    }
    return NULL;
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 511) < 0) {
        perror("http_echo");
        exit(1);
    }
    return fd;
}

static void print_port(int fd)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;

    if (getsockname(fd, (struct sockaddr *)&at, &len) == 0)
        printf("%u\n", ntohs(at.sin_port));
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    int fd = listen_on(argc > 1 ? (uint16_t)strtoul(argv[1], NULL, 10) : 0);
    bool behind = argc > 3 && strcmp(argv[3], "engine") == 0;
    const struct http_route routes[] = {
        { HTTP_POST, "/v1/jobs", "createJob", behind ? through_engine : direct, BODY_JSON,
          SCOPE_PUBLIC },
        { HTTP_GET, "/v1/jobs/{id}", "getJob", direct, BODY_NONE, SCOPE_PUBLIC },
    };
    struct http_conf conf = {
        .listen_fds = &fd,
        .listen_count = 1,
        .routes = routes,
        .route_count = COUNT_OF(routes),
        .max_body_bytes = 1 << 20,
        .max_connections = 4096,
        .threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1,
        .idle_timeout_us = 60 * USEC_PER_SEC,
        .loopback_only = true,
    };
    struct http_server *server;
    struct errinfo e;
    pthread_t thread;
    char c;

    busy_us = argc > 4 ? strtol(argv[4], NULL, 10) : 0;
    wake_fd = eventfd(0, EFD_CLOEXEC);
    if (pthread_create(&thread, NULL, engine, NULL) != 0 ||
        http_server_new(&conf, &server, &e) < 0) {
        (void)fprintf(stderr, "http_echo: %s\n", e.text);
        return 1;
    }
    print_port(fd);
    while (read(0, &c, 1) > 0)
        continue;
    server = http_server_free(server);
    atomic_store(&stopping, true);
    (void)eventfd_write(wake_fd, 1);
    (void)pthread_join(thread, NULL);
    (void)close(fd);
    return 0;
}
