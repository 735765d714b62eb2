/* A process is pinned with a pidfd, and its environment is read after that: so the signal goes
 * to a process that had it. What a member forks while we look is found by the next look, since
 * it has the same environment; a tree that forks as fast as we look is stopped by its process
 * groups, which the kernel kills in one step. Dead ones have no environment. */
#include "pool/survivors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "pool/instance.h"

#define ENVIRON_MAX  ((size_t)8 << 20) /* more than the kernel lets anybody have by default */
#define WAIT_MAX     64                /* deaths that are waited for at once */
#define WAIT_MS      100
#define GROUPS_FROM  3 /* the round from which on whole process groups are killed */
#define CLEAN_ROUNDS 2 /* one look may miss a child whose parent ended by itself */

struct hunt {
    const struct survivors_conf *conf;
    DIR *proc;
    struct buf environment; /* of the process that is looked at */
    int killed;
    int round;
    int found; /* in this round */
    int dying[WAIT_MAX];
    size_t dying_count;
};

/* ---- whose it is ------------------------------------------------------------------------- */

static const char *find_entry(const struct buf *environment, const char *name)
{
    const char *p = environment->data;
    const char *end = p + environment->len;
    const char *value;

    for (; p < end; p += strlen(p) + 1)
        if (text_starts(p, name, &value))
            return value;
    return NULL;
}

static bool read_environment(struct hunt *h, pid_t pid)
{
    AUTO_FINI(fd) int fd = -1;
    char name[32];
    int r;

    (void)snprintf(name, sizeof name, "%d/environ", (int)pid);
    fd = openat(dirfd(h->proc), name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    buf_clear(&h->environment);
    r = fd_read_to_end(fd, ENVIRON_MAX, &h->environment, NULL);
    return (r == 0 || r == ERR_CONTENT_TOO_LARGE) && h->environment.len > 0;
}

static bool is_survivor(struct hunt *h, pid_t pid)
{
    const char *instance, *worker;
    int64_t worker_id;

    if (pid == getpid() || !read_environment(h, pid))
        return false;
    instance = find_entry(&h->environment, INSTANCE_MARK);
    worker = find_entry(&h->environment, INSTANCE_WORKER);
    if (!instance || !text_equal(instance, h->conf->instance) || !worker ||
        !text_to_i64(worker, 1, INT64_MAX, &worker_id))
        return false;
    if (h->conf->worker_lives(h->conf->worker_ctx, worker_id))
        return false;
    return !h->conf->spare || !h->conf->spare(h->conf->spare_ctx, pid);
}

/* ---- killing ----------------------------------------------------------------------------- */

/* Attempts have sessions of their own, so their groups hold nobody else. */
static void kill_group(pid_t pid)
{
    pid_t group = getpgid(pid);

    if (group > 1 && group != getpgrp() && getsid(pid) != getsid(0))
        (void)kill(-group, SIGKILL); /* ESRCH: they are gone already */
}

static void strike(struct hunt *h, pid_t pid)
{
    AUTO_FINI(fd) int fd = -1;

    if (!is_survivor(h, pid))
        return;
    h->found++;
    fd = pidfd_open(pid, 0);
    if (fd < 0 || !is_survivor(h, pid))
        return; /* gone, and perhaps its number is a stranger's: the next look will tell */
    if (h->round >= GROUPS_FROM)
        kill_group(pid);
    if (pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0)
        return;
    h->killed++;
    if (h->dying_count < WAIT_MAX)
        h->dying[h->dying_count++] = fd_take(&fd);
}

/* Wait until these have died, or for a short time. */
static void await_deaths(struct hunt *h)
{
    usec_t until_us = clock_mono_us() + WAIT_MS * USEC_PER_MS;

    for (size_t i = 0; i < h->dying_count; i++) {
        struct pollfd p = { .fd = h->dying[i], .events = POLLIN };
        usec_t left_us = until_us - clock_mono_us();

        if (left_us > 0)
            (void)poll(&p, 1, (int)(left_us / USEC_PER_MS) + 1);
        fd_fini(&h->dying[i]);
    }
    h->dying_count = 0;
}

static void look_around(struct hunt *h)
{
    const struct dirent *entry;

    h->found = 0;
    rewinddir(h->proc);
    while ((entry = readdir(h->proc)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own stream */
        int64_t pid;

        if (text_to_i64(entry->d_name, 1, INT32_MAX, &pid))
            strike(h, (pid_t)pid);
    }
    await_deaths(h);
}

int survivors_kill(const struct survivors_conf *conf, bool *ret_left)
{
    struct hunt h = { .conf = conf, .proc = opendir("/proc") };
    usec_t until_us = clock_mono_us() + conf->timeout_us;
    int clean = 0;

    *ret_left = false;
    if (!h.proc) {
        log_error("survivors.no_proc", LI64("errno", errno));
        *ret_left = true;
        return 0;
    }
    for (h.round = 0; clean < CLEAN_ROUNDS; h.round++) {
        look_around(&h);
        clean = h.found == 0 ? clean + 1 : 0;
        if (h.found > 0 && clock_mono_us() >= until_us) {
            *ret_left = true;
            break;
        }
    }
    buf_fini(&h.environment);
    (void)closedir(h.proc);
    return h.killed;
}
