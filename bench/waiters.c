/* bench/waiters.c - many clients that wait: long-polls of jobs and streams of jobs' events.
 *
 *   waiters HOST:PORT POLLS STREAMS same|own
 *
 * Submits one job for all of them, or one for each, that will not run; opens the connections;
 * prints "ready" once every stream has its head, and waits for a line on stdin. Then it cancels
 * the jobs and prints one JSON line: told, errors, and how long after the request for its job's
 * end each waiter was told (p50_us, p99_us, last_us). One thread. The clients come from many
 * loopback addresses, so that neither ports nor limits for each address run out. bench/waiting
 * runs it, and looks at the server meanwhile.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define ADDRESSES    250
#define CANCELS      16 /* connections on which jobs are canceled */
#define ID_SIZE      37
#define END_SECONDS  120
#define JOB_BODY     "{\"command\":[\"true\"],\"delay_seconds\":86400}"
#define STREAM_ENDED "event: job.canceled"

struct job {
    char id[ID_SIZE];
    usec_t asked_us; /* monotonic: when its end was asked for; 0: not yet */
};

struct client {
    int fd;
    bool is_stream;
    bool has_head;
    bool told;
    struct job *job;
};

struct waiting {
    struct sockaddr_in server;
    int epoll_fd;
    struct client *clients;
    size_t count;
    struct job *jobs;
    size_t job_count;
    size_t heads; /* streams that have theirs */
    size_t told;
    size_t errors;
    uint32_t *latencies_us;
};

static void fail(const char *what)
{
    (void)fprintf(stderr, "waiters: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connect_from(const struct waiting *w, size_t number)
{
    struct sockaddr_in from = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(number % ADDRESSES));
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&from, sizeof from) < 0 ||
        connect(fd, (const struct sockaddr *)&w->server, sizeof w->server) < 0)
        fail("connect");
    return fd;
}

static void send_all(int fd, const char *text, size_t len)
{
    if (write(fd, text, len) != (ssize_t)len)
        fail("write");
}

/* -- the jobs -------------------------------------------------------------------------------
 */

/* One answer, as far as one read gives it: all that is needed of a short one. */
static void read_answer(int fd, char *room, size_t size)
{
    ssize_t n = read(fd, room, size - 1);

    if (n <= 0)
        fail("read");
    room[n] = 0;
}

static void submit(int fd, struct job *job)
{
    static const char request[] =
        "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Type: application/json\r\nContent-Length: 42\r\n\r\n" JOB_BODY;
    char answer[8192];
    const char *at;

    _Static_assert(sizeof JOB_BODY - 1 == 42, "Content-Length");
    send_all(fd, request, sizeof request - 1);
    read_answer(fd, answer, sizeof answer);
    at = strstr(answer, "/v1/jobs/");
    if (!at) {
        (void)fprintf(stderr, "waiters: a submit was answered with %.200s\n", answer);
        exit(1);
    }
    (void)snprintf(job->id, sizeof job->id, "%s", at + strlen("/v1/jobs/"));
}

static void submit_all(struct waiting *w)
{
    int fd = connect_from(w, 0);

    for (size_t i = 0; i < w->job_count; i++)
        submit(fd, &w->jobs[i]);
    (void)close(fd);
}

static void cancel(int fd, struct job *job)
{
    char request[256];
    int len = snprintf(request, sizeof request,
                       "POST /v1/jobs/%s:cancel HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                       "Content-Length: 0\r\n\r\n",
                       job->id);

    job->asked_us = clock_mono_us();
    send_all(fd, request, (size_t)len);
}

/* -- those who wait -------------------------------------------------------------------------
 */

static void open_client(struct waiting *w, size_t number, bool is_stream)
{
    struct client *c = &w->clients[number];
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
    char request[256];
    int len;

    c->is_stream = is_stream;
    c->job = &w->jobs[w->job_count == 1 ? 0 : number];
    c->fd = connect_from(w, number);
    len = snprintf(request, sizeof request,
                   "GET /v1/jobs/%s%s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", c->job->id,
                   is_stream ? "/events" : "?wait=3600",
                   is_stream ? "Accept: text/event-stream\r\n" : "");
    send_all(c->fd, request, (size_t)len);
    if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) < 0)
        fail("epoll_ctl");
}

static void on_told(struct waiting *w, struct client *c)
{
    c->told = true;
    w->latencies_us[w->told++] = (uint32_t)(clock_mono_us() - c->job->asked_us);
}

static void on_input(struct waiting *w, struct client *c)
{
    char block[16384];
    ssize_t n = read(c->fd, block, sizeof block - 1);

    if (n <= 0) {
        if (!c->told) {
            (void)fprintf(stderr, "waiters: a %s was cut off\n",
                          c->is_stream ? "stream" : "poll");
            w->errors++;
        }
        (void)close(c->fd); /* a stream ends behind its last event */
        return;
    }
    block[n] = 0;
    if (!c->has_head && strncmp(block, "HTTP/1.1 200 ", 13) != 0) {
        (void)fprintf(stderr, "waiters: %.300s\n", block);
        w->errors++;
        c->told = true;
        return;
    }
    if (!c->has_head && c->is_stream)
        w->heads++;
    c->has_head = true;
    if (!c->told && (!c->is_stream || strstr(block, STREAM_ENDED)))
        on_told(w, c);
}

/* Handle what comes within so many milliseconds at first. */
static void turn(struct waiting *w, int timeout_ms)
{
    struct epoll_event events[256];
    int n = epoll_wait(w->epoll_fd, events, 256, timeout_ms);

    for (int i = 0; i < n; i++)
        on_input(w, events[i].data.ptr);
}

static void open_all(struct waiting *w, size_t polls)
{
    usec_t until_us = clock_mono_us() + END_SECONDS * USEC_PER_SEC;
    size_t streams = w->count - polls;

    for (size_t i = 0; i < w->count; i++) {
        open_client(w, i, i >= polls);
        turn(w, 0);
    }
    while (w->heads < streams && w->errors == 0 && clock_mono_us() < until_us)
        turn(w, 100);
    if (w->heads < streams)
        fail("not every stream has begun");
}

/* -- the end --------------------------------------------------------------------------------
 */

static void end_jobs(struct waiting *w)
{
    int fds[CANCELS];
    char answer[8192];
    usec_t until_us = clock_mono_us() + END_SECONDS * USEC_PER_SEC;

    for (size_t i = 0; i < CANCELS; i++)
        fds[i] = connect_from(w, i);
    for (size_t i = 0; i < w->job_count; i++) {
        int fd = fds[i % CANCELS];

        if (i >= CANCELS)
            read_answer(fd, answer, sizeof answer);
        cancel(fd, &w->jobs[i]);
        turn(w, 0);
    }
    while (w->told + w->errors < w->count && clock_mono_us() < until_us)
        turn(w, 100);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void report(struct waiting *w)
{
    uint32_t *l = w->latencies_us;
    size_t n = w->told;

    qsort(l, n, sizeof *l, by_size);
    printf("{\"told\":%zu,\"errors\":%zu,\"p50_us\":%u,\"p99_us\":%u,\"last_us\":%u}\n", n,
           w->count - n, n ? l[n / 2] : 0, n ? l[n * 99 / 100] : 0, n ? l[n - 1] : 0);
}

static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail("setrlimit");
}

int main(int argc, char **argv)
{
    struct waiting w = { .server.sin_family = AF_INET };
    char *colon = argc == 5 ? strrchr(argv[1], ':') : NULL;
    size_t polls;

    if (!colon) {
        (void)fprintf(stderr, "usage: waiters HOST:PORT POLLS STREAMS same|own\n");
        return 64;
    }
    raise_limit();
    *colon = 0;
    w.server.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, argv[1], &w.server.sin_addr) != 1)
        fail(argv[1]);
    polls = strtoul(argv[2], NULL, 10);
    w.count = polls + strtoul(argv[3], NULL, 10);
    w.clients = mem_array0(w.count + 1, sizeof *w.clients);
    w.latencies_us = mem_array0(w.count + 1, sizeof *w.latencies_us);
    w.job_count = strcmp(argv[4], "same") == 0 ? 1 : w.count;
    w.jobs = mem_array0(w.job_count + 1, sizeof *w.jobs);
    w.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    submit_all(&w);
    open_all(&w, polls);
    (void)puts("ready");
    (void)fflush(stdout);
    while (getchar() != '\n')
        ;
    end_jobs(&w);
    report(&w);
    return w.told == w.count ? 0 : 1;
}
