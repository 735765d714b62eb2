/* The whole of server/http on an ephemeral loopback port, with handlers that exist only here,
 * driven by raw sockets (what exactly is on the wire) and by libcurl (what a client makes of
 * it).
 */
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "domain/json_text.h"
#include "server/http/peer.h"
#include "server/http/server.h"

#define BODY_MAX 4096
#define HELD_MAX 256

/* -- a thread that resumes requests ----------------------------------------------------------
 */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the next five */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct http_req *to_resume[HELD_MAX];
static size_t to_resume_count;
static struct http_req *held[HELD_MAX];
static size_t held_count;
static bool resumer_stops;

static atomic_int states_freed;
static atomic_bool draining;
static atomic_bool overloaded;

static void *resumer(void *arg)
{
    (void)arg;
    (void)pthread_mutex_lock(&lock);
    for (;;) {
        struct http_req *rq;

        while (to_resume_count == 0 && !resumer_stops)
            (void)pthread_cond_wait(&changed, &lock);
        if (to_resume_count == 0)
            break;
        rq = to_resume[--to_resume_count];
        (void)pthread_mutex_unlock(&lock);
        http_resume(rq);
        (void)pthread_mutex_lock(&lock);
    }
    (void)pthread_mutex_unlock(&lock);
    return NULL;
}

static void put(struct http_req **list, size_t *count, struct http_req *rq)
{
    (void)pthread_mutex_lock(&lock);
    assert_true(*count < HELD_MAX);
    list[(*count)++] = rq;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
}

static void wait_until_held(size_t count)
{
    (void)pthread_mutex_lock(&lock);
    while (held_count < count)
        (void)pthread_cond_wait(&changed, &lock);
    (void)pthread_mutex_unlock(&lock);
}

/* Hand everything that is held to the resumer. */
static void release_held(void)
{
    (void)pthread_mutex_lock(&lock);
    memcpy(to_resume, held, sizeof held);
    to_resume_count = held_count;
    held_count = 0;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
}

/* -- handlers -------------------------------------------------------------------------------
 */

static int reply_text(struct http_resp *rs, int status, const char *text)
{
    return http_reply_json(rs, status, json_pack("{s:s}", "text", text));
}

static int h_echo(struct http_req *rq, struct http_resp *rs)
{
    json_t *json = NULL;
    int r = http_body_json(rq, &json, &rs->err);

    if (r < 0)
        return r;
    return http_reply_json(rs, 202, json_pack("{s:o}", "echo", json ? json : json_null()));
}

static int h_lines(struct http_req *rq, struct http_resp *rs)
{
    size_t len;

    (void)http_body(rq, &len);
    return http_reply_json(
        rs, 202,
        json_pack("{s:I,s:b}", "bytes", (json_int_t)len, "lines", http_body_is_lines(rq)));
}

static int h_item(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { "fields", NULL };
    int r = http_query_allow(rq, known, &rs->err);

    if (r < 0)
        return r;
    http_set_header(rs, "ETag", "\"v%d\"", 7);
    if (http_none_match(rq, "\"v7\""))
        return http_reply_empty(rs, 304);
    return reply_text(rs, 200, http_param(rq, "id"));
}

static int h_text(struct http_req *rq, struct http_resp *rs)
{
    (void)rq;
    return http_reply_static(rs, 200, "text/plain", "plain", 5);
}

static int after_resume(struct http_req *rq, struct http_resp *rs)
{
    return reply_text(rs, 200, rq->state ? rq->state : "no state");
}

static void free_state(void *state)
{
    free(state);
    (void)atomic_fetch_add(&states_freed, 1);
}

static int pend(struct http_req *rq, http_handler next)
{
    if (!rq->state) {
        rq->state = mem_str("kept");
        rq->state_free = free_state;
    }
    rq->next = next;
    return HTTP_PENDING;
}

static int h_before(struct http_req *rq, struct http_resp *rs)
{
    int pending = pend(rq, after_resume);

    (void)rs;
    http_resume(rq);
    return pending;
}

static int h_racing(struct http_req *rq, struct http_resp *rs)
{
    int pending = pend(rq, after_resume);

    (void)rs;
    put(to_resume, &to_resume_count, rq);
    return pending;
}

static int h_held(struct http_req *rq, struct http_resp *rs)
{
    int pending = pend(rq, after_resume);

    (void)rs;
    put(held, &held_count, rq);
    return pending;
}

/* Seen by a thread that spins, so that its resume falls into the few hundred nanoseconds
 * between the handler's return and the end of the suspend. */
static _Atomic(struct http_req *) spun;
static atomic_bool spinner_stops;

static int h_spun(struct http_req *rq, struct http_resp *rs)
{
    int pending = pend(rq, after_resume);

    (void)rs;
    atomic_store(&spun, rq);
    return pending;
}

static void *spinner(void *arg)
{
    unsigned round = 0;

    (void)arg;
    while (!atomic_load(&spinner_stops)) {
        struct http_req *rq = atomic_load(&spun) ? atomic_exchange(&spun, NULL) : NULL;

        if (!rq)
            continue;
        for (unsigned i = 0; i < round % 64 * 16; i++)
            atomic_signal_fence(memory_order_seq_cst); /* a delay that is not optimised away */
        round++;
        http_resume(rq);
    }
    return NULL;
}

static int h_twice(struct http_req *rq, struct http_resp *rs)
{
    int pending = pend(rq, h_racing);

    (void)rs;
    put(to_resume, &to_resume_count, rq);
    return pending;
}

static int h_faulty(struct http_req *rq, struct http_resp *rs)
{
    (void)rq;
    faults_add(&rs->faults, "#/a", "wrong-type", "want a \"string\"");
    for (size_t i = 0; i < FAULTS_MAX + 1; i++)
        faults_add(&rs->faults, "#/b", "unknown-field", "no such field");
    http_problem_text(rs, "state", "replaced");
    http_problem_text(rs, "state", "running");
    http_problem_number(rs, "max_bytes", 4096);
    http_problem_json(rs, "in_the_way", json_pack("[s]", "a \"job\""));
    return err_set(&rs->err, ERR_VALIDATION, "not UTF-8: \xFF");
}

static int h_broken(struct http_req *rq, struct http_resp *rs)
{
    (void)rq;
    http_set_header(rs, "ETag", "\"v1\"");
    (void)http_reply_bytes(rs, 200, "text/plain", mem_str("half an answer"), 14);
    (void)reply_text(rs, 200, "another");
    return err_set(&rs->err, ERR_SYS, "open /secret/path");
}

static int h_not_ready(struct http_req *rq, struct http_resp *rs)
{
    if (http_query(rq, "after", 0))
        http_set_header(rs, "Retry-After", "%s", http_query(rq, "after", 0));
    return err_set(&rs->err, ERR_RESULT_NOT_READY, "come again");
}

static int h_file(struct http_req *rq, struct http_resp *rs)
{
    char path[] = "/tmp/jobd-test-http-XXXXXX";
    struct http_range range;
    int fd = mkstemp(path);
    int r;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    (void)unlink(path);
    r = http_range(rq, 10, "\"v1\"", &range, &rs->err);
    if (r < 0) {
        http_set_header(rs, "Content-Range", "bytes */%d", 10);
        (void)close(fd);
        return r;
    }
    http_set_header(rs, "Accept-Ranges", "bytes");
    if (range.partial)
        http_set_header(rs, "Content-Range", "bytes %d-%d/10", (int)range.offset,
                        (int)(range.offset + range.len - 1));
    return http_reply_file(rs, range.partial ? 206 : 200, "application/octet-stream", fd,
                           range.offset, range.len);
}

static int h_wait(struct http_req *rq, struct http_resp *rs)
{
    int64_t seconds = -1;
    bool from_header = false;
    int r = http_wait_seconds(rq, 55, &seconds, &from_header, &rs->err);

    if (r < 0)
        return r;
    return http_reply_json(rs, 200,
                           json_pack("{s:I,s:b,s:b}", "wait", (json_int_t)seconds, "header",
                                     from_header, "lenient", rq->lenient));
}

static int h_headers(struct http_req *rq, struct http_resp *rs)
{
    static const char long_value[] =
        "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345"
        "67"
        "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345"
        "67";

    (void)rq;
    for (int i = 0; i < 8; i++) {
        static const char *const names[] = { "X-A", "X-B", "X-C", "X-D",
                                             "X-E", "X-F", "X-A", "x-b" };

        http_set_header(rs, names[i], "%d%s", i, long_value);
    }
    return http_reply_empty(rs, 204);
}

static int h_peer(struct http_req *rq, struct http_resp *rs)
{
    const struct http_peer *peer = http_peer(rq);
    char room[IP_TEXT_SIZE];

    return http_reply_json(rs, 200,
                           json_pack("{s:s,s:b,s:b}", "client", peer_format(peer, room),
                                     "proxy", peer->is_proxy, "https", peer->https));
}

static const struct http_route ROUTES[] = {
    { HTTP_POST, "/echo", "echo", h_echo, BODY_JSON, SCOPE_PUBLIC },
    { HTTP_POST, "/items/{id}:poke", "poke", h_echo, BODY_JSON_OPTIONAL, SCOPE_PUBLIC },
    { HTTP_GET, "/items/{id}", "getItem", h_item, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_POST, "/lines", "addLines", h_lines, BODY_JSON_LINES, SCOPE_PUBLIC },
    { HTTP_PATCH, "/items/{id}", "changeItem", h_echo, BODY_MERGE_PATCH, SCOPE_PUBLIC },
    { HTTP_DELETE, "/items/{id}", "deleteItem", h_item, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/text", "getText", h_text, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/before", "getBefore", h_before, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/racing", "getRacing", h_racing, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/held", "getHeld", h_held, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/spun", "getSpun", h_spun, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/twice", "getTwice", h_twice, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_POST, "/faulty", "faulty", h_faulty, BODY_JSON_OPTIONAL, SCOPE_PUBLIC },
    { HTTP_GET, "/broken", "getBroken", h_broken, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/not-ready", "getNotReady", h_not_ready, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/file", "getFile", h_file, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/wait", "getWait", h_wait, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/headers", "getHeaders", h_headers, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_POST, "/submit", "submit", h_echo, BODY_JSON, SCOPE_JOBS_WRITE },
    { HTTP_GET, "/peer", "getPeer", h_peer, BODY_NONE, SCOPE_PUBLIC },
};

/* -- the server -----------------------------------------------------------------------------
 */

static struct http_server *server;
static struct trusted_proxies gateways;
static int listen_fds[2] = { -1, -1 };
static uint16_t ports[2];
static pthread_t resumer_thread;

static bool is_draining(void *ctx)
{
    return atomic_load((atomic_bool *)ctx);
}

static int has_room(void *ctx, struct errinfo *e)
{
    (void)ctx;
    return atomic_load(&overloaded) ? err_set(e, ERR_NOT_READY, "no room") : 0;
}

static int listen_on_loopback(uint16_t *ret_port)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 300), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static void start_server(unsigned threads)
{
    struct errinfo e = { 0 };
    struct http_conf conf = {
        .listen_fds = listen_fds,
        .listen_count = 2,
        .routes = ROUTES,
        .route_count = COUNT_OF(ROUTES),
        .max_body_bytes = BODY_MAX,
        .max_batch_body_bytes = 2 * BODY_MAX,
        .max_bodies_bytes = 3 * BODY_MAX,
        .max_connections = 1024,
        .threads = threads,
        .idle_timeout_us = 60 * USEC_PER_SEC,
        .loopback_only = true,
        .trusted_proxies = &gateways,
        .draining = is_draining,
        .draining_ctx = &draining,
        .room = has_room,
    };

    for (size_t i = 0; i < 2; i++)
        listen_fds[i] = listen_on_loopback(&ports[i]);
    if (http_server_new(&conf, &server, &e) < 0)
        fail_msg("%s", e.text);
}

static void stop_server(void)
{
    server = http_server_free(server);
    for (size_t i = 0; i < 2; i++)
        fd_fini(&listen_fds[i]);
}

static int start_one_thread(void **state)
{
    (void)state;
    atomic_store(&draining, false);
    start_server(1);
    return 0;
}

static int start_two_threads(void **state)
{
    (void)state;
    atomic_store(&draining, false);
    start_server(2);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    stop_server();
    return 0;
}

static int start_group(void **state)
{
    int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)state;
    log_set_fd(null_fd);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    return pthread_create(&resumer_thread, NULL, resumer, NULL);
}

static int stop_group(void **state)
{
    (void)state;
    (void)pthread_mutex_lock(&lock);
    resumer_stops = true;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
    (void)pthread_join(resumer_thread, NULL);
    curl_global_cleanup();
    return 0;
}

/* -- a client that shows the wire ------------------------------------------------------------
 */

struct wire {
    int fd;
    struct buf in; /* read and not yet consumed */
};

struct reply {
    int status;
    char head[4096];
    char body[65536];
    size_t len;
};

static struct reply reply; /* the last one read */

static struct wire wire_open_at(uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct wire w = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(w.fd, (struct sockaddr *)&at, sizeof at), 0);
    return w;
}

static struct wire wire_open(void)
{
    return wire_open_at(ports[0]);
}

static void wire_close(struct wire *w)
{
    fd_fini(&w->fd);
    buf_fini(&w->in);
}

/* False: the server has closed in the middle. */
static bool wire_try_bytes(struct wire *w, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(w->fd, bytes, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static void wire_send_bytes(struct wire *w, const char *bytes, size_t len)
{
    (void)wire_try_bytes(w, bytes, len); /* the reply tells */
}

static void wire_send(struct wire *w, const char *text)
{
    wire_send_bytes(w, text, strlen(text));
}

/* More bytes into w->in; false at the end of the stream. */
static bool wire_read(struct wire *w)
{
    struct pollfd p = { .fd = w->fd, .events = POLLIN };
    ssize_t n;

    if (poll(&p, 1, PATIENCE_MS) != 1)
        fail_msg("no answer within %d ms", PATIENCE_MS);
    n = recv(w->fd, buf_reserve(&w->in, 65536), 65536, 0);
    if (n <= 0)
        return false;
    buf_commit(&w->in, (size_t)n);
    return true;
}

static bool wire_is_closed(struct wire *w)
{
    return w->in.len == 0 && !wire_read(w);
}

/* Closed in order, and not reset. */
static void assert_wire_ends(struct wire *w)
{
    char byte;

    assert_int_equal(w->in.len, 0);
    assert_int_equal(recv(w->fd, &byte, 1, 0), 0);
}

static const char *header(const char *name)
{
    static char value[1024];
    size_t len = strlen(name);

    for (const char *at = strstr(reply.head, "\r\n"); at; at = strstr(at + 2, "\r\n"))
        if (strncasecmp(at + 2, name, len) == 0 && at[2 + len] == ':') {
            const char *from = at + 2 + len + 1 + strspn(at + 2 + len + 1, " ");

            (void)snprintf(value, sizeof value, "%.*s", (int)strcspn(from, "\r"), from);
            return value;
        }
    return NULL;
}

static void expect_header(const char *name, const char *value)
{
    const char *got = header(name);

    if (value ? !got || !text_equal(got, value) : got != NULL)
        fail_msg("%s: %s, want %s\n%s", name, got ? got : "(none)", value ? value : "(none)",
                 reply.head);
}

static void read_head(struct wire *w)
{
    char *end;

    while (!w->in.data || !(end = strstr(w->in.data, "\r\n\r\n")))
        if (!wire_read(w))
            fail_msg("the connection ended before the answer: %s",
                     w->in.data ? w->in.data : "");
    reply = (struct reply){ 0 };
    assert_true((size_t)(end + 4 - w->in.data) < sizeof reply.head);
    memcpy(reply.head, w->in.data, (size_t)(end + 2 - w->in.data));
    assert_int_equal(sscanf(reply.head, "HTTP/1.1 %d", &reply.status), 1);
    buf_consume(&w->in, (size_t)(end + 4 - w->in.data));
}

/* Read one answer; after HEAD there is no body, whatever the length says. */
static void wire_reply(struct wire *w, bool after_head)
{
    const char *length;
    int64_t len = 0;

    read_head(w);
    length = header("Content-Length");
    if (length && !after_head && reply.status != 304)
        assert_true(text_to_i64(length, 0, sizeof reply.body - 1, &len));
    while (w->in.len < (size_t)len)
        if (!wire_read(w))
            fail_msg("the connection ended within the body");
    reply.len = (size_t)len;
    if (len > 0)
        memcpy(reply.body, w->in.data, reply.len);
    buf_consume(&w->in, reply.len);
}

/* One request on a connection of its own. */
static int ask(const char *text)
{
    struct wire w = wire_open();

    wire_send(&w, text);
    wire_reply(&w, strncmp(text, "HEAD ", 5) == 0);
    wire_close(&w);
    return reply.status;
}

#define HOST "Host: localhost\r\n"
#define JSON "Content-Type: application/json\r\n"

static int get(const char *target, const char *headers)
{
    char text[16384];

    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n" HOST "%s\r\n", target, headers);
    return ask(text);
}

static int post(const char *target, const char *headers, const char *body)
{
    char text[16384];

    (void)snprintf(text, sizeof text,
                   "POST %s HTTP/1.1\r\n" HOST "%sContent-Length: %zu\r\n\r\n%s", target,
                   headers, strlen(body), body);
    return ask(text);
}

static void expect_json(const char *text)
{
    if (reply.len != strlen(text) || memcmp(reply.body, text, reply.len) != 0)
        fail_msg("%s\nwant %s", reply.body, text);
}

static const char *problem_member(const char *name)
{
    static char value[1024];
    AUTO(json) json_t *json = NULL;
    struct errinfo e;
    const char *text;

    expect_header("Content-Type", "application/problem+json");
    assert_int_equal(json_text_parse(reply.body, reply.len, &json, &e), 0);
    text = json_string_value(json_object_get(json, name));
    (void)snprintf(value, sizeof value, "%s", text ? text : "");
    return value;
}

static void expect_problem(int status, const char *code)
{
    char type[128];

    if (reply.status != status || !text_equal(problem_member("code"), code))
        fail_msg("%d, want %d %s\n%s%s", reply.status, status, code, reply.head, reply.body);
    (void)snprintf(type, sizeof type, "/problems/%s", code);
    assert_string_equal(problem_member("type"), type);
    expect_header("X-Request-Id", problem_member("request_id"));
    assert_true(problem_member("title")[0] != 0);
}

/* -- the common parts of an answer -----------------------------------------------------------
 */

static void an_answer_carries_the_common_headers(void **state)
{
    (void)state;
    assert_int_equal(post("/echo", JSON, "{\"a\":1}"), 202);
    expect_json("{\"echo\":{\"a\":1}}");
    expect_header("Content-Type", "application/json");
    expect_header("X-Content-Type-Options", "nosniff");
    expect_header("Vary", "Accept, Authorization, Prefer");
    expect_header("Cache-Control", "no-store");
    assert_int_equal(strlen(header("X-Request-Id")), 36);
    expect_header("Connection", NULL);
}

static void a_wellformed_request_id_comes_back(void **state)
{
    (void)state;
    assert_int_equal(get("/text", "X-Request-Id: my-id_1.2\r\n"), 200);
    expect_header("X-Request-Id", "my-id_1.2");
    assert_int_equal(get("/text", "X-Request-Id: bad id\r\n"), 200);
    assert_int_equal(strlen(header("X-Request-Id")), 36);
    assert_int_equal(get("/nowhere", "X-Request-Id: abc\r\n"), 404);
    assert_string_equal(problem_member("request_id"), "abc");
}

static void an_entity_tag_makes_an_answer_cacheable_and_conditional(void **state)
{
    (void)state;
    assert_int_equal(get("/items/x", ""), 200);
    expect_header("ETag", "\"v7\"");
    expect_header("Cache-Control", "private, no-cache");
    assert_int_equal(get("/items/x", "If-None-Match: \"v6\"\r\nIf-None-Match: W/\"v7\"\r\n"),
                     304);
    expect_header("ETag", "\"v7\"");
    assert_int_equal(get("/items/x", "If-None-Match: \"v6\"\r\n"), 200);
}

static void a_header_set_again_replaces_the_first(void **state)
{
    (void)state;
    assert_int_equal(get("/headers", ""), 204);
    assert_int_equal(header("X-A")[0], '6');
    assert_int_equal(header("X-B")[0], '7');
    assert_int_equal(header("X-F")[0], '5');
    assert_int_equal(strlen(header("X-F")), 177);
    expect_header("Content-Length", NULL);
}

static void wishes_in_prefer_reach_the_handler(void **state)
{
    (void)state;
    assert_int_equal(get("/wait?wait=3", ""), 200);
    expect_json("{\"wait\":3,\"header\":false,\"lenient\":false}");
    assert_int_equal(get("/wait?wait=3", "Prefer: wait=5, handling=lenient\r\n"), 200);
    expect_json("{\"wait\":5,\"header\":true,\"lenient\":true}");
    assert_int_equal(get("/wait", "Prefer: wait=500\r\n"), 200);
    expect_json("{\"wait\":55,\"header\":true,\"lenient\":false}");
    assert_int_equal(get("/wait?wait=soon", ""), 400);
    expect_problem(400, "invalid-parameter");
}

/* -- methods and paths -----------------------------------------------------------------------
 */

static void head_is_get_without_a_body(void **state)
{
    struct wire w = wire_open();

    (void)state;
    wire_send(&w, "HEAD /items/abc HTTP/1.1\r\n" HOST "\r\n");
    wire_reply(&w, true);
    assert_int_equal(reply.status, 200);
    expect_header("Content-Length", "14");
    expect_header("ETag", "\"v7\"");
    wire_send(&w, "HEAD /nowhere HTTP/1.1\r\n" HOST "\r\n");
    wire_reply(&w, true);
    assert_int_equal(reply.status, 404);
    wire_send(&w, "GET /items/abc HTTP/1.1\r\n" HOST "\r\n");
    wire_reply(&w, false);
    expect_json("{\"text\":\"abc\"}");
    wire_close(&w);
}

static void options_lists_the_methods(void **state)
{
    (void)state;
    assert_int_equal(ask("OPTIONS /items/x HTTP/1.1\r\n" HOST "\r\n"), 204);
    expect_header("Allow", "GET, HEAD, PATCH, DELETE, OPTIONS");
    assert_int_equal(ask("OPTIONS /items/x:poke HTTP/1.1\r\n" HOST "\r\n"), 204);
    expect_header("Allow", "POST, OPTIONS");
    assert_int_equal(ask("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 204);
    assert_int_equal(ask("OPTIONS /nowhere HTTP/1.1\r\n" HOST "\r\n"), 404);
}

static void a_method_that_a_resource_lacks_is_not_allowed(void **state)
{
    static const char *const requests[] = {
        "PUT /items/x HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}",
        "POST /items/x HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}",
        "BREW /items/x HTTP/1.1\r\n" HOST "\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        assert_int_equal(ask(requests[i]), 405);
        expect_problem(405, "method-not-allowed");
        expect_header("Allow", "GET, HEAD, PATCH, DELETE, OPTIONS");
    }
}

static void a_patch_has_its_own_media_type(void **state)
{
    (void)state;
    assert_int_equal(ask("PATCH /items/x HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}"),
                     415);
    expect_problem(415, "unsupported-media-type");
    expect_header("Accept-Patch", "application/merge-patch+json");
    assert_int_equal(ask("PATCH /items/x HTTP/1.1\r\n" HOST
                         "Content-Type: application/merge-patch+json; charset=utf-8\r\n"
                         "Content-Length: 7\r\n\r\n{\"a\":1}"),
                     202);
    expect_json("{\"echo\":{\"a\":1}}");
}

static void a_batch_comes_as_json_or_as_lines_of_it(void **state)
{
    (void)state;
    assert_int_equal(post("/lines", JSON, "{}"), 202);
    expect_json("{\"bytes\":2,\"lines\":false}");
    assert_int_equal(
        post("/lines", "Content-Type: Application/X-NDJSON; charset=utf-8\r\n", "{}\n{}\n"),
        202);
    expect_json("{\"bytes\":6,\"lines\":true}");
    assert_int_equal(post("/lines", "Content-Type: text/plain\r\n", "{}"), 415);
    expect_problem(415, "unsupported-media-type");
    expect_header("Accept", "application/json, application/x-ndjson");
    assert_int_equal(post("/echo", "Content-Type: application/x-ndjson\r\n", "{}"), 415);
    expect_header("Accept", "application/json");
}

static void a_batch_has_a_bound_of_its_own(void **state)
{
    static const struct {
        size_t len;
        int status;
    } cases[] = { { BODY_MAX + 1, 202 }, { 2 * BODY_MAX, 202 }, { 2 * BODY_MAX + 1, 413 } };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(mem) char *body = mem_new0(cases[i].len + 1);

        memset(body, ' ', cases[i].len);
        assert_int_equal(post("/lines", JSON, body), cases[i].status);
        if (cases[i].status == 413)
            assert_non_null(strstr(reply.body, "\"max_bytes\":8192"));
    }
}

/* One is on its way with nearly all that a batch may have; another one does not fit beside it.
 */
/* Send a body but for its last byte, so that the server holds it, and ask for something else.
 * There is no telling which of the two gets there first: the other is refused, or both fit one
 * after the other. True: it was held, and what asked was refused. */
static bool one_large_body_keeps_out_another(const char *body)
{
    struct wire w = wire_open();
    char head[256];
    bool refused;

    (void)snprintf(head, sizeof head,
                   "POST /lines HTTP/1.1\r\n" HOST JSON "Content-Length: %d\r\n\r\n",
                   2 * BODY_MAX);
    wire_send(&w, head);
    wire_send_bytes(&w, body, 2 * BODY_MAX - 1);
    refused = post("/lines", JSON, body) != 202;
    if (refused) {
        expect_problem(503, "temporary-reduced-capacity");
        expect_header("Retry-After", "1");
        assert_int_equal(post("/echo", JSON, "{}"), 202);
    }
    wire_send(&w, " ");
    wire_reply(&w, false);
    wire_close(&w);
    return refused && reply.status == 202;
}

static void large_bodies_are_bounded_together(void **state)
{
    AUTO(mem) char *body = mem_new0(2 * BODY_MAX + 1);

    (void)state;
    memset(body, ' ', 2 * BODY_MAX);
    while (!one_large_body_keeps_out_another(body))
        ;
    while (post("/lines", JSON, body) != 202)
        assert_int_equal(reply.status, 503);
}

static void a_path_that_is_not_there_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(get("/nowhere", ""), 404);
    expect_problem(404, "not-found");
    assert_int_equal(get("/items/a:unknown", ""), 404);
    assert_int_equal(get("/items/", ""), 404);
}

static void an_encoded_segment_reaches_the_handler_decoded(void **state)
{
    (void)state;
    assert_int_equal(get("/items/a%2Fb%20c", ""), 200);
    expect_json("{\"text\":\"a/b c\"}");
    assert_int_equal(post("/items/a%3Apoke", "", ""), 202);
    expect_json("{\"echo\":null}");
}

static void bad_percent_encoding_is_refused(void **state)
{
    (void)state;
    assert_int_equal(get("/items/%zz", ""), 400);
    expect_problem(400, "malformed-request");
    assert_int_equal(get("/items/%00", ""), 400);
    assert_int_equal(get("/items/x?fields=%zz", ""), 400);
    expect_problem(400, "invalid-parameter");
    assert_int_equal(get("/items/x?field=1", ""), 400);
    expect_problem(400, "invalid-parameter");
    assert_int_equal(get("/items/x?fields=a%20b", ""), 200);
}

static void a_target_that_is_no_path_is_refused(void **state)
{
    (void)state;
    assert_int_equal(ask("GET items/x HTTP/1.1\r\n" HOST "\r\n"), 400);
    expect_problem(400, "malformed-request");
    assert_int_equal(ask("GET * HTTP/1.1\r\n" HOST "\r\n"), 400);
    assert_int_equal(ask("GET /items/x y HTTP/1.1\r\n" HOST "\r\n"), 400);
    assert_int_equal(ask("GET /items/x?fields=a b HTTP/1.1\r\n" HOST "\r\n"), 400);
}

static void the_absolute_form_is_understood(void **state)
{
    (void)state;
    assert_int_equal(ask("GET http://localhost:80/items/x?fields=a HTTP/1.1\r\n" HOST "\r\n"),
                     200);
    expect_json("{\"text\":\"x\"}");
    assert_int_equal(ask("GET http://example.com/items/x HTTP/1.1\r\n" HOST "\r\n"), 403);
    assert_int_equal(ask("GET http://localhost HTTP/1.1\r\n" HOST "\r\n"), 404);
}

static void a_target_beyond_the_bound_is_refused(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    (void)state;
    buf_add_str(&b, "GET /items/x?fields=");
    while (b.len < 8192 + 4)
        buf_add_char(&b, 'a');
    buf_add_str(&b, " HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(ask(b.data), 200);
    buf_clear(&b);
    buf_add_str(&b, "GET /items/x?fields=");
    while (b.len < 8192 + 5)
        buf_add_char(&b, 'a');
    buf_add_str(&b, " HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(ask(b.data), 414);
    expect_problem(414, "uri-too-long");
}

/* -- bodies ---------------------------------------------------------------------------------
 */

static void a_body_must_be_json_by_its_type(void **state)
{
    (void)state;
    assert_int_equal(post("/echo", "Content-Type: text/plain\r\n", "{}"), 415);
    expect_problem(415, "unsupported-media-type");
    expect_header("Accept", "application/json");
    assert_int_equal(post("/echo", "Content-Type: application/x-www-form-urlencoded\r\n", "{}"),
                     415);
    assert_int_equal(post("/echo", "Content-Type: application/jsonx\r\n", "{}"), 415);
    assert_int_equal(post("/echo", "", "{}"), 415);
    assert_int_equal(post("/items/x:poke", "Content-Type: text/plain\r\n", "{}"), 415);
    assert_int_equal(post("/echo", "Content-Type: Application/JSON ; charset=utf-8\r\n", "{}"),
                     202);
}

static void a_body_must_be_json_by_its_text(void **state)
{
    (void)state;
    assert_int_equal(post("/echo", JSON, "{\"a\":1,\"a\":2}"), 400);
    expect_problem(400, "malformed-json");
    assert_int_equal(post("/echo", JSON, "{"), 400);
    assert_int_equal(post("/echo", JSON, ""), 400);
    expect_problem(400, "malformed-json");
    assert_int_equal(post("/items/x:poke", JSON, ""), 202);
}

static void a_body_where_none_is_read_is_ignored(void **state)
{
    struct wire w = wire_open();

    (void)state;
    wire_send(&w, "DELETE /items/x HTTP/1.1\r\n" HOST
                  "Content-Length: 5\r\n\r\nhello"
                  "GET /items/y HTTP/1.1\r\n" HOST "\r\n");
    wire_reply(&w, false);
    assert_int_equal(reply.status, 200);
    wire_reply(&w, false);
    expect_json("{\"text\":\"y\"}");
    wire_close(&w);
}

static void a_body_too_large_is_refused_before_it_is_sent(void **state)
{
    struct wire w = wire_open();

    (void)state;
    wire_send(&w, "POST /echo HTTP/1.1\r\n" HOST JSON
                  "Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n");
    wire_reply(&w, false);
    assert_int_equal(reply.status, 413);
    expect_problem(413, "content-too-large");
    expect_header("Connection", "close");
    assert_true(wire_is_closed(&w));
    wire_close(&w);
}

static void a_body_that_fits_is_asked_for(void **state)
{
    struct wire w = wire_open();

    (void)state;
    wire_send(&w, "POST /echo HTTP/1.1\r\n" HOST JSON
                  "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    wire_reply(&w, false);
    assert_int_equal(reply.status, 100);
    wire_send(&w, "{}");
    wire_reply(&w, false);
    assert_int_equal(reply.status, 202);
    wire_close(&w);
}

static void a_refused_small_body_leaves_the_connection_usable(void **state)
{
    static char body[BODY_MAX + 1];
    struct wire w = wire_open();
    char head[256];

    (void)state;
    memset(body, ' ', sizeof body);
    (void)snprintf(head, sizeof head,
                   "POST /echo HTTP/1.1\r\n" HOST JSON "Content-Length: %zu\r\n\r\n",
                   sizeof body);
    wire_send(&w, head);
    wire_send_bytes(&w, body, sizeof body);
    wire_reply(&w, false);
    expect_problem(413, "content-too-large");
    expect_header("Connection", NULL);
    wire_send(&w, "POST /nowhere HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
    wire_reply(&w, false);
    expect_problem(404, "not-found");
    wire_send(&w, "GET /text HTTP/1.1\r\n" HOST "\r\n");
    wire_reply(&w, false);
    assert_int_equal(reply.status, 200);
    wire_close(&w);
}

static void a_refused_large_body_is_not_read(void **state)
{
    (void)state;
    assert_int_equal(ask("POST /nowhere HTTP/1.1\r\n" HOST "Content-Length: 8388609\r\n\r\n"),
                     404);
    expect_header("Connection", "close");
}

/* A client may be one that reads when it has sent everything; and a gateway that cannot write
 * any more may take that for a failure, and never read. */
static void who_sends_what_is_refused_to_its_end_still_gets_the_answer(void **state)
{
    static const char part[1 << 16];
    const size_t parts = 256; /* 16 MiB: more than is read and dropped */
    struct wire w = wire_open();
    char head[256];

    (void)state;
    (void)snprintf(head, sizeof head,
                   "POST /echo HTTP/1.1\r\n" HOST JSON "Content-Length: %zu\r\n\r\n",
                   parts * sizeof part);
    wire_send(&w, head);
    for (size_t i = 0; i < parts; i++)
        assert_true(wire_try_bytes(&w, part, sizeof part));
    wire_reply(&w, false);
    assert_int_equal(reply.status, 413);
    expect_problem(413, "content-too-large");
    assert_wire_ends(&w);
    wire_close(&w);
}

/* libmicrohttpd answers by itself, in the midst of it. */
static void so_does_who_sends_a_head_without_end(void **state)
{
    static char line[] = "X-Filler: 0123456789012345678901234567890123456789\r\n";
    struct wire w = wire_open();

    (void)state;
    wire_send(&w, "GET /text HTTP/1.1\r\n" HOST);
    for (size_t i = 0; i < ((size_t)1 << 20) / sizeof line; i++)
        assert_true(wire_try_bytes(&w, line, sizeof line - 1));
    wire_reply(&w, false);
    assert_int_equal(reply.status, 431);
    assert_wire_ends(&w);
    wire_close(&w);
}

static void send_chunks(struct wire *w, const char *target, size_t count)
{
    char head[256];

    (void)snprintf(head, sizeof head,
                   "POST %s HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked\r\n\r\n",
                   target);
    wire_send(w, head);
    for (size_t i = 0; i < count; i++)
        wire_send(w, "8\r\n        \r\n");
    wire_send(w, "2\r\n{}\r\n0\r\nX-Trailer: x\r\n\r\n");
}

static void a_chunked_body_is_bounded_too(void **state)
{
    struct wire w = wire_open();

    (void)state;
    send_chunks(&w, "/echo", 3);
    wire_reply(&w, false);
    assert_int_equal(reply.status, 202);
    send_chunks(&w, "/echo", BODY_MAX / 8);
    wire_reply(&w, false);
    expect_problem(413, "content-too-large");
    send_chunks(&w, "/nowhere", BODY_MAX / 8);
    wire_reply(&w, false);
    expect_problem(404, "not-found");
    send_chunks(&w, "/echo", BODY_MAX / 8 - 1);
    wire_reply(&w, false);
    assert_int_equal(reply.status, 202);
    wire_close(&w);
}

static void doubtful_framing_ends_the_connection(void **state)
{
    static const char *const heads[] = {
        HOST JSON "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        HOST JSON "Transfer-Encoding: gzip, chunked\r\n",
        HOST JSON "Transfer-Encoding: identity\r\n",
        HOST JSON "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        HOST JSON "Content-Length: 2\r\nContent-Length: 3\r\n",
        HOST JSON "Content-Length: 2\r\nContent-Length: 2\r\n",
        HOST HOST JSON "Content-Length: 2\r\n",
        HOST JSON "Content-Length : 2\r\n",
        HOST JSON "Transfer-Encoding\t: chunked\r\n",
        JSON "Content-Length: 2\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        struct wire w = wire_open();

        wire_send(&w, "POST /echo HTTP/1.1\r\n");
        wire_send(&w, heads[i]);
        wire_send(&w, "\r\n");
        wire_reply(&w, false);
        expect_problem(400, "malformed-request");
        expect_header("Connection", "close");
        assert_true(wire_is_closed(&w));
        wire_close(&w);
    }
}

/* -- who may ask -----------------------------------------------------------------------------
 */

static void a_foreign_host_is_forbidden(void **state)
{
    (void)state;
    assert_int_equal(ask("GET /text HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 403);
    expect_problem(403, "forbidden-host");
    assert_int_equal(ask("GET /text HTTP/1.1\r\nHost:\r\n\r\n"), 403);
    assert_int_equal(ask("GET /text HTTP/1.1\r\nHost: 127.0.0.1:1234\r\n\r\n"), 200);
    assert_int_equal(ask("GET /text HTTP/1.1\r\nHost: [::1]:1234\r\n\r\n"), 200);
    assert_int_equal(ask("GET /text HTTP/1.1\r\nHost: LOCALHOST\r\n\r\n"), 200);
}

static void only_http_1_0_may_leave_the_host_out(void **state)
{
    struct wire w = wire_open();

    (void)state;
    assert_int_equal(ask("GET /text HTTP/1.1\r\n\r\n"), 400);
    expect_problem(400, "malformed-request");
    wire_send(&w, "GET /text HTTP/1.0\r\n\r\n");
    read_head(&w);
    assert_int_equal(reply.status, 200);
    wire_close(&w);
}

static void a_page_of_another_site_may_read_and_not_write(void **state)
{
    (void)state;
    assert_int_equal(post("/echo", JSON "Origin: https://evil.example\r\n", "{}"), 403);
    expect_problem(403, "forbidden-host");
    assert_int_equal(post("/echo", JSON "Origin: null\r\n", "{}"), 403);
    assert_int_equal(post("/items/x:poke", "Sec-Fetch-Site: cross-site\r\n", ""), 403);
    assert_int_equal(post("/echo", JSON "Origin: http://localhost:3000\r\n", "{}"), 202);
    assert_int_equal(get("/text", "Origin: https://evil.example\r\n"), 200);
}

static void accept_is_judged_where_the_answer_is_json(void **state)
{
    (void)state;
    assert_int_equal(post("/echo", JSON "Accept: text/html\r\n", "{}"), 406);
    expect_problem(406, "not-acceptable");
    assert_int_equal(get("/items/x", "Accept: text/html\r\n"), 406);
    expect_problem(406, "not-acceptable");
    expect_header("ETag", NULL);
    assert_int_equal(get("/items/x", "Accept: text/html, */*;q=0.1\r\n"), 200);
    assert_int_equal(get("/text", "Accept: text/html\r\n"), 200);
    assert_int_equal(get("/nowhere", "Accept: text/html\r\n"), 404);
}

static void a_draining_server_takes_no_changes(void **state)
{
    (void)state;
    atomic_store(&draining, true);
    assert_int_equal(post("/echo", JSON, "{}"), 503);
    expect_problem(503, "draining");
    expect_header("Retry-After", "1");
    assert_int_equal(get("/text", ""), 200);
}

/* -- errors ---------------------------------------------------------------------------------
 */

static void every_fault_is_listed_with_its_place(void **state)
{
    AUTO(json) json_t *json = NULL;
    struct errinfo e;
    json_t *first;

    (void)state;
    assert_int_equal(post("/faulty", "", ""), 422);
    expect_problem(422, "validation-failed");
    assert_string_equal(problem_member("detail"), "not UTF-8: \xEF\xBF\xBD");
    assert_int_equal(json_text_parse(reply.body, reply.len, &json, &e), 0);
    assert_int_equal(json_array_size(json_object_get(json, "errors")), FAULTS_MAX);
    assert_int_equal(json_integer_value(json_object_get(json, "errors_total")), FAULTS_MAX + 2);
    first = json_array_get(json_object_get(json, "errors"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "pointer")), "#/a");
    assert_string_equal(json_string_value(json_object_get(first, "code")), "wrong-type");
    assert_string_equal(json_string_value(json_object_get(first, "detail")),
                        "want a \"string\"");
    assert_string_equal(json_string_value(json_object_get(json, "state")), "running");
    assert_int_equal(json_integer_value(json_object_get(json, "max_bytes")), 4096);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(json, "in_the_way"), 0)), "a \"job\"");
}

static void an_internal_error_tells_no_internals(void **state)
{
    (void)state;
    assert_int_equal(get("/broken", ""), 500);
    expect_problem(500, "internal-error");
    assert_null(strstr(reply.body, "secret"));
    assert_null(strstr(reply.body, "half"));
    expect_header("ETag", NULL);
    expect_header("Cache-Control", "no-store");
}

static void an_early_question_is_told_when_to_come_again(void **state)
{
    (void)state;
    assert_int_equal(get("/not-ready", ""), 404);
    expect_problem(404, "result-not-ready");
    expect_header("Retry-After", "1");
    assert_int_equal(get("/not-ready?after=9", ""), 404);
    expect_header("Retry-After", "9");
}

/* -- files ----------------------------------------------------------------------------------
 */

static void a_file_is_sent_whole_or_in_part(void **state)
{
    (void)state;
    assert_int_equal(get("/file", ""), 200);
    expect_json("0123456789");
    assert_int_equal(get("/file", "Range: bytes=2-4\r\n"), 206);
    expect_json("234");
    expect_header("Content-Range", "bytes 2-4/10");
    assert_int_equal(get("/file", "Range: bytes=-3\r\nIf-Range: \"v1\"\r\n"), 206);
    expect_json("789");
    assert_int_equal(get("/file", "Range: bytes=-3\r\nIf-Range: \"v2\"\r\n"), 200);
    assert_int_equal(get("/file", "Range: bytes=10-\r\n"), 416);
    expect_problem(416, "range-not-satisfiable");
    expect_header("Content-Range", "bytes */10");
    assert_int_equal(ask("HEAD /file HTTP/1.1\r\n" HOST "Range: bytes=0-1\r\n\r\n"), 200);
    expect_header("Content-Length", "10");
}

/* -- connections ----------------------------------------------------------------------------
 */

static void a_connection_is_used_again(void **state)
{
    struct wire w = wire_open();

    (void)state;
    for (int i = 0; i < 50; i++) {
        wire_send(&w, "POST /echo HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}");
        wire_reply(&w, false);
        assert_int_equal(reply.status, 202);
        expect_header("Connection", NULL);
    }
    wire_close(&w);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct wire w = wire_open();

    (void)state;
    wire_send(&w, "GET /items/1 HTTP/1.1\r\n" HOST
                  "\r\n"
                  "GET /racing HTTP/1.1\r\n" HOST
                  "\r\n"
                  "POST /echo HTTP/1.1\r\n" HOST JSON
                  "Content-Length: 1\r\n\r\n2"
                  "GET /before HTTP/1.1\r\n" HOST
                  "\r\n"
                  "GET /items/3 HTTP/1.1\r\n" HOST "\r\n");
    wire_reply(&w, false);
    expect_json("{\"text\":\"1\"}");
    wire_reply(&w, false);
    expect_json("{\"text\":\"kept\"}");
    wire_reply(&w, false);
    expect_json("{\"echo\":2}");
    wire_reply(&w, false);
    expect_json("{\"text\":\"kept\"}");
    wire_reply(&w, false);
    expect_json("{\"text\":\"3\"}");
    wire_close(&w);
}

static void a_request_in_small_pieces_is_put_together(void **state)
{
    static const char text[] =
        "POST /echo HTTP/1.1\r\n" HOST JSON "Content-Length: 7\r\n\r\n[1,2,3]";
    struct wire w = wire_open();
    int on = 1;

    (void)state;
    (void)setsockopt(w.fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
    for (size_t i = 0; text[i]; i++)
        wire_send_bytes(&w, text + i, 1);
    wire_reply(&w, false);
    expect_json("{\"echo\":[1,2,3]}");
    wire_close(&w);
}

static void both_listening_sockets_are_served(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct wire w = wire_open_at(ports[i]);

        wire_send(&w, "GET /text HTTP/1.1\r\n" HOST "\r\n");
        wire_reply(&w, false);
        assert_int_equal(reply.status, 200);
        wire_close(&w);
    }
}

/* -- suspend and resume ----------------------------------------------------------------------
 */

static void a_resume_may_come_before_the_handler_returns(void **state)
{
    (void)state;
    atomic_store(&states_freed, 0);
    assert_int_equal(get("/before", ""), 200);
    expect_json("{\"text\":\"kept\"}");
    stop_server();
    assert_int_equal(atomic_load(&states_freed), 1);
    start_server(1);
}

static void a_resume_may_race_with_the_suspend(void **state)
{
    struct wire w = wire_open();

    (void)state;
    for (int i = 0; i < 2000; i++) {
        wire_send(&w, i % 2 ? "GET /racing HTTP/1.1\r\n" HOST "\r\n"
                            : "GET /twice HTTP/1.1\r\n" HOST "\r\n");
        wire_reply(&w, false);
        assert_int_equal(reply.status, 200);
    }
    wire_close(&w);
}

static void a_resume_may_come_in_the_middle_of_the_suspend(void **state)
{
    struct wire w = wire_open();
    pthread_t thread;

    (void)state;
    atomic_store(&spinner_stops, false);
    assert_int_equal(pthread_create(&thread, NULL, spinner, NULL), 0);
    for (int i = 0; i < 3000; i++) {
        wire_send(&w, "GET /spun HTTP/1.1\r\n" HOST "\r\n");
        wire_reply(&w, false);
        assert_int_equal(reply.status, 200);
    }
    atomic_store(&spinner_stops, true);
    (void)pthread_join(thread, NULL);
    wire_close(&w);
}

static void many_requests_may_be_suspended_at_once(void **state)
{
    enum { COUNT = 200 };
    static struct wire wires[COUNT];

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        wires[i] = wire_open_at(ports[i % 2]);
        wire_send(&wires[i], "GET /held HTTP/1.1\r\n" HOST "\r\n");
    }
    wait_until_held(COUNT);
    assert_int_equal(get("/text", ""), 200); /* the others are not in the way */
    release_held();
    for (size_t i = 0; i < COUNT; i++) {
        wire_reply(&wires[i], false);
        assert_int_equal(reply.status, 200);
        wire_close(&wires[i]);
    }
}

static void a_client_may_leave_while_its_request_is_suspended(void **state)
{
    struct wire w = wire_open();

    (void)state;
    atomic_store(&states_freed, 0);
    wire_send(&w, "GET /held HTTP/1.1\r\n" HOST "\r\n");
    wait_until_held(1);
    wire_close(&w);
    release_held();
    stop_server();
    assert_int_equal(atomic_load(&states_freed), 1);
    start_server(1);
}

/* -- stopping -------------------------------------------------------------------------------
 */

static void await_serving(bool expected)
{
    usec_t end_us = clock_mono_us() + PATIENCE_US;

    while (http_server_is_serving(server) != expected)
        if (clock_mono_us() > end_us)
            fail_msg("it never was %s", expected ? "serving" : "idle");
}

/* So that a front that leaves does not close it before it has asked. */
static void a_connection_that_has_just_come_is_waited_for_but_not_for_long(void **state)
{
    struct wire asks, silent;

    (void)state;
    asks = wire_open();
    await_serving(true);
    wire_send(&asks, "GET /text HTTP/1.1\r\n" HOST "\r\n");
    wire_reply(&asks, false);
    assert_int_equal(reply.status, 200);
    await_serving(false);
    silent = wire_open();
    await_serving(true);
    await_serving(false);
    wire_close(&silent);
    wire_close(&asks);
}

static void a_quiescent_server_finishes_what_it_has_and_takes_no_more(void **state)
{
    struct wire w = wire_open();
    struct wire late;
    int accepts = 0;
    socklen_t len = sizeof accepts;

    (void)state;
    wire_send(&w, "GET /held HTTP/1.1\r\n" HOST "\r\n");
    wait_until_held(1);
    http_server_quiesce(server);
    http_server_quiesce(server);
    /* The socket belongs to who bound it: it still listens, and the kernel still queues. */
    assert_int_equal(getsockopt(listen_fds[0], SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len), 0);
    assert_int_equal(accepts, 1);
    late = wire_open();
    wire_send(&late, "GET /text HTTP/1.1\r\n" HOST "\r\n");
    release_held();
    wire_reply(&w, false);
    assert_int_equal(reply.status, 200);
    expect_header("Connection", "close");
    assert_true(wire_is_closed(&w));
    wire_close(&w);

    /* The next server on that socket takes whom this one left in the queue. */
    server = http_server_free(server);
    assert_int_equal(fcntl(listen_fds[0], F_GETFD) >= 0, 1);
    assert_int_equal(late.in.len, 0);
    struct http_conf conf = {
        .listen_fds = listen_fds,
        .listen_count = 2,
        .routes = ROUTES,
        .route_count = COUNT_OF(ROUTES),
        .max_body_bytes = BODY_MAX,
        .max_batch_body_bytes = 2 * BODY_MAX,
        .max_bodies_bytes = 3 * BODY_MAX,
        .max_connections = 10,
        .idle_timeout_us = 60 * USEC_PER_SEC,
    };
    assert_int_equal(http_server_new(&conf, &server, NULL), 0);
    wire_reply(&late, false);
    assert_int_equal(reply.status, 200);
    wire_close(&late);
}

static void stopping_waits_for_the_answers_on_their_way(void **state)
{
    enum { COUNT = 50 };
    static struct wire wires[COUNT];

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        wires[i] = wire_open();
        wire_send(&wires[i], "GET /held HTTP/1.1\r\n" HOST "\r\n");
    }
    wait_until_held(COUNT);
    release_held();
    server = http_server_free(server);
    for (size_t i = 0; i < COUNT; i++) {
        wire_reply(&wires[i], false);
        assert_int_equal(reply.status, 200);
        wire_close(&wires[i]);
    }
}

/* -- a real client ---------------------------------------------------------------------------
 */

enum { CLIENTS = 4, CLIENT_REQUESTS = 200 };

static size_t drop_bytes(char *bytes, size_t size, size_t count, void *ctx)
{
    (void)bytes;
    (void)ctx;
    return size * count;
}

/* One connection per client, pending and direct answers in turn. The result is the number of
 * requests that went wrong, and of connections beyond the first. */
static void *run_client(void *arg)
{
    size_t *faults = arg;
    CURL *curl = curl_easy_init();
    struct curl_slist *json = curl_slist_append(NULL, "Content-Type: application/json");
    char url[64];

    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_bytes);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    for (int i = 0; i < CLIENT_REQUESTS; i++) {
        bool posts = i % 3 == 0;
        long status = 0;
        long connects = 0;

        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", ports[0],
                       posts ? "/echo" : "/racing");
        (void)curl_easy_setopt(curl, CURLOPT_URL, url);
        (void)curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
        if (posts) {
            (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "{\"a\":[1,2,3]}");
            (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, json);
        }
        (void)curl_easy_perform(curl);
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connects);
        *faults += status != (posts ? 202 : 200) || connects != (i == 0);
    }
    curl_slist_free_all(json);
    curl_easy_cleanup(curl);
    return NULL;
}

static void clients_of_their_own_threads_keep_their_connections(void **state)
{
    pthread_t threads[CLIENTS];
    size_t faults[CLIENTS] = { 0 };

    (void)state;
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_client, &faults[i]), 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(faults[i], 0);
    }
}

/* -- overload --------------------------------------------------------------------------------
 */

static void what_cannot_be_taken_is_refused_before_its_body(void **state)
{
    struct wire w = wire_open();

    (void)state;
    atomic_store(&overloaded, true);
    assert_int_equal(post("/submit", JSON, "{}"), 503);
    expect_problem(503, "temporary-reduced-capacity");
    expect_header("Retry-After", "1");
    wire_send(&w, "POST /submit HTTP/1.1\r\n" HOST JSON
                  "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    wire_reply(&w, false);
    assert_int_equal(reply.status, 503); /* and not 100 */
    wire_close(&w);
    assert_int_equal(post("/echo", JSON, "{}"), 202); /* what is no submit goes on */
    assert_int_equal(get("/text", ""), 200);
    atomic_store(&overloaded, false);
    assert_int_equal(post("/submit", JSON, "{}"), 202);
}

/* -- who has sent it -------------------------------------------------------------------------
 */

static void a_trusted_gateway_says_who_the_client_is(void **state)
{
    (void)state;
    assert_int_equal(trusted_proxies_add(&gateways, "127.0.0.0/8", NULL), 0);
    assert_int_equal(get("/peer",
                         "X-Forwarded-For: 198.51.100.9, 192.0.2.1\r\n"
                         "X-Forwarded-Proto: https\r\n"),
                     200);
    expect_json("{\"client\":\"192.0.2.1\",\"proxy\":true,\"https\":true}");
    assert_int_equal(get("/peer", "Forwarded: for=192.0.2.1\r\n"), 200);
    expect_json("{\"client\":\"192.0.2.1\",\"proxy\":true,\"https\":false}");
    assert_int_equal(get("/peer",
                         "Forwarded: for=\"192.0.2.1:80\"\r\n"
                         "X-Forwarded-For: 192.0.2.1\r\n"),
                     200);
    expect_json("{\"client\":\"192.0.2.1\",\"proxy\":true,\"https\":false}");
    trusted_proxies_fini(&gateways);
}

static void a_gateway_whose_two_headers_differ_has_said_nothing(void **state)
{
    (void)state;
    assert_int_equal(trusted_proxies_add(&gateways, "127.0.0.1", NULL), 0);
    assert_int_equal(get("/peer",
                         "Forwarded: for=192.0.2.1\r\n"
                         "X-Forwarded-For: 192.0.2.2\r\n"),
                     200);
    expect_json("{\"client\":\"127.0.0.1\",\"proxy\":true,\"https\":false}");
    trusted_proxies_fini(&gateways);
}

static void nobody_else_is_believed(void **state)
{
    (void)state;
    assert_int_equal(trusted_proxies_add(&gateways, "10.0.0.0/8", NULL), 0);
    assert_int_equal(get("/peer",
                         "Forwarded: for=192.0.2.1;proto=https\r\n"
                         "X-Forwarded-For: 192.0.2.1\r\n"),
                     200);
    expect_json("{\"client\":\"127.0.0.1\",\"proxy\":false,\"https\":false}");
    trusted_proxies_fini(&gateways);
}

#define WITH_SERVER(test)      cmocka_unit_test_setup_teardown(test, start_one_thread, stop)
#define WITH_TWO_THREADS(test) cmocka_unit_test_setup_teardown(test, start_two_threads, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(an_answer_carries_the_common_headers),
        WITH_SERVER(a_wellformed_request_id_comes_back),
        WITH_SERVER(an_entity_tag_makes_an_answer_cacheable_and_conditional),
        WITH_SERVER(a_header_set_again_replaces_the_first),
        WITH_SERVER(wishes_in_prefer_reach_the_handler),
        WITH_SERVER(head_is_get_without_a_body),
        WITH_SERVER(options_lists_the_methods),
        WITH_SERVER(a_method_that_a_resource_lacks_is_not_allowed),
        WITH_SERVER(a_patch_has_its_own_media_type),
        WITH_SERVER(a_batch_comes_as_json_or_as_lines_of_it),
        WITH_SERVER(large_bodies_are_bounded_together),
        WITH_SERVER(a_batch_has_a_bound_of_its_own),
        WITH_SERVER(a_path_that_is_not_there_is_not_found),
        WITH_SERVER(an_encoded_segment_reaches_the_handler_decoded),
        WITH_SERVER(bad_percent_encoding_is_refused),
        WITH_SERVER(a_target_that_is_no_path_is_refused),
        WITH_SERVER(the_absolute_form_is_understood),
        WITH_SERVER(a_target_beyond_the_bound_is_refused),
        WITH_SERVER(a_body_must_be_json_by_its_type),
        WITH_SERVER(a_body_must_be_json_by_its_text),
        WITH_SERVER(a_body_where_none_is_read_is_ignored),
        WITH_SERVER(a_body_too_large_is_refused_before_it_is_sent),
        WITH_SERVER(who_sends_what_is_refused_to_its_end_still_gets_the_answer),
        WITH_SERVER(so_does_who_sends_a_head_without_end),
        WITH_SERVER(a_body_that_fits_is_asked_for),
        WITH_SERVER(a_refused_small_body_leaves_the_connection_usable),
        WITH_SERVER(a_refused_large_body_is_not_read),
        WITH_SERVER(a_chunked_body_is_bounded_too),
        WITH_SERVER(doubtful_framing_ends_the_connection),
        WITH_SERVER(a_foreign_host_is_forbidden),
        WITH_SERVER(only_http_1_0_may_leave_the_host_out),
        WITH_SERVER(a_page_of_another_site_may_read_and_not_write),
        WITH_SERVER(accept_is_judged_where_the_answer_is_json),
        WITH_SERVER(a_draining_server_takes_no_changes),
        WITH_SERVER(every_fault_is_listed_with_its_place),
        WITH_SERVER(an_internal_error_tells_no_internals),
        WITH_SERVER(an_early_question_is_told_when_to_come_again),
        WITH_SERVER(a_file_is_sent_whole_or_in_part),
        WITH_SERVER(a_connection_is_used_again),
        WITH_SERVER(pipelined_requests_are_answered_in_order),
        WITH_SERVER(a_request_in_small_pieces_is_put_together),
        WITH_SERVER(both_listening_sockets_are_served),
        WITH_SERVER(a_resume_may_come_before_the_handler_returns),
        WITH_SERVER(a_resume_may_race_with_the_suspend),
        WITH_SERVER(a_resume_may_come_in_the_middle_of_the_suspend),
        WITH_SERVER(many_requests_may_be_suspended_at_once),
        WITH_TWO_THREADS(many_requests_may_be_suspended_at_once),
        WITH_SERVER(a_client_may_leave_while_its_request_is_suspended),
        WITH_SERVER(a_connection_that_has_just_come_is_waited_for_but_not_for_long),
        WITH_SERVER(a_quiescent_server_finishes_what_it_has_and_takes_no_more),
        WITH_SERVER(stopping_waits_for_the_answers_on_their_way),
        WITH_TWO_THREADS(stopping_waits_for_the_answers_on_their_way),
        WITH_SERVER(clients_of_their_own_threads_keep_their_connections),
        WITH_TWO_THREADS(clients_of_their_own_threads_keep_their_connections),
        WITH_SERVER(what_cannot_be_taken_is_refused_before_its_body),
        WITH_SERVER(a_trusted_gateway_says_who_the_client_is),
        WITH_SERVER(a_gateway_whose_two_headers_differ_has_said_nothing),
        WITH_SERVER(nobody_else_is_believed),
    };

    return cmocka_run_group_tests_name("server/http/server", tests, start_group, stop_group);
}
