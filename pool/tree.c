/* How a sweep gets everybody.
 *
 * One look at /proc gives every process with its parent and its start time; from those the
 * descendants follow. Between the look and the signal a process may end and its number may be
 * given to a stranger. So a member is first pinned with a pidfd and then looked at again: same
 * start time, and a parent that can be explained. Only then is the signal sent, through the
 * pidfd.
 *
 * What a dying member forked just before is missed by one look and found by the next: it has
 * become our child, or the child of a member. A tree that forks as fast as we look is stopped
 * by its process groups: a group is killed by the kernel in one step, during which nobody
 * forks.
 *
 * /proc/<pid>/task/<tid>/children would be cheaper on a machine with many processes, but not
 * every kernel has it, and it is only reliable for frozen processes. The common case does not
 * come here: an attempt that left nothing behind is one waitpid().
 */
#include "pool/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#define WAIT_MAX       64  /* deaths that are waited for at once */
#define WAIT_MS        100 /* then look again: somebody may be missing from the list */
#define GROUPS_FROM    3   /* the round from which on whole process groups are killed */
#define STAT_TEXT_SIZE 512
#define STAT_FIELDS    22
#define FLAG_EXITING   0x4 /* PF_EXITING of the kernel's sched.h, field 9 of proc(5) stat */

struct member {
    pid_t pid;
    pid_t parent;
    pid_t group;
    pid_t session;
    long long start; /* ticks since boot: with pid, the identity of a process */
    long long threads;
    bool gone;    /* a zombie without other threads */
    bool exiting; /* on its way there by itself */
    bool ours;    /* a descendant that is not spared */
};

struct census {
    struct member *items;
    size_t count;
    size_t capacity;
};

/* The processes that a sweep has killed: each is counted once, however often it is seen. */
struct tally {
    struct member *items;
    size_t count;
    size_t capacity;
};

typedef bool spare_fn(void *ctx, pid_t pid);

int tree_become_subreaper(struct errinfo *e)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return err_sys(e, "prctl(PR_SET_CHILD_SUBREAPER)");
    return 0;
}

/* ---- looking ----------------------------------------------------------------------------- */

static void list_add(struct member **items, size_t *count, size_t *capacity,
                     const struct member *m)
{
    if (*count == *capacity) {
        *capacity = *capacity > 0 ? *capacity * 2 : 64;
        *items = mem_resize(*items, *capacity, sizeof **items);
    }
    (*items)[(*count)++] = *m;
}

/* The line of /proc/<pid>/stat (proc(5), fields counted from 1): pid, name in brackets, which
 * may hold blanks and brackets, state, and from field 4 on numbers. */
static bool parse_stat(const char *text, struct member *ret_member)
{
    long long fields[STAT_FIELDS + 1] = { 0 };
    const char *at = strrchr(text, ')');
    char state;

    if (!at || strlen(at) < sizeof ") S" - 1)
        return false;
    state = at[2];
    at += 3;
    for (int i = 4; i <= STAT_FIELDS; i++) {
        char *end;

        fields[i] = strtoll(at, &end, 10);
        if (end == at)
            return false;
        at = end;
    }
    ret_member->parent = (pid_t)fields[4];
    ret_member->group = (pid_t)fields[5];
    ret_member->session = (pid_t)fields[6];
    ret_member->exiting = (fields[9] & FLAG_EXITING) != 0;
    ret_member->start = fields[22];
    ret_member->threads = fields[20];
    /* A leader that has ended while other threads run is a zombie too, of a process alive. */
    ret_member->gone = (state == 'Z' && fields[20] <= 1) || state == 'X';
    return true;
}

static bool look_at(int proc_fd, pid_t pid, struct member *ret_member)
{
    char text[STAT_TEXT_SIZE];
    char name[32];
    AUTO_FINI(fd) int fd = -1;
    ssize_t n;

    (void)snprintf(name, sizeof name, "%d/stat", (int)pid);
    fd = openat(proc_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    *ret_member = (struct member){ .pid = pid };
    return parse_stat(text, ret_member);
}

static int by_pid(const void *a, const void *b)
{
    const struct member *x = a;
    const struct member *y = b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

static const struct member *census_find(const struct census *c, pid_t pid)
{
    const struct member key = { .pid = pid };

    return bsearch(&key, c->items, c->count, sizeof *c->items, by_pid);
}

/* Mark the descendants: children of ours, then children of those, until nobody is new. What is
 * below a spared process is its business, and is spared too. */
static void mark_descendants(struct census *c, spare_fn *spare, void *ctx)
{
    pid_t self = getpid();
    bool found;

    do {
        found = false;
        for (size_t i = 0; i < c->count; i++) {
            struct member *m = &c->items[i];
            const struct member *parent;

            if (m->ours)
                continue;
            parent = m->parent == self ? NULL : census_find(c, m->parent);
            if (m->parent != self && !(parent && parent->ours))
                continue;
            if (spare && spare(ctx, m->pid))
                continue;
            m->ours = true;
            found = true;
        }
    } while (found);
}

static void take_census(DIR *proc, struct census *c, spare_fn *spare, void *ctx)
{
    const struct dirent *entry;

    c->count = 0;
    rewinddir(proc);
    while ((entry = readdir(proc)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own stream */
        int64_t pid;
        struct member m;

        if (text_to_i64(entry->d_name, 1, INT32_MAX, &pid) &&
            look_at(dirfd(proc), (pid_t)pid, &m))
            list_add(&c->items, &c->count, &c->capacity, &m);
    }
    if (c->count > 0)
        qsort(c->items, c->count, sizeof *c->items, by_pid);
    mark_descendants(c, spare, ctx);
}

/* ---- signalling -------------------------------------------------------------------------- */

/* A pidfd of exactly this member, or -1 when it is not there any more. */
static int pin(int proc_fd, const struct member *m)
{
    AUTO_FINI(fd) int fd = pidfd_open(m->pid, 0);
    struct member now;

    if (fd < 0 || !look_at(proc_fd, m->pid, &now))
        return -1;
    if (now.start != m->start || (now.parent != m->parent && now.parent != getpid()))
        return -1; /* a stranger with its number, or moved: the next look will tell */
    return fd_take(&fd);
}

/* Sessions below us were made by members, so their groups hold nobody else. */
static void kill_group(const struct member *m)
{
    if (m->session != getsid(0) && m->group > 1 && m->group != getpgrp())
        (void)kill(-m->group, SIGKILL); /* ESRCH: they are gone already */
}

int tree_signal(int sig, bool (*spare)(void *ctx, pid_t pid), void *ctx)
{
    DIR *proc = opendir("/proc");
    struct census c = { 0 };
    int reached = 0;

    if (!proc) {
        log_error("tree.no_proc", LI64("errno", errno));
        return 0;
    }
    take_census(proc, &c, spare, ctx);
    for (size_t i = 0; i < c.count; i++) {
        AUTO_FINI(fd) int fd = -1;

        if (!c.items[i].ours || c.items[i].gone)
            continue;
        fd = pin(dirfd(proc), &c.items[i]);
        if (fd < 0 || pidfd_send_signal(fd, sig, NULL, 0) < 0)
            continue;
        reached++;
        if (sig == SIGTERM) /* one that is stopped would not hear it */
            (void)pidfd_send_signal(fd, SIGCONT, NULL, 0);
    }
    free(c.items);
    (void)closedir(proc);
    return reached;
}

/* ---- asking ------------------------------------------------------------------------------ */

static struct tree_process process_of(const struct member *m)
{
    return (struct tree_process){ .pid = m->pid, .session = m->session, .start = m->start };
}

bool tree_look(pid_t pid, struct tree_process *ret_process)
{
    AUTO_FINI(fd) int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct member m;

    if (proc_fd < 0 || !look_at(proc_fd, pid, &m) || m.gone)
        return false;
    *ret_process = process_of(&m);
    return true;
}

size_t tree_each(bool (*spare)(void *ctx, pid_t pid), void *ctx,
                 void (*each)(void *each_ctx, const struct tree_process *p), void *each_ctx)
{
    DIR *proc = opendir("/proc");
    struct census c = { 0 };
    size_t count = 0;

    if (!proc) {
        log_error("tree.no_proc", LI64("errno", errno));
        return 0;
    }
    take_census(proc, &c, spare, ctx);
    for (size_t i = 0; i < c.count; i++) {
        const struct tree_process p = process_of(&c.items[i]);

        if (!c.items[i].ours)
            continue;
        count++;
        if (each && !c.items[i].gone)
            each(each_ctx, &p);
    }
    free(c.items);
    (void)closedir(proc);
    return count;
}

int64_t tree_user_threads(uid_t user)
{
    DIR *proc = opendir("/proc");
    struct census c = { 0 };
    int64_t threads = 0;

    if (!proc)
        return 0;
    take_census(proc, &c, NULL, NULL);
    for (size_t i = 0; i < c.count; i++) {
        char name[32];
        struct stat st;

        (void)snprintf(name, sizeof name, "%d", (int)c.items[i].pid);
        if (fstatat(dirfd(proc), name, &st, 0) == 0 && st.st_uid == user)
            threads += c.items[i].threads;
    }
    free(c.items);
    (void)closedir(proc);
    return threads;
}

/* ---- sweeping ---------------------------------------------------------------------------- */

static void tally_add(struct tally *t, const struct member *m)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->items[i].pid == m->pid && t->items[i].start == m->start)
            return;
    list_add(&t->items, &t->count, &t->capacity, m);
}

/* Reap every child that has ended; true when there is no child at all. */
static bool reap_all(void)
{
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);

        if (pid == 0)
            return false;
        if (pid < 0 && errno != EINTR)
            return true; /* ECHILD */
    }
}

/* Wait until these have died, or for a short time. Closes them. */
static void await_deaths(int *fds, size_t count)
{
    struct pollfd polls[WAIT_MAX];
    usec_t until_us = clock_mono_us() + WAIT_MS * USEC_PER_MS;

    for (size_t i = 0; i < count; i++) {
        usec_t left_us = until_us - clock_mono_us();

        polls[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
        if (left_us > 0)
            (void)poll(&polls[i], 1, (int)(left_us / USEC_PER_MS) + 1);
        fd_fini(&fds[i]);
    }
}

/* One look, one blow at everybody; returns how many members are left, dead or alive. */
static size_t strike(DIR *proc, struct census *c, struct tally *t, int round, spare_fn *spare,
                     void *ctx)
{
    int dying[WAIT_MAX];
    size_t dying_count = 0;
    size_t members = 0;

    take_census(proc, c, spare, ctx);
    for (size_t i = 0; i < c->count; i++) {
        const struct member *m = &c->items[i];
        AUTO_FINI(fd) int fd = -1;

        if (!m->ours)
            continue;
        members++;
        if (m->gone && m->parent != getpid())
            continue; /* its parent is about to die, which makes it ours */
        if (m->gone) {
            /* Not reaped yet, so its number and its group's are its own still. */
            if (round >= GROUPS_FROM)
                kill_group(m);
            (void)waitpid(m->pid, NULL, WNOHANG);
            continue;
        }
        fd = pin(dirfd(proc), m);
        if (fd < 0)
            continue;
        if (round >= GROUPS_FROM)
            kill_group(m);
        /* Refused (EPERM: it changed its user): it is waited for and tried again. */
        if (pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0 && !m->exiting)
            tally_add(t, m);
        if (dying_count < WAIT_MAX)
            dying[dying_count++] = fd_take(&fd);
    }
    await_deaths(dying, dying_count);
    return members;
}

int tree_sweep(bool (*spare)(void *ctx, pid_t pid), void *ctx)
{
    struct census c = { 0 };
    struct tally t = { 0 };
    DIR *proc = NULL;

    /* The common case, and without spare() always the end: nobody is left, says the kernel. */
    for (int round = 0; spare || !reap_all(); round++) {
        if (!proc)
            proc = opendir("/proc");
        if (!proc) {
            /* Without /proc we know nobody by name: all that is left to do is to outlive them.
             */
            log_error("tree.no_proc", LI64("errno", errno));
            (void)waitpid(-1, NULL, 0);
            continue;
        }
        if (strike(proc, &c, &t, round, spare, ctx) == 0 && spare)
            break;
    }
    free(c.items);
    free(t.items);
    if (proc)
        (void)closedir(proc);
    return (int)t.count;
}
