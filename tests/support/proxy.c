#include "tests/support/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"

#define START_TIMEOUT_MS 60000

/* Why a request does not go through the proxy. */
enum reason { THROUGH, METHOD, TARGET, HEADER, BODY, REASON_MAX_ };
static const char *const reasons[REASON_MAX_] = {
    "through the proxy",          "its method",
    "the spelling of its target", "a header that a proxy takes",
    "a body that has no place",
};

static pid_t proxy_pid;
static char base[64]; /* "": there is none */
static char server[64];
static atomic_int counts[REASON_MAX_];

/* -- the process ----------------------------------------------------------------------------
 */

static void run(const char *program, const char *target, const char *har, int out, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(126);
    (void)dup2(out, 1);
    (void)dup2(out, 2);
    (void)setenv("REDOCLY_TELEMETRY", "off", 1);               // NOLINT(concurrency-mt-unsafe)
    (void)setenv("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true", 1); // NOLINT(concurrency-mt-unsafe)
    (void)execlp(program, program, "proxy", "--target", target, "--port", "0", "--har", har,
                 NULL);
    (void)dprintf(2, "cannot execute %s: %s\n", program, strerror(errno)); // NOLINT
    _exit(127);
}

/* "... listening on http://127.0.0.1:40123 → ..." */
static bool find_base(const struct buf *said)
{
    static const char words[] = "Proxy listening on ";
    const char *at = said->data ? strstr(said->data, words) : NULL;
    size_t len;

    if (!at || !strchr(at, '\n'))
        return false;
    at += sizeof words - 1;
    len = strcspn(at, " ");
    assert_true(len < sizeof base);
    memcpy(base, at, len);
    base[len] = '\0';
    return true;
}

/* The descriptor stays open: whoever writes to a pipe that nobody reads is killed. */
static void await_base(int fd)
{
    AUTO_FINI(buf) struct buf said = { 0 };
    usec_t deadline_us = clock_mono_us() + START_TIMEOUT_MS * USEC_PER_MS;

    while (!find_base(&said)) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        usec_t left_us = deadline_us - clock_mono_us();
        char block[4096];
        ssize_t n;

        if (left_us <= 0 || poll(&p, 1, (int)(left_us / USEC_PER_MS) + 1) <= 0)
            fail_msg("the proxy was not ready within %d ms", START_TIMEOUT_MS);
        n = read(fd, block, sizeof block);
        if (n <= 0)
            fail_msg("the proxy has ended: %s", said.data ? said.data : "");
        buf_add(&said, block, (size_t)n);
    }
}

void proxy_start(const char *target)
{
    static int number;
    static int said_fd = -1;
    const char *program = getenv("JOBD_API_PROXY"); // NOLINT(concurrency-mt-unsafe)
    const char *dir = getenv("JOBD_API_HARS");      // NOLINT(concurrency-mt-unsafe)
    AUTO(mem) char *har = NULL;
    pid_t parent = getpid();
    int pipe_fds[2];

    if (!program || !*program || !dir || !text_starts(target, "http://127.", NULL))
        return; /* TLS and Unix sockets are not for it */
    proxy_stop();
    (void)snprintf(server, sizeof server, "%s", target);
    har = mem_printf("%s/%d-%d.har", dir, (int)parent, ++number);
    assert_return_code(pipe2(pipe_fds, O_CLOEXEC), errno);
    proxy_pid = fork();
    assert_return_code(proxy_pid, errno);
    if (proxy_pid == 0)
        run(program, target, har, pipe_fds[1], parent);
    (void)close(pipe_fds[1]);
    fd_fini(&said_fd);
    said_fd = pipe_fds[0];
    await_base(said_fd);
}

void proxy_stop(void)
{
    int status;

    if (proxy_pid <= 0)
        return;
    (void)kill(proxy_pid, SIGTERM);
    (void)waitpid(proxy_pid, &status, 0);
    proxy_pid = 0;
    base[0] = '\0';
}

/* -- what goes through it -------------------------------------------------------------------
 */

static bool is_method(const char *method)
{
    static const char *const known[] = { "GET",    "HEAD",    "POST", "PUT",
                                         "DELETE", "OPTIONS", "PATCH" };

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(method, known[i]) == 0)
            return true;
    return false;
}

/* One that a URL parser leaves as it is. */
static bool is_plain_target(const char *path)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        "-._~:/?&=%,+*()!@$;";

    return path[0] == '/' && strspn(path, plain) == strlen(path) && !strstr(path, "//") &&
           !strstr(path, "/.") && !strcasestr(path, "/%2e");
}

static size_t name_len(const char *header)
{
    return strcspn(header, ":;");
}

/* One that the proxy keeps for itself, or of which it makes one of several. */
static bool is_taken(const struct api_request *q, size_t i)
{
    static const char *const own[] = {
        "Host",    "Connection",        "Keep-Alive",     "TE",    "Trailer",
        "Upgrade", "Transfer-Encoding", "Content-Length", "Expect"
    };
    const char *header = q->headers[i];
    size_t len = name_len(header);

    for (size_t k = 0; k < COUNT_OF(own); k++)
        if (strlen(own[k]) == len && strncasecmp(own[k], header, len) == 0)
            return true;
    for (size_t k = 0; k < i; k++)
        if (name_len(q->headers[k]) == len && strncasecmp(q->headers[k], header, len) == 0)
            return true;
    return header[len] == ';' || strlen(header) > 4096;
}

static enum reason judge(const struct api_request *q)
{
    const char *method = q->method ? q->method : (q->body ? "POST" : "GET");

    if (!is_method(method))
        return METHOD;
    if (!is_plain_target(q->path))
        return TARGET;
    for (size_t i = 0; i < COUNT_OF(q->headers) && q->headers[i]; i++)
        if (is_taken(q, i))
            return HEADER;
    if (q->body && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0))
        return BODY;
    return THROUGH;
}

const char *proxy_for(const struct api *a, const struct api_request *q)
{
    enum reason reason;

    if (!base[0] || strcmp(a->base, server) != 0)
        return NULL;
    reason = judge(q);
    atomic_fetch_add(&counts[reason], 1);
    return reason == THROUGH ? base : NULL;
}

bool proxy_had_none(const struct api_reply *r)
{
    static const char words[] = "Proxy error:";

    return r->status == 502 && r->body && strncmp(r->body, words, sizeof words - 1) == 0;
}

void proxy_report(void)
{
    int all = 0;

    for (int i = 0; i < REASON_MAX_; i++)
        all += counts[i];
    if (all == 0)
        return;
    (void)printf("requests: %d of %d %s", counts[THROUGH], all, reasons[THROUGH]);
    for (int i = THROUGH + 1; i < REASON_MAX_; i++)
        if (counts[i] > 0)
            (void)printf("; %d not, for %s", counts[i], reasons[i]);
    (void)printf("\n");
}
