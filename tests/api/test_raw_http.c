/* HTTP/1.1 as it may arrive from anybody: bytes in, statuses and what becomes of the connection
 * out. The server must answer as RFC 9112 says, or close; it must never see a request where
 * none was sent, and must not lose a descriptor.
 */
#include "tests/support/api.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "tests/support/proc.h"

static const char config[] =
    "max_body_bytes: 64KiB\n"
    "header_timeout: 1h\n"
    "body_timeout: 1h\n"
    "functions:\n"
    "  - name: copy\n"
    "    command: [cat]\n";
/* Only for those who are late on purpose. */
static const char impatient[] =
    "header_timeout: 200ms\n"
    "body_timeout: 300ms\n"
    "functions:\n"
    "  - name: copy\n"
    "    command: [cat]\n";
/* For those who are not, and yet take longer than this. */
static const char strict[] =
    "header_timeout: 2s\n"
    "body_timeout: 2s\n"
    "functions:\n"
    "  - name: copy\n"
    "    command: [cat]\n";

static const char few[] =
    "max_connections_per_address: 8\n"
    "allow_commands: true\n";

/* -- a connection -------------------------------------------------------------------------- */

static const char *current = ""; /* exchange, for messages */

struct line {
    int fd;
    struct buf in;
};

static struct line dial(const struct api *a)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    int64_t port = 0;
    struct line l = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };

    assert_true(text_to_i64(strrchr(a->base, ':') + 1, 1, 65535, &port));
    at.sin_port = htons((uint16_t)port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(l.fd, (struct sockaddr *)&at, sizeof at), 0);
    return l;
}

static void hang_up(struct line *l)
{
    fd_fini(&l->fd);
    buf_fini(&l->in);
}

static void say(struct line *l, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(l->fd, bytes, len, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* it has been closed: what is read tells */
        bytes += n;
        len -= (size_t)n;
    }
}

/* More into l->in; false at the end. */
static bool hear(struct line *l)
{
    struct pollfd p = { .fd = l->fd, .events = POLLIN };
    ssize_t n;

    if (poll(&p, 1, PATIENCE_MS) != 1)
        fail_msg("%s: nothing within %d ms; so far: %s", current, PATIENCE_MS,
                 l->in.data ? l->in.data : "");
    n = recv(l->fd, buf_reserve(&l->in, 65536), 65536, 0);
    if (n <= 0)
        return false;
    buf_commit(&l->in, (size_t)n);
    return true;
}

static size_t length_in(const char *head)
{
    const char *at = strcasestr(head, "\r\nContent-Length:");

    return at ? strtoul(at + sizeof "\r\nContent-Length:" - 1, NULL, 10) : 0;
}

/* The status of the next answer, 0 at the end of the connection. bodiless: to HEAD. */
static int next_status(struct line *l, bool bodiless)
{
    char *end;
    size_t len;
    int status = 0;

    while (!l->in.data || !(end = strstr(l->in.data, "\r\n\r\n")))
        if (!hear(l)) {
            if (l->in.len > 0)
                fail_msg("the connection ended within: %s", l->in.data);
            return 0;
        }
    if (sscanf(l->in.data, "HTTP/1.1 %d", &status) != 1)
        fail_msg("not an answer: %s", l->in.data);
    end[2] = 0;
    len = bodiless || status == 100 ? 0 : length_in(l->in.data);
    len += (size_t)(end + 4 - l->in.data);
    while (l->in.len < len)
        if (!hear(l))
            fail_msg("the connection ended within an answer of %d", status);
    buf_consume(&l->in, len);
    return status == 100 ? next_status(l, bodiless) : status;
}

/* -- the table ----------------------------------------------------------------------------- */

#define H       "Host: localhost\r\n"
#define POST    "POST /v1/jobs HTTP/1.1\r\n" H "Content-Type: application/json\r\n"
#define JOB     "{\"function\":\"copy\"}" /* 19 bytes */
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define INNER   "GET /livez HTTP/1.1\r\n" H "\r\n" /* what is not to be seen as a request */

#define SENTINEL "GET /v1/nowhere HTTP/1.1\r\n" H "Connection: close\r\n\r\n"

struct exchange {
    const char *name;
    const char *bytes;
    /* Statuses in order, then "open", "close", or "torn": closed after an answer whose head
     * libmicrohttpd 0.9.75 sends twice. */
    const char *want;
    size_t len; /* 0: strlen(bytes) */
};

static const struct exchange request_lines[] = {
    { "plain", "GET /livez HTTP/1.1\r\n" H "\r\n", "200 open", 0 },
    { "head", "HEAD /livez HTTP/1.1\r\n" H "\r\n", "200 open", 0 },
    { "empty lines before", "\r\n\r\nGET /livez HTTP/1.1\r\n" H "\r\n", "200 open", 0 },
    { "bare line feeds", "GET /livez HTTP/1.1\nHost: localhost\n\n", "200 open", 0 },
    { "absolute form", "GET http://localhost/livez HTTP/1.1\r\n" H "\r\n", "200 open", 0 },
    { "absolute form, empty path", "GET http://localhost HTTP/1.1\r\n" H "\r\n", "200 open",
      0 },
    { "absolute form of another", "GET http://evil.example/livez HTTP/1.1\r\n" H "\r\n",
      "403 open", 0 },
    { "authority form", "CONNECT localhost:80 HTTP/1.1\r\n" H "\r\n", "400 open", 0 },
    { "asterisk form", "OPTIONS * HTTP/1.1\r\n" H "\r\n", "204 open", 0 },
    { "asterisk for GET", "GET * HTTP/1.1\r\n" H "\r\n", "400 open", 0 },
    { "no slash", "GET livez HTTP/1.1\r\n" H "\r\n", "400 open", 0 },
    { "lower-case method", "get /livez HTTP/1.1\r\n" H "\r\n", "405 open", 0 },
    { "unknown method", "BREW /livez HTTP/1.1\r\n" H "\r\n", "405 open", 0 },
    { "no method", " /livez HTTP/1.1\r\n" H "\r\n", "close", 0 },
    { "blank in the target", "GET /livez x HTTP/1.1\r\n" H "\r\n", "400 close", 0 },
    { "tab in the target", "GET /livez\tx HTTP/1.1\r\n" H "\r\n", "400 close", 0 },
    { "NUL in the target", "GET /li\0vez HTTP/1.1\r\n" H "\r\n", "400 close", 41 },
    { "control byte in the target", "GET /li\x01vez HTTP/1.1\r\n" H "\r\n", "400 open", 0 },
    { "control byte in the method", "G\x01T /livez HTTP/1.1\r\n" H "\r\n", "405 open", 0 },
    { "8-bit target", "GET /\xff\xfe HTTP/1.1\r\n" H "\r\n", "400 open", 0 },
    { "bad escape", "GET /v1/jobs/%zz HTTP/1.1\r\n" H "\r\n", "400 open", 0 },
    { "dots", "GET /v1/../livez HTTP/1.1\r\n" H "\r\n", "404 open", 0 },
    { "HTTP/0.9", "GET /livez\r\n", "400 close", 0 },
    { "HTTP/1.0", "GET /livez HTTP/1.0\r\n\r\n", "200 close", 0 },
    { "HTTP/1.0, kept", "GET /livez HTTP/1.0\r\n" H "Connection: keep-alive\r\n\r\n",
      "200 open", 0 },
    { "HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 close", 0 },
    { "HTTP/9.9", "GET /livez HTTP/9.9\r\n" H "\r\n", "505 close", 0 },
    { "HTTP/1.2", "GET /livez HTTP/1.2\r\n" H "\r\n", "200 open", 0 },
    { "another protocol", "GET /livez FTP/1.1\r\n" H "\r\n", "400 close", 0 },
    { "TLS", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n", "close", 15 },
    { "only noise", "\xff\xfe\xfd\r\n\r\n", "close", 0 },
    { "asked to close", "GET /livez HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "200 close",
      0 },
};

static const struct exchange headers[] = {
    { "no Host", "GET /livez HTTP/1.1\r\n\r\n", "400 close", 0 },
    { "two Hosts", "GET /livez HTTP/1.1\r\n" H H "\r\n", "400 close", 0 },
    { "Host of another", "GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403 open", 0 },
    { "folded", "GET /livez HTTP/1.1\r\n" H "X-A: a\r\n b\r\n\r\n", "400 close", 0 },
    { "folded, then another", "GET /livez HTTP/1.1\r\nX-A: a\r\n\tb\r\n" H "\r\n", "400 close",
      0 },
    { "folded coding", POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" INNER,
      "400 close", 0 },
    { "folded length", POST "Content-Length: 1\r\n 9\r\n\r\n" JOB, "400 close", 0 },
    { "blank before the colon", "GET /livez HTTP/1.1\r\nHost : localhost\r\n\r\n", "400 close",
      0 },
    { "blank in the name", "GET /livez HTTP/1.1\r\n" H "X A: b\r\n\r\n", "400 close", 0 },
    { "no colon", "GET /livez HTTP/1.1\r\n" H "nonsense\r\n\r\n", "400 close", 0 },
    { "no name", "GET /livez HTTP/1.1\r\n" H ": x\r\n\r\n", "200 open", 0 }, /* no header */
    { "NUL in a value", "GET /livez HTTP/1.1\r\n" H "X-A: a\0b\r\n\r\n", "400 close", 50 },
    { "NUL in an earlier value", "GET /livez HTTP/1.1\r\nX-A: a\0b\r\n" H "\r\n", "400 close",
      50 },
    { "NUL in a name", "GET /livez HTTP/1.1\r\n" H "X\0A: ab\r\n\r\n", "400 close", 50 },
    { "blanks around values",
      "GET /livez HTTP/1.1\r\n" H "X-A: \t a \t\r\nX-B:\r\nX-C:c\r\n\r\n", "200 open", 0 },
    { "control byte in a value", "GET /livez HTTP/1.1\r\n" H "X-A: a\x01\x02\r\n\r\n",
      "200 open", 0 },
    { "8-bit value", "GET /livez HTTP/1.1\r\n" H "X-A: \xff\r\n\r\n", "200 open", 0 },
    { "begins with a blank", "GET /livez HTTP/1.1\r\n Host: localhost\r\n\r\n", "400 close",
      0 },
    { "bad request id", "GET /livez HTTP/1.1\r\n" H "X-Request-Id: a b\r\n\r\n", "200 open",
      0 },
};

static const struct exchange bodies[] = {
    { "plain", POST "Content-Length: 19\r\n\r\n" JOB, "202 open", 0 },
    { "chunked", CHUNKED "13\r\n" JOB "\r\n0\r\n\r\n", "202 open", 0 },
    { "chunks, zeros and upper case",
      CHUNKED "0000\x30"
              "9\r\n{\"functio\r\nA\r\nn\":\"copy\"}\r\n0\r\n\r\n",
      "202 open", 0 },
    { "chunk extensions", CHUNKED "13;a=b;c=\"d\"\r\n" JOB "\r\n0;x\r\n\r\n", "202 open", 0 },
    { "trailers", CHUNKED "13\r\n" JOB "\r\n0\r\nX-A: b\r\n\r\n", "202 open", 0 },
    { "length and chunks",
      POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" INNER,
      "400 close", 0 },
    { "chunks and length",
      POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" INNER,
      "400 close", 0 },
    { "two lengths", POST "Content-Length: 19\r\nContent-Length: 19\r\n\r\n" JOB, "400 close",
      0 },
    { "two lengths that differ", POST "Content-Length: 0\r\nContent-Length: 19\r\n\r\n" INNER,
      "400 close", 0 },
    { "a list of lengths", POST "Content-Length: 19, 19\r\n\r\n" JOB, "400 torn", 0 },
    { "negative length", POST "Content-Length: -1\r\n\r\n" INNER, "400 torn", 0 },
    { "signed length", POST "Content-Length: +19\r\n\r\n" JOB, "400 torn", 0 },
    { "hexadecimal length", POST "Content-Length: 0x13\r\n\r\n" JOB, "400 torn", 0 },
    { "empty length", POST "Content-Length: \r\n\r\n" INNER, "400 torn", 0 },
    { "length beyond 64 bits", POST "Content-Length: 18446744073709551635\r\n\r\n" JOB,
      "413 torn", 0 },
    { "length beyond 63 bits", POST "Content-Length: 9223372036854775827\r\n\r\n" JOB,
      "400 torn", 0 },
    { "huge length", POST "Content-Length: 9223372036854775807\r\n\r\n" JOB, "413 close", 0 },
    { "length beyond the bound", POST "Content-Length: 65537\r\nExpect: 100-continue\r\n\r\n",
      "413 close", 0 },
    { "chunk of no number", CHUNKED "zz\r\n" JOB "\r\n0\r\n\r\n" INNER, "400 close", 0 },
    { "chunk of a negative number", CHUNKED "-1\r\n" JOB "\r\n0\r\n\r\n" INNER, "400 close",
      0 },
    { "chunk of 0x", CHUNKED "0x13\r\n" JOB "\r\n0\r\n\r\n" INNER, "400 close", 0 },
    { "chunk of nothing", CHUNKED "\r\n" JOB "\r\n0\r\n\r\n" INNER, "400 close", 0 },
    { "chunk beyond 64 bits", CHUNKED "10000000000000013\r\n" JOB "\r\n0\r\n\r\n" INNER,
      "413 close", 0 },
    { "chunk longer than said", CHUNKED "5\r\n" JOB "\r\n0\r\n\r\n" INNER, "400 close", 0 },
    { "unknown coding", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" INNER,
      "400 close", 0 },
    { "coding chunked, identity",
      POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" INNER, "400 close", 0 },
    { "two codings",
      POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" INNER,
      "400 close", 0 },
    { "coding in quotes", POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" INNER,
      "400 close", 0 },
    { "coding after a tab",
      POST "Transfer-Encoding:\tchunked\r\n\r\n13\r\n" JOB "\r\n0\r\n\r\n", "202 open", 0 },
    { "coding for HTTP/1.0",
      "POST /v1/jobs HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" INNER,
      "400 close", 0 },
    { "GET with a body", "GET /livez HTTP/1.1\r\n" H "Content-Length: 40\r\n\r\n" INNER,
      "200 open", 0 },
    { "HEAD with a body", "HEAD /livez HTTP/1.1\r\n" H "Content-Length: 40\r\n\r\n" INNER,
      "200 open", 0 },
    { "refused, with a body", "POST /nowhere HTTP/1.1\r\n" H "Content-Length: 40\r\n\r\n" INNER,
      "404 open", 0 },
    { "body without a length", POST "\r\n" INNER, "400 200 open", 0 },
    { "unknown expectation", POST "Content-Length: 19\r\nExpect: miracles\r\n\r\n" JOB,
      "202 open", 0 },
    { "deep JSON",
      POST "Content-Length: 80\r\n\r\n"
           "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
      "400 open", 0 },
};

static const struct exchange pipelines[] = {
    { "three at once", INNER INNER INNER, "200 200 200 open", 0 },
    { "after a job", POST "Content-Length: 19\r\n\r\n" JOB INNER, "202 200 open", 0 },
    { "after chunks", CHUNKED "13\r\n" JOB "\r\n0\r\n\r\n" INNER, "202 200 open", 0 },
    { "after a refusal", "GET /nowhere HTTP/1.1\r\n" H "\r\n" INNER, "404 200 open", 0 },
    { "after what breaks it", "GET /livez HTTP/1.1\r\n\r\n" INNER, "400 close", 0 },
    { "after the last", "GET /livez HTTP/1.1\r\n" H "Connection: close\r\n\r\n" INNER,
      "200 close", 0 },
};

static void check_status(const struct exchange *x, int got, const char *want)
{
    if (got != (int)strtol(want, NULL, 10))
        fail_msg("%s: %d, want %s", x->name, got, want);
}

/* That the end of all answers is the end of the connection, or that it can be used on. */
static void check_end(const struct exchange *x, struct line *l, const char *want)
{
    int got;

    if (text_equal(want, "torn")) {
        while (hear(l))
            continue;
        if (l->in.data && strstr(l->in.data, "HTTP/1.1 2"))
            fail_msg("%s: then %s", x->name, l->in.data);
        return;
    }
    if (text_equal(want, "open")) {
        say(l, SENTINEL, sizeof SENTINEL - 1);
        got = next_status(l, false);
        if (got != 404)
            fail_msg("%s: %d to the next request, want 404", x->name, got);
    }
    got = next_status(l, false);
    if (got != 0)
        fail_msg("%s: %d after all answers", x->name, got);
}

static void exchange(const struct api *a, const struct exchange *x, size_t piece)
{
    size_t len = x->len > 0 ? x->len : strlen(x->bytes);
    bool bodiless = strncmp(x->bytes, "HEAD", 4) == 0;
    struct line l = dial(a);
    const char *want = x->want;

    current = x->name;
    for (size_t at = 0; at < len; at += piece)
        say(&l, x->bytes + at, len - at < piece ? len - at : piece);
    for (; *want >= '0' && *want <= '9'; want += strcspn(want, " ") + 1)
        check_status(x, next_status(&l, bodiless), want);
    check_end(x, &l, want);
    hang_up(&l);
}

static bool is_served(struct line *l)
{
    say(l, INNER, sizeof INNER - 1);
    return next_status(l, false) == 200;
}

/* The descriptors that the front has while it serves one connection: one that stays, as an
 * impatient front may have given up the one before. */
static unsigned front_fds(const struct api *a)
{
    for (;;) {
        struct line l = dial(a);
        unsigned count = 0;
        bool stayed = is_served(&l);

        if (stayed) {
            count = proc_open_fds(proc_await_child(a->pid, "jobd-front"));
            stayed = is_served(&l);
        }
        hang_up(&l);
        if (stayed)
            return count;
    }
}

/* Until the front has let go of what it had for connections that are gone. */
static void await_fds(const struct api *a, unsigned wanted)
{
    usec_t until_us = clock_mono_us() + PATIENCE_US;
    unsigned count;

    while ((count = front_fds(a)) > wanted)
        if (clock_mono_us() > until_us)
            fail_msg("%u descriptors, want %u", count, wanted);
}

static void run(const struct api *a, const struct exchange *table, size_t count)
{
    unsigned before = front_fds(a);

    for (size_t i = 0; i < count; i++) {
        exchange(a, &table[i], 1000000);
        exchange(a, &table[i], 1); /* byte by byte */
    }
    await_fds(a, before);
}

#define TABLE_TEST(name, table)                                                                \
    static void name(void **state)                                                             \
    {                                                                                          \
        run(*state, table, COUNT_OF(table));                                                   \
    }

TABLE_TEST(request_lines_good_and_bad, request_lines)
TABLE_TEST(headers_good_and_bad, headers)
TABLE_TEST(bodies_end_where_they_are_said_to_end, bodies)
TABLE_TEST(pipelined_requests_are_answered_in_order, pipelines)

/* -- who leaves, and who is late ------------------------------------------------------------
 */

/* Every beginning of a request, and then nothing more. libmicrohttpd 0.9.75 overlooks now and
 * then that a client has gone, when its last bytes and its end come together: then it is late.
 */
static void who_leaves_early_costs_nothing(void **state)
{
    static const char *const requests[] = { POST "Content-Length: 19\r\n\r\n" JOB,
                                            CHUNKED "13\r\n" JOB "\r\n0\r\n\r\n" };
    const struct api *a = *state;
    unsigned before = front_fds(a);

    for (size_t i = 0; i < COUNT_OF(requests); i++)
        for (size_t len = 0; len < strlen(requests[i]); len++) {
            struct line l = dial(a);

            say(&l, requests[i], len);
            if (len % 3 == 1)
                (void)shutdown(l.fd, SHUT_WR);
            hang_up(&l);
        }
    await_fds(a, before);
}

static int restart(struct api *a, const char *with)
{
    api_stop(a, SIGTERM);
    api_reconfigure(a, with);
    api_start(a);
    return 0;
}

static int be_impatient(void **state)
{
    return restart(*state, impatient);
}

static int be_strict(void **state)
{
    return restart(*state, strict);
}

static int allow_few(void **state)
{
    return restart(*state, few);
}

static int be_patient(void **state)
{
    return restart(*state, config);
}

/* The rest of what is said, one byte after the other, until the server has had enough. */
static int trickle(struct line *l, const char *endless)
{
    for (size_t i = 0;; i++) {
        struct pollfd p = { .fd = l->fd, .events = POLLIN };

        if (poll(&p, 1, 10) == 1)
            return next_status(l, false);
        say(l, endless + i % strlen(endless), 1);
    }
}

static void who_sends_too_slowly_is_told_so(void **state)
{
    static const struct {
        const char *begin, *endless;
    } cases[] = {
        { "", "G" },
        { "GET /livez HTTP/1.1\r\n" H "X-A: ", "a" },
        { "GET /livez HTTP/1.1\r\n" H, "X-A: b\r\n" },
        { POST "Content-Length: 60000\r\n\r\n", " " },
        { CHUNKED, "1\r\na\r\n" },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct line l = dial(a);

        say(&l, cases[i].begin, strlen(cases[i].begin));
        assert_int_equal(trickle(&l, cases[i].endless), 408);
        assert_int_equal(next_status(&l, false), 0);
        hang_up(&l);
    }
}

static void who_says_nothing_is_told_so(void **state)
{
    static const char *const beginnings[] = { "", "GET /livez HTTP",
                                              POST "Content-Length: 1\r\n\r\n" };

    for (size_t i = 0; i < COUNT_OF(beginnings); i++) {
        struct line l = dial(*state);

        say(&l, beginnings[i], strlen(beginnings[i]));
        assert_int_equal(next_status(&l, false), 408);
        assert_int_equal(next_status(&l, false), 0);
        hang_up(&l);
    }
}

static void who_waits_is_not_late(void **state)
{
    static const char wait[] = "GET /v1/jobs/%s?wait=3 HTTP/1.1\r\n" H "\r\n";
    const struct api *a = *state;
    char id[API_ID_SIZE];
    struct line l;
    AUTO(mem) char *text = NULL;

    api_submit(a, "{\"function\":\"copy\",\"delay_seconds\":3600}", id);
    text = mem_printf(wait, id);
    l = dial(a);
    say(&l, text, strlen(text));
    assert_int_equal(next_status(&l, false), 200);
    say(&l, INNER, sizeof INNER - 1);
    assert_int_equal(next_status(&l, false), 200);
    hang_up(&l);
}

static void one_address_has_so_many_connections_and_no_more(void **state)
{
    const struct api *a = *state;
    struct line lines[9];

    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        lines[i] = dial(a);
        say(&lines[i], INNER, sizeof INNER - 1);
        assert_int_equal(next_status(&lines[i], false), i < 8 ? 200 : 0);
    }
    hang_up(&lines[3]);
    for (;;) { /* when that has been noticed another may come */
        struct line l = dial(a);
        int status;

        say(&l, INNER, sizeof INNER - 1);
        status = next_status(&l, false);
        hang_up(&l);
        if (status == 200)
            break;
    }
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        hang_up(&lines[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_lines_good_and_bad),
        cmocka_unit_test(headers_good_and_bad),
        cmocka_unit_test(bodies_end_where_they_are_said_to_end),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test_setup_teardown(who_leaves_early_costs_nothing, be_impatient,
                                        be_patient),
        cmocka_unit_test_setup_teardown(who_sends_too_slowly_is_told_so, be_impatient,
                                        be_patient),
        cmocka_unit_test_setup_teardown(who_says_nothing_is_told_so, be_impatient, be_patient),
        cmocka_unit_test_setup_teardown(who_waits_is_not_late, be_strict, be_patient),
        cmocka_unit_test_setup_teardown(one_address_has_so_many_connections_and_no_more,
                                        allow_few, be_patient),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/raw_http", tests, api_setup, api_teardown));
}
