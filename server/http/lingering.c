#include "server/http/lingering.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define SILENT_US   (5 * USEC_PER_SEC)
#define ALL_US      (30 * USEC_PER_SEC)
#define BYTES       ((uint64_t)64 << 20)
#define BLOCK_BYTES ((size_t)64 * 1024)

struct line {
    int fd;
    usec_t silent_until_us; /* monotonic, both */
    usec_t until_us;
    uint64_t left_bytes;
};

struct lingering {
    struct lingering_conf conf;
    int wake_fd; /* eventfd: somebody has come, or the end */
    pthread_t thread;
    bool running;

    struct line lines[LINGERING_MAX]; /* the thread's */
    size_t count;
    char *block; /* what is dropped */

    pthread_mutex_t mutex; /* guards the rest; a leaf */
    int coming[LINGERING_MAX];
    size_t coming_count;
    bool stopping;
};

/* -- the thread -----------------------------------------------------------------------------
 */

static void let_go(struct lingering *l, size_t at)
{
    fd_fini(&l->lines[at].fd);
    l->lines[at] = l->lines[--l->count];
}

static void begin(struct lingering *l, int take_fd)
{
    usec_t now_us = clock_mono_us();

    if (l->count == LINGERING_MAX) {
        (void)close(take_fd);
        return;
    }
    (void)shutdown(take_fd, SHUT_WR); /* fails when the client has gone */
    l->lines[l->count++] = (struct line){ .fd = take_fd,
                                          .silent_until_us = now_us + l->conf.silent_us,
                                          .until_us = now_us + l->conf.all_us,
                                          .left_bytes = l->conf.bytes };
}

/* False: the end has come. */
static bool take_coming(struct lingering *l)
{
    eventfd_t times;
    bool stopping;

    (void)eventfd_read(l->wake_fd, &times); /* empty: nobody has come */
    (void)pthread_mutex_lock(&l->mutex);
    for (size_t i = 0; i < l->coming_count; i++)
        begin(l, l->coming[i]);
    l->coming_count = 0;
    stopping = l->stopping;
    (void)pthread_mutex_unlock(&l->mutex);
    return !stopping;
}

/* A block at a time, so that each has its turn. False: it has ended, or has had enough. */
static bool drop_some(struct lingering *l, struct line *line)
{
    ssize_t n = recv(line->fd, l->block, BLOCK_BYTES, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0 || (uint64_t)n >= line->left_bytes)
        return false;
    line->left_bytes -= (uint64_t)n;
    line->silent_until_us = clock_mono_us() + l->conf.silent_us;
    return true;
}

static usec_t deadline_us(const struct line *line)
{
    return line->silent_until_us < line->until_us ? line->silent_until_us : line->until_us;
}

/* Milliseconds to the next deadline, rounded up; -1: there is none. */
static int wait_ms(const struct lingering *l)
{
    usec_t next_us = INT64_MAX, left_us;

    for (size_t i = 0; i < l->count; i++)
        if (deadline_us(&l->lines[i]) < next_us)
            next_us = deadline_us(&l->lines[i]);
    if (l->count == 0)
        return -1;
    left_us = next_us - clock_mono_us();
    return left_us > 0 ? (int)((left_us + USEC_PER_MS - 1) / USEC_PER_MS) : 0;
}

/* From the last one on: let_go() puts that in the place of another. What has come counts more
 * than that it was waited for. */
static void look(struct lingering *l, const struct pollfd *polled)
{
    usec_t now_us = clock_mono_us();

    for (size_t i = l->count; i-- > 0;) {
        struct line *line = &l->lines[i];
        bool comes = polled[i].revents != 0;

        if (comes ? !drop_some(l, line) : now_us >= line->silent_until_us)
            let_go(l, i);
        else if (now_us >= line->until_us)
            let_go(l, i);
    }
}

static void *linger(void *arg)
{
    struct lingering *l = arg;

    (void)pthread_setname_np(pthread_self(), "jobd-linger");
    while (take_coming(l)) {
        struct pollfd polled[LINGERING_MAX + 1];

        for (size_t i = 0; i < l->count; i++)
            polled[i] = (struct pollfd){ .fd = l->lines[i].fd, .events = POLLIN };
        polled[l->count] = (struct pollfd){ .fd = l->wake_fd, .events = POLLIN };
        if (poll(polled, l->count + 1, wait_ms(l)) >= 0)
            look(l, polled);
    }
    while (l->count > 0)
        let_go(l, 0);
    return NULL;
}

static void wake_up(struct lingering *l)
{
    (void)eventfd_write(l->wake_fd, 1); /* can fail only when it is set already */
}

void lingering_take(struct lingering *l, int take_fd)
{
    AUTO_FINI(fd) int fd = take_fd;

    (void)pthread_mutex_lock(&l->mutex); /* fails only for a mutex that is none */
    if (l->coming_count < LINGERING_MAX)
        l->coming[l->coming_count++] = fd_take(&fd);
    (void)pthread_mutex_unlock(&l->mutex);
    wake_up(l);
}

/* -- start and stop -------------------------------------------------------------------------
 */

int lingering_new(const struct lingering_conf *conf, struct lingering **ret_lingering,
                  struct errinfo *e)
{
    AUTO(lingering) struct lingering *l = mem_new0(sizeof *l);

    l->conf = (struct lingering_conf){
        .silent_us = conf->silent_us > 0 ? conf->silent_us : SILENT_US,
        .all_us = conf->all_us > 0 ? conf->all_us : ALL_US,
        .bytes = conf->bytes > 0 ? conf->bytes : BYTES,
    };
    (void)pthread_mutex_init(&l->mutex, NULL); /* cannot fail for the default kind */
    l->block = mem_new0(BLOCK_BYTES);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake_fd < 0)
        return err_sys(e, "eventfd");
    errno = pthread_create(&l->thread, NULL, linger, l);
    if (errno != 0)
        return err_sys(e, "start a thread");
    l->running = true;
    *ret_lingering = TAKE(l);
    return 0;
}

struct lingering *lingering_free(struct lingering *l)
{
    if (!l)
        return NULL;
    (void)pthread_mutex_lock(&l->mutex);
    l->stopping = true;
    (void)pthread_mutex_unlock(&l->mutex);
    wake_up(l);
    if (l->running)
        (void)pthread_join(l->thread, NULL);
    (void)pthread_mutex_destroy(&l->mutex);
    fd_fini(&l->wake_fd);
    free(l->block);
    free(l);
    return NULL;
}
