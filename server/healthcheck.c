#include "server/healthcheck.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "pool/paths.h"
#include "server/http/tls.h"
#include "server/listen.h"

#define ANSWER_MAX_BYTES 65536

static const char request[] =
    "GET /readyz HTTP/1.1\r\n"
    "Host: localhost\r\n"
    "User-Agent: jobd-healthcheck\r\n"
    "Accept: */*\r\n"
    "Connection: close\r\n\r\n";

/* The first line of run/listen. */
static int first_address(const char *data_dir, char **ret_address, struct errinfo *e)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    char room[PATHS_SIZE];
    int r;

    if (strlen(data_dir) > PATHS_DIR_MAX)
        return err_set(e, ERR_CONFIG, "the name of the data directory is too long");
    r = fd_read_file(paths_listen(data_dir, room), ANSWER_MAX_BYTES, &b, e);
    if (r < 0)
        return err_set(e, ERR_NOT_READY, "no jobd is ready in %s: there is no run/listen",
                       data_dir);
    *ret_address = mem_dup(b.data, strcspn(b.data ? b.data : "", "\n"));
    return 0;
}

/* Wait until the socket is ready, or the deadline has come. */
static int await(int fd, short events, usec_t deadline_us, struct errinfo *e)
{
    struct pollfd p = { .fd = fd, .events = events };
    usec_t left_us = deadline_us - clock_mono_us();
    int n = left_us <= 0 ? 0 : poll(&p, 1, (int)(left_us / USEC_PER_MS + 1));

    if (n > 0 || (n < 0 && errno == EINTR))
        return 0;
    return err_set(e, ERR_NOT_READY, "no answer in time");
}

static int connect_to(const struct address *a, usec_t deadline_us, int *ret_fd,
                      struct errinfo *e)
{
    AUTO_FINI(fd) int fd = -1;
    int error = 0, r;
    socklen_t len = sizeof error;

    fd = socket(a->sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    if (connect(fd, (const struct sockaddr *)&a->sockaddr, a->len) < 0) {
        error = errno;
        if (error == EINPROGRESS) {
            r = await(fd, POLLOUT, deadline_us, e);
            if (r < 0)
                return r;
            (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
        }
    }
    if (error != 0)
        return err_set(e, ERR_NOT_READY, "cannot connect: %s", strerrordesc_np(error));
    *ret_fd = fd_take(&fd);
    return 0;
}

/* Read until the end, or as much as is of interest. */
static int read_answer(int fd, usec_t deadline_us, struct buf *b, struct errinfo *e)
{
    while (b->len < ANSWER_MAX_BYTES) {
        ssize_t n = read(fd, buf_reserve(b, 4096), 4096);

        if (n == 0)
            return 0;
        if (n > 0) {
            buf_commit(b, (size_t)n);
        } else if (errno == EAGAIN) {
            int r = await(fd, POLLIN, deadline_us, e);

            if (r < 0)
                return r;
        } else if (errno != EINTR) {
            return b->len > 0 ? 0 : err_set(e, ERR_NOT_READY, "the connection was closed");
        }
    }
    return 0;
}

static int ask(int fd, usec_t deadline_us, struct buf *answer, struct errinfo *e)
{
    int r = fd_write_all(fd, request, sizeof request - 1, e); /* fits into any buffer */

    return r < 0 ? r : read_answer(fd, deadline_us, answer, e);
}

static int ask_over_tls(int fd, usec_t deadline_us, struct buf *answer, struct errinfo *e)
{
    usec_t left_us = deadline_us - clock_mono_us();
    struct timeval left = { .tv_sec = left_us > 0 ? left_us / USEC_PER_SEC : 0,
                            .tv_usec = left_us > 0 ? left_us % USEC_PER_SEC : 1 };
    int r = fd_set_nonblocking(fd, false, e);

    if (r < 0)
        return r;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof left) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left) < 0)
        return err_sys(e, "set the timeouts of a socket");
    return tls_exchange(fd, request, ANSWER_MAX_BYTES, answer, e);
}

static int judge(const struct buf *answer, struct errinfo *e)
{
    const char *text = answer->data ? answer->data : "", *rest, *body;

    if (!text_starts(text, "HTTP/1.1 ", &rest))
        return err_set(e, ERR_NOT_READY, "the answer is not HTTP");
    if (text_starts(rest, "200", NULL))
        return 0;
    body = strstr(text, "\r\n\r\n");
    return err_set(e, ERR_NOT_READY, "/readyz says %.3s %.400s", rest, body ? body + 4 : "");
}

int healthcheck(const char *target, const char *data_dir, usec_t timeout_us, struct errinfo *e)
{
    usec_t deadline_us = clock_mono_us() + timeout_us;
    AUTO(mem) char *from_file = NULL, *with_tls = NULL, *text = NULL;
    AUTO_FINI(buf) struct buf answer = { 0 };
    AUTO_FINI(fd) int fd = -1;
    struct address address;
    int r;

    if (!target) {
        r = first_address(data_dir, &from_file, e);
        if (r < 0)
            return r;
        target = from_file;
    }
    if (text_starts(target, "https://", &target))
        with_tls = mem_printf("tls:%s", target);
    if (with_tls)
        target = with_tls;
    (void)text_starts(target, "http://", &target);
    text = mem_dup(target,
                   text_starts(target, "unix:", NULL) ? strlen(target) : strcspn(target, "/"));
    r = address_parse(text, &address, e);
    if (r < 0)
        return r;
    r = connect_to(&address, deadline_us, &fd, e);
    if (r < 0)
        return r;
    r = address.tls ? ask_over_tls(fd, deadline_us, &answer, e)
                    : ask(fd, deadline_us, &answer, e);
    if (r < 0)
        return r;
    return judge(&answer, e);
}
