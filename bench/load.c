/* bench/load.c - a bounded HTTP load: one request in flight on each of N keep-alive
 * connections.
 *
 *   load HOST:PORT PATH BODY [-c connections] [-s seconds] [-n requests] [-r per_second]
 *        [-H "Name: value"]...
 *
 * Sends POST with BODY, or GET when it is empty, until the time or the count is reached, no
 * faster than -r says. PATH may be @FILE, which has one path in a line: they are asked for in
 * turn. BODY may be @FILE, too, which is sent as it is. Then it prints one JSON line: requests,
 * errors (anything but 2xx), seconds, per_second, p50_us, p99_us, max_us. Loopback only. One
 * thread: it shares the machine with what it measures, and says so little that it costs little.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define CONNECTIONS_MAX 1024
#define SECONDS_MAX     120
#define HEADERS_MAX     8
#define ANSWER_MAX      ((size_t)4 << 20) /* a page of jobs, or what became of a batch */
#define JSON_TYPE       "Content-Type: application/json\r\n"

struct connection {
    int fd;
    size_t sent;       /* of the request */
    size_t received;   /* of the answer */
    size_t answer_len; /* 0 until the head is complete */
    bool failed;
    usec_t started_us;
    char *answer;
};

struct request {
    char *text;
    size_t len;
};

struct load {
    struct sockaddr_in address;
    struct request *requests;
    size_t request_count;
    unsigned connections;
    double seconds;
    uint64_t requests_max;
    double per_second; /* 0: as fast as it goes */
    usec_t start_us;
    int epoll_fd;
    uint64_t started;
    uint64_t done;
    uint64_t errors;
    uint32_t *latencies_us;
    size_t latency_capacity;
    usec_t stop_us;
};

static void fail(const char *what)
{
    (void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void record(struct load *ld, usec_t latency_us)
{
    if (ld->done == ld->latency_capacity) {
        ld->latency_capacity = ld->latency_capacity ? ld->latency_capacity * 2 : 65536;
        ld->latencies_us = mem_resize(ld->latencies_us, ld->latency_capacity, sizeof(uint32_t));
    }
    ld->latencies_us[ld->done++] = (uint32_t)latency_us;
}

static void open_connection(struct load *ld, struct connection *c)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&ld->address, sizeof ld->address) < 0)
        fail("connect");
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (epoll_ctl(ld->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) < 0)
        fail("epoll_ctl");
    if (!c->answer)
        c->answer = mem_new0(ANSWER_MAX); /* taken as it is touched */
}

/* Wait until the next request is due. */
static void pace(const struct load *ld)
{
    usec_t due_us = ld->start_us + (usec_t)((double)ld->started / ld->per_second * 1e6);
    usec_t ahead_us = due_us - clock_mono_us();
    const struct timespec wait = { .tv_sec = (time_t)(ahead_us / USEC_PER_SEC),
                                   .tv_nsec = (long)(ahead_us % USEC_PER_SEC) * 1000 };

    if (ahead_us > 0)
        (void)nanosleep(&wait, NULL);
}

/* The socket blocks: a large request goes out as a whole. */
static void send_request(struct load *ld, struct connection *c)
{
    const struct request *r = &ld->requests[ld->started % ld->request_count];

    if (ld->per_second > 0)
        pace(ld);
    c->received = 0;
    c->answer_len = 0;
    c->started_us = clock_mono_us();
    ld->started++;
    if (send(c->fd, r->text, r->len, MSG_NOSIGNAL) != (ssize_t)r->len)
        c->failed = true;
}

/* Length of the whole answer once its head is there; 0 before. */
static size_t answer_length(const struct connection *c)
{
    const char *end = memmem(c->answer, c->received, "\r\n\r\n", 4);
    const char *line = c->answer;
    size_t body = 0;

    if (!end)
        return 0;
    while (line && line < end) {
        if (strncasecmp(line, "content-length:", 15) == 0)
            body = strtoul(line + 15, NULL, 10);
        line = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
        line = line ? line + 2 : NULL;
    }
    return (size_t)(end - c->answer) + 4 + body;
}

/* True when a whole answer is there. */
static bool receive(struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->received, ANSWER_MAX - 1 - c->received, 0);

    if (n <= 0) {
        c->failed = true;
        return false;
    }
    c->received += (size_t)n;
    c->answer[c->received] = '\0';
    if (c->answer_len == 0)
        c->answer_len = answer_length(c);
    return c->answer_len > 0 && c->received >= c->answer_len;
}

static bool wants_close(const struct connection *c)
{
    return strcasestr(c->answer, "\r\nConnection: close") != NULL;
}

static bool more(const struct load *ld)
{
    return (ld->requests_max == 0 || ld->started < ld->requests_max) &&
           clock_mono_us() < ld->stop_us;
}

static void reopen(struct load *ld, struct connection *c)
{
    (void)close(c->fd);
    c->failed = false;
    open_connection(ld, c);
}

/* Returns false when this connection is done. */
static bool on_readable(struct load *ld, struct connection *c)
{
    if (!receive(c) && !c->failed)
        return true;
    if (c->failed || strncmp(c->answer, "HTTP/1.1 2", 10) != 0)
        ld->errors++;
    record(ld, clock_mono_us() - c->started_us);
    if (!more(ld))
        return false;
    if (c->failed || wants_close(c))
        reopen(ld, c);
    send_request(ld, c);
    return true;
}

static double run(struct load *ld)
{
    struct connection *all = mem_array0(ld->connections, sizeof *all);
    unsigned active = ld->connections;
    struct epoll_event events[64];
    usec_t start_us;

    for (unsigned i = 0; i < ld->connections; i++)
        open_connection(ld, &all[i]);
    ld->start_us = start_us = clock_mono_us();
    ld->stop_us = start_us + (usec_t)(ld->seconds * 1e6);
    for (unsigned i = 0; i < ld->connections; i++)
        send_request(ld, &all[i]);
    while (active > 0) {
        int n = epoll_wait(ld->epoll_fd, events, 64, 60000);

        if (n == 0)
            fail("no answer for 60 s");
        for (int i = 0; i < n; i++)
            active -= !on_readable(ld, events[i].data.ptr);
    }
    for (unsigned i = 0; i < ld->connections; i++) {
        (void)close(all[i].fd);
        free(all[i].answer);
    }
    free(all);
    return (double)(clock_mono_us() - start_us) / 1e6;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static uint32_t percentile(const struct load *ld, double p)
{
    return ld->done ? ld->latencies_us[(size_t)((double)(ld->done - 1) * p)] : 0;
}

static void print(struct load *ld, double seconds)
{
    qsort(ld->latencies_us, ld->done, sizeof(uint32_t), by_value);
    (void)printf(
        "{\"requests\":%llu,\"errors\":%llu,\"seconds\":%.3f,\"per_second\":%.1f,"
        "\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u}\n",
        (unsigned long long)ld->done, (unsigned long long)ld->errors, seconds,
        (double)ld->done / seconds, percentile(ld, 0.5), percentile(ld, 0.99),
        percentile(ld, 1.0));
}

static void usage(void)
{
    (void)fputs(
        "usage: load HOST:PORT PATH BODY [-c connections] [-s seconds] [-n requests]"
        " [-r per_second] [-H \"Name: value\"]...\n",
        stderr);
    exit(64);
}

static void parse_address(struct load *ld, char *text)
{
    char *colon = strrchr(text, ':');

    if (!colon)
        usage();
    *colon = '\0';
    ld->address.sin_family = AF_INET;
    ld->address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, text, &ld->address.sin_addr) != 1 ||
        (ntohl(ld->address.sin_addr.s_addr) >> 24) != 127) {
        (void)fputs("load: only addresses in 127.0.0.0/8\n", stderr);
        exit(64);
    }
}

/* The whole of a file, or text itself when it does not begin with @. */
static char *read_text(const char *text, size_t *ret_len)
{
    size_t capacity = 65536;
    char *all;
    FILE *f;

    if (text[0] != '@') {
        *ret_len = strlen(text);
        return mem_str(text);
    }
    f = fopen(text + 1, "re");
    if (!f)
        fail(text + 1);
    all = mem_new0(capacity);
    *ret_len = 0;
    for (size_t n; (n = fread(all + *ret_len, 1, capacity - *ret_len - 1, f)) > 0;) {
        *ret_len += n;
        if (capacity - *ret_len < 4096)
            all = mem_resize(all, capacity *= 2, 1);
    }
    all[*ret_len] = '\0';
    (void)fclose(f);
    return all;
}

static void add_request(struct load *ld, const char *path, const char *headers,
                        const char *body, size_t body_len)
{
    struct request *r;
    AUTO(mem) char *head = NULL;
    size_t head_len;

    ld->requests = mem_resize(ld->requests, ld->request_count + 1, sizeof *ld->requests);
    r = &ld->requests[ld->request_count++];
    head = body_len > 0
               ? mem_printf(
                     "POST %s HTTP/1.1\r\nHost: localhost\r\n"
                     "%s%sContent-Length: %zu\r\n\r\n",
                     path, strstr(headers, "Content-Type:") ? "" : JSON_TYPE, headers, body_len)
               : mem_printf("GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, headers);
    head_len = strlen(head);
    r->len = head_len + body_len;
    r->text = mem_new0(r->len + 1);
    memcpy(r->text, head, head_len);
    memcpy(r->text + head_len, body, body_len);
}

static void make_requests(struct load *ld, const char *paths, const char *headers,
                          const char *body)
{
    size_t paths_len;
    size_t body_len;
    AUTO(mem) char *all = read_text(paths, &paths_len);
    AUTO(mem) char *content = read_text(body, &body_len);
    char *rest = NULL;

    for (char *path = strtok_r(all, "\n", &rest); path; path = strtok_r(NULL, "\n", &rest))
        add_request(ld, path, headers, content, body_len);
    if (ld->request_count == 0)
        usage();
}

int main(int argc, char **argv)
{
    struct load ld = { .connections = 64, .seconds = 3 };
    char headers[2048] = "";
    size_t header_len = 0;
    double seconds;
    int option;

    while ((option = getopt(argc, argv, "c:s:n:r:H:")) != -1) {
        if (option == 'c')
            ld.connections = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 's')
            ld.seconds = strtod(optarg, NULL);
        else if (option == 'n')
            ld.requests_max = strtoull(optarg, NULL, 10);
        else if (option == 'r')
            ld.per_second = strtod(optarg, NULL);
        else if (option == 'H' && header_len + strlen(optarg) + 3 < sizeof headers)
            header_len += (size_t)snprintf(headers + header_len, sizeof headers - header_len,
                                           "%s\r\n", optarg);
        else
            usage();
    }
    if (argc - optind != 3 || ld.connections < 1 || ld.connections > CONNECTIONS_MAX ||
        ld.seconds > SECONDS_MAX)
        usage();
    if (ld.requests_max > 0 && ld.requests_max < ld.connections)
        ld.connections = (unsigned)ld.requests_max;
    parse_address(&ld, argv[optind]);
    make_requests(&ld, argv[optind + 1], headers, argv[optind + 2]);
    ld.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (ld.epoll_fd < 0)
        fail("epoll_create1");
    seconds = run(&ld);
    print(&ld, seconds);
    for (size_t i = 0; i < ld.request_count; i++)
        free(ld.requests[i].text);
    free(ld.requests);
    free(ld.latencies_us);
    return ld.errors > 0 ? 1 : 0;
}
