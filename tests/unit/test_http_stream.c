/* Bodies that are made while they are sent (http_reply_stream()), over a real socket. */
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/http/server.h"

#define THREADS 2

/* What a stream does next: a number of bytes, or HTTP_STREAM_*. */
struct script {
    const ssize_t *steps;
    bool resume_at_once; /* before read() returns; else by the other thread */
    size_t at;
};

static struct http_server *server;
static int listen_fd = -1;
static char base[64];
static atomic_int freed;

/* -- a thread that resumes what waits -------------------------------------------------------
 */

static pthread_t resumer_thread;
static sem_t asked;
static _Atomic(struct http_req *) waits; /* one at a time */
static atomic_bool ends;
static atomic_bool dawdles;

static void *resumer(void *arg)
{
    (void)arg;
    for (;;) {
        struct http_req *rq;

        (void)sem_wait(&asked);
        rq = atomic_exchange(&waits, NULL);
        if (atomic_load(&dawdles))
            (void)usleep(100000); /* so that time goes by */
        if (rq)
            http_resume(rq);
        if (atomic_load(&ends))
            return NULL;
    }
}

static atomic_bool hold; /* nobody resumes until the test does */
static sem_t held;

/* -- streams --------------------------------------------------------------------------------
 */

static ssize_t play(void *ctx, struct http_req *rq, char *block, size_t room)
{
    struct script *s = ctx;
    ssize_t step = s->steps[s->at++];

    if (step == HTTP_STREAM_WAIT && s->resume_at_once) {
        http_resume(rq);
    } else if (step == HTTP_STREAM_WAIT) {
        atomic_store(&waits, rq);
        (void)sem_post(atomic_load(&hold) ? &held : &asked);
    }
    if (step <= 0)
        return step;
    assert_true((size_t)step <= room);
    memset(block, 'a' + (int)(s->at % 26), (size_t)step);
    return step;
}

static void script_free(void *ctx)
{
    free(ctx);
    (void)atomic_fetch_add(&freed, 1);
}

static int reply(struct http_resp *rs, const ssize_t *steps, bool at_once, uint64_t len)
{
    struct script *s = mem_new0(sizeof *s);
    const struct http_stream stream = { play, script_free, s };

    s->steps = steps;
    s->resume_at_once = at_once;
    return http_reply_stream(rs, 200, "text/plain", &stream, len);
}

static int h_known(struct http_req *rq, struct http_resp *rs)
{
    static const ssize_t steps[] = { 3, HTTP_STREAM_WAIT, 4, 1, HTTP_STREAM_END };

    (void)rq;
    return reply(rs, steps, false, 8);
}

static int h_unknown(struct http_req *rq, struct http_resp *rs)
{
    static const ssize_t steps[] = { HTTP_STREAM_WAIT, 3,
                                     HTTP_STREAM_WAIT, 1000,
                                     HTTP_STREAM_WAIT, HTTP_STREAM_END };

    (void)rq;
    return reply(rs, steps, false, HTTP_LENGTH_UNKNOWN);
}

static int h_resumed(struct http_req *rq, struct http_resp *rs)
{
    static const ssize_t steps[] = { HTTP_STREAM_WAIT, HTTP_STREAM_WAIT, 5, HTTP_STREAM_WAIT,
                                     HTTP_STREAM_END };

    (void)rq;
    return reply(rs, steps, true, HTTP_LENGTH_UNKNOWN);
}

static int h_broken(struct http_req *rq, struct http_resp *rs)
{
    static const ssize_t steps[] = { 5, HTTP_STREAM_WAIT, HTTP_STREAM_BREAK };

    (void)rq;
    return reply(rs, steps, false, HTTP_LENGTH_UNKNOWN);
}

static int h_torn(struct http_req *rq, struct http_resp *rs)
{
    static const ssize_t steps[] = { 5, HTTP_STREAM_WAIT, HTTP_STREAM_BREAK };

    (void)rq;
    return reply(rs, steps, false, 8);
}

static int h_broken_at_once(struct http_req *rq, struct http_resp *rs)
{
    static const ssize_t steps[] = { HTTP_STREAM_BREAK };

    (void)rq;
    return reply(rs, steps, false, HTTP_LENGTH_UNKNOWN);
}

static int h_silent(struct http_req *rq, struct http_resp *rs)
{
    static const ssize_t steps[] = {
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, HTTP_STREAM_END
    };

    (void)rq;
    return reply(rs, steps, false, HTTP_LENGTH_UNKNOWN);
}

static int h_refused(struct http_req *rq, struct http_resp *rs)
{
    static const ssize_t steps[] = { HTTP_STREAM_END };

    (void)rq;
    (void)reply(rs, steps, false, HTTP_LENGTH_UNKNOWN);
    return err_set(&rs->err, ERR_NOT_FOUND, "on second thought");
}

static const struct http_route ROUTES[] = {
    { HTTP_GET, "/known", "getKnown", h_known, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/unknown", "getUnknown", h_unknown, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/resumed", "getResumed", h_resumed, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/broken", "getBroken", h_broken, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/torn", "getTorn", h_torn, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/broken_at_once", "getBrokenAtOnce", h_broken_at_once, BODY_NONE,
      SCOPE_PUBLIC },
    { HTTP_GET, "/silent", "getSilent", h_silent, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/refused", "getRefused", h_refused, BODY_NONE, SCOPE_PUBLIC },
};

/* -- the server and its client --------------------------------------------------------------
 */

static int serve(usec_t idle_timeout_us)
{
    struct http_conf conf = {
        .listen_fds = &listen_fd,
        .listen_count = 1,
        .routes = ROUTES,
        .route_count = COUNT_OF(ROUTES),
        .max_body_bytes = 1000,
        .max_connections = 64,
        .threads = THREADS,
        .idle_timeout_us = idle_timeout_us,
    };

    return http_server_new(&conf, &server, NULL);
}

static int start(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof at;

    (void)state;
    log_set_level(LOG_ERROR);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listen_fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listen_fd, 10), 0);
    assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(base, sizeof base, "http://127.0.0.1:%d", ntohs(at.sin_port));
    (void)sem_init(&asked, 0, 0);
    (void)sem_init(&held, 0, 0);
    assert_int_equal(pthread_create(&resumer_thread, NULL, resumer, NULL), 0);
    return serve(PATIENCE_US);
}

static int stop(void **state)
{
    (void)state;
    server = http_server_free(server);
    fd_fini(&listen_fd);
    atomic_store(&ends, true);
    (void)sem_post(&asked);
    (void)pthread_join(resumer_thread, NULL);
    curl_global_cleanup();
    return 0;
}

static int dial(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static size_t gather(char *bytes, size_t size, size_t count, void *ctx)
{
    buf_add(ctx, bytes, size * count);
    return size * count;
}

struct answer {
    CURLcode code;
    long status;
    struct buf body;
    bool has_length;
};

static void get(const char *path, bool head, struct answer *ret_answer)
{
    AUTO(mem) char *url = mem_printf("%s%s", base, path);
    CURL *curl = curl_easy_init();
    curl_off_t length = -1;

    *ret_answer = (struct answer){ 0 };
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, gather);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &ret_answer->body);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)PATIENCE_S);
    (void)curl_easy_setopt(curl, CURLOPT_NOBODY, head ? 1L : 0L);
    ret_answer->code = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret_answer->status);
    (void)curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    ret_answer->has_length = length >= 0;
    curl_easy_cleanup(curl);
}

static void await_freed(int count)
{
    for (int i = 0; i < PATIENCE_MS && atomic_load(&freed) < count; i++)
        (void)usleep(1000); /* the client may have its answer before the server has ended it */
    assert_int_equal(atomic_load(&freed), count);
}

static int forget(void **state)
{
    (void)state;
    atomic_store(&freed, 0);
    return 0;
}

/* -- tests ----------------------------------------------------------------------------------
 */

static void a_stream_of_known_length_is_sent_with_it(void **state)
{
    struct answer a;

    (void)state;
    get("/known", false, &a);
    assert_int_equal(a.code, CURLE_OK);
    assert_true(a.has_length);
    assert_string_equal(a.body.data, "bbbdddde");
    buf_fini(&a.body);
    await_freed(1);
}

static void a_stream_of_unknown_length_ends_where_it_ends(void **state)
{
    struct answer a;

    (void)state;
    for (int i = 0; i < 50; i++) {
        get("/unknown", false, &a);
        assert_int_equal(a.code, CURLE_OK);
        assert_false(a.has_length);
        assert_int_equal(a.body.len, 1003);
        buf_fini(&a.body);
    }
    await_freed(50);
}

static void a_resume_may_come_before_the_reader_returns(void **state)
{
    struct answer a;

    (void)state;
    get("/resumed", false, &a);
    assert_int_equal(a.code, CURLE_OK);
    assert_string_equal(a.body.data, "ddddd");
    buf_fini(&a.body);
    await_freed(1);
}

static void a_stream_that_breaks_is_not_taken_for_a_whole_one(void **state)
{
    struct answer a;

    (void)state;
    get("/broken", false, &a);
    assert_int_equal(a.status, 200);
    assert_int_not_equal(a.code, CURLE_OK);
    assert_int_equal(a.body.len, 5);
    buf_fini(&a.body);
    await_freed(1);
}

/* libmicrohttpd by itself closes it when it runs the next time, of which nothing tells, and
 * only if no other connection has been silent for longer. */
static void a_stream_that_breaks_is_closed_though_others_are_idle(void **state)
{
    static const char *const paths[] = { "/broken", "/torn", "/broken_at_once" };
    int idle[THREADS];
    struct answer a;

    (void)state;
    server = http_server_free(server);
    assert_int_equal(serve(3600 * USEC_PER_SEC), 0);
    for (size_t i = 0; i < COUNT_OF(idle); i++) /* they are dealt out in turn */
        idle[i] = dial();
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        get(paths[i], false, &a);
        assert_int_equal(a.status, 200);
        assert_true(a.code == CURLE_PARTIAL_FILE || a.code == CURLE_RECV_ERROR);
        buf_fini(&a.body);
    }
    await_freed(COUNT_OF(paths));
    for (size_t i = 0; i < COUNT_OF(idle); i++)
        fd_fini(&idle[i]);
    server = http_server_free(server);
    assert_int_equal(serve(PATIENCE_US), 0);
}

static void a_silent_stream_outlives_the_idle_timeout(void **state)
{
    struct answer a;

    (void)state;
    server = http_server_free(server);
    assert_int_equal(serve(USEC_PER_SEC), 0);
    atomic_store(&dawdles, true);
    get("/silent", false, &a);
    atomic_store(&dawdles, false);
    assert_int_equal(a.code, CURLE_OK);
    assert_int_equal(a.body.len, 2);
    buf_fini(&a.body);
    await_freed(1);
    server = http_server_free(server);
    assert_int_equal(serve(PATIENCE_US), 0);
}

static void head_reads_nothing_of_a_stream(void **state)
{
    struct answer a;

    (void)state;
    get("/known", true, &a);
    assert_int_equal(a.code, CURLE_OK);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.len, 0);
    await_freed(1);
}

static void a_stream_that_is_not_sent_is_freed(void **state)
{
    struct answer a;

    (void)state;
    get("/refused", false, &a);
    assert_int_equal(a.status, 404);
    buf_fini(&a.body);
    await_freed(1);
}

static void a_client_that_leaves_is_noticed_at_the_next_resume(void **state)
{
    static const char text[] = "GET /unknown HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = dial();

    (void)state;
    atomic_store(&hold, true);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    (void)sem_wait(&held);
    fd_fini(&fd);
    atomic_store(&hold, false);
    (void)sem_post(&asked);
    await_freed(1); /* it read no further: the script would have waited twice more */
}

#define TEST(name) cmocka_unit_test_setup(name, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stream_of_known_length_is_sent_with_it),
        TEST(a_stream_of_unknown_length_ends_where_it_ends),
        TEST(a_resume_may_come_before_the_reader_returns),
        TEST(a_stream_that_breaks_is_not_taken_for_a_whole_one),
        TEST(a_stream_that_breaks_is_closed_though_others_are_idle),
        TEST(a_silent_stream_outlives_the_idle_timeout),
        TEST(head_reads_nothing_of_a_stream),
        TEST(a_stream_that_is_not_sent_is_freed),
        TEST(a_client_that_leaves_is_noticed_at_the_next_resume),
    };

    return cmocka_run_group_tests_name("server/http/stream", tests, start, stop);
}
