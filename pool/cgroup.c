/* A file of a control group takes one short text in one write(2) and answers with an errno. All
 * names are relative to a descriptor of the group's directory, so that a group which is
 * removed and made again by somebody else is never taken for ours. */
#include "pool/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "pool/cgroup_find.h"

#define ALL_TREES      ((1u << CGROUP_TREES) - 1)
#define FILE_TEXT_SIZE 4096
#define LOCK_ROUNDS    100
#define DETACH_ROUNDS  100
#define PROBE_WAIT_US  USEC_PER_SEC
#define KILL_WAIT_US   USEC_PER_SEC /* then once more, and a line in the log */

static const struct {
    const char *name;
    unsigned power;
} controllers[] = {
    { "memory", CGROUP_MEMORY },
    { "pids", CGROUP_PIDS },
    { "cpu", CGROUP_CPU },
};

/* ---- files ------------------------------------------------------------------------------- */

static int put(int dir, const char *file, const char *text)
{
    AUTO_FINI(fd) int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return -errno;
    return 0;
}

static int put_number(int dir, const char *file, int64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRId64, number);
    return put(dir, file, text);
}

/* The text of a file, "" when it cannot be read. */
static const char *get(int dir, const char *file, char room[FILE_TEXT_SIZE])
{
    AUTO_FINI(fd) int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, room, FILE_TEXT_SIZE - 1);

    room[n > 0 ? n : 0] = '\0';
    return room;
}

int64_t cgroup_field(const char *text, const char *key)
{
    size_t len = strlen(key);

    for (const char *line = text; *line != '\0';) {
        if (strncmp(line, key, len) == 0 && line[len] == ' ')
            return strtoll(line + len, NULL, 10);
        line += strcspn(line, "\n");
        line += *line != '\0';
    }
    return -1;
}

static bool says_populated(const char *events)
{
    return cgroup_field(events, "populated") == 1;
}

static bool is_populated(int dir)
{
    char room[FILE_TEXT_SIZE];

    return says_populated(get(dir, "cgroup.events", room));
}

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = words; *p != '\0';) {
        size_t n = strcspn(p, " \n");

        if (n == len && memcmp(p, word, len) == 0)
            return true;
        p += n;
        p += strspn(p, " \n");
    }
    return false;
}

/* ---- groups ------------------------------------------------------------------------------ */

void cgroup_none(struct cgroup *g)
{
    *g = (struct cgroup){ .dirs = { -1, -1, -1 }, .events_fd = -1 };
}

bool cgroup_exists(const struct cgroup *g)
{
    for (int t = 0; t < CGROUP_TREES; t++)
        if (g->dirs[t] >= 0)
            return true;
    return false;
}

bool cgroup_holds(const struct cgroup *g)
{
    const unsigned needed = CGROUP_KILL | CGROUP_EVENTS;

    return g->dirs[CGROUP_V2] >= 0 && (g->power & needed) == needed;
}

void cgroup_close(struct cgroup *g)
{
    fd_fini(&g->events_fd);
    for (int t = 0; t < CGROUP_TREES; t++)
        fd_fini(&g->dirs[t]);
}

static int open_dir(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* In each tree of the mask in which the parent is. One that exists already is as good. */
static int make(const struct cgroup *parent, const char *name, unsigned trees,
                struct cgroup *ret_group)
{
    int err = 0;

    cgroup_none(ret_group);
    ret_group->power = parent->power;
    (void)text_copy(ret_group->name, sizeof ret_group->name, name);
    for (int t = 0; t < CGROUP_TREES; t++) {
        if (parent->dirs[t] < 0 || !(trees & 1u << t))
            continue;
        if (mkdirat(parent->dirs[t], name, 0755) < 0 && errno != EEXIST)
            err = errno;
        else if ((ret_group->dirs[t] = open_dir(parent->dirs[t], name)) < 0)
            err = errno;
    }
    return err;
}

static void remove_dirs(const struct cgroup *parent, const char *name)
{
    for (int t = 0; t < CGROUP_TREES; t++)
        if (parent->dirs[t] >= 0)
            (void)unlinkat(parent->dirs[t], name, AT_REMOVEDIR); /* or somebody is in it */
}

void cgroup_leaf_remove(const struct cgroup *parent, struct cgroup *leaf)
{
    for (int t = 0; t < CGROUP_TREES; t++)
        if (leaf->dirs[t] >= 0)
            (void)unlinkat(parent->dirs[t], leaf->name, AT_REMOVEDIR);
    cgroup_close(leaf);
}

/* ---- who is in it ------------------------------------------------------------------------ */

void cgroup_kill(const struct cgroup *g)
{
    if (cgroup_holds(g))
        (void)put(g->dirs[CGROUP_V2], "cgroup.kill", "1");
}

static const char *get_events(const struct cgroup *g, char room[FILE_TEXT_SIZE])
{
    ssize_t n = g->events_fd < 0 ? -1 : pread(g->events_fd, room, FILE_TEXT_SIZE - 1, 0);

    if (n <= 0)
        return get(g->dirs[CGROUP_V2], "cgroup.events", room);
    room[n] = '\0';
    return room;
}

bool cgroup_is_empty(const struct cgroup *g)
{
    char room[FILE_TEXT_SIZE];

    return g->dirs[CGROUP_V2] < 0 || !says_populated(get_events(g, room));
}

bool cgroup_is_as_new(const struct cgroup *g)
{
    char room[FILE_TEXT_SIZE];
    const char *events = get_events(g, room);

    return cgroup_field(events, "populated") == 0 && cgroup_field(events, "frozen") <= 0;
}

bool cgroup_await_empty(const struct cgroup *g, usec_t timeout_us)
{
    AUTO_FINI(fd) int fd = -1;
    usec_t until_us = clock_mono_us() + timeout_us;

    if (cgroup_is_empty(g))
        return true;
    fd = openat(g->dirs[CGROUP_V2], "cgroup.events", O_RDONLY | O_CLOEXEC);
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLPRI };
        usec_t left_us;
        char room[64];

        /* Read through this descriptor: a change after it makes poll(2) return. */
        if (fd >= 0)
            (void)!pread(fd, room, sizeof room, 0);
        if (cgroup_is_empty(g))
            return true;
        left_us = until_us - clock_mono_us();
        if (left_us <= 0)
            return false;
        (void)poll(&p, 1, (int)(left_us / USEC_PER_MS) + 1);
    }
}

int cgroup_count(const struct cgroup *g)
{
    char room[FILE_TEXT_SIZE];
    int count = 0;

    if (g->dirs[CGROUP_V2] < 0)
        return 0;
    for (const char *p = get(g->dirs[CGROUP_V2], "cgroup.procs", room); *p != '\0'; p++)
        count += *p == '\n';
    return count;
}

/* Each line of pids, which it spoils. */
static void move_all(char *pids, const struct cgroup *to)
{
    while (*pids != '\0') {
        size_t len = strcspn(pids, "\n");
        char *next = pids + len + (pids[len] != '\0');

        pids[len] = '\0';
        for (int t = 0; t < CGROUP_TREES; t++)
            if (to->dirs[t] >= 0)
                (void)put(to->dirs[t], "cgroup.procs", pids); /* or it has ended */
        pids = next;
    }
}

void cgroup_detach(const struct cgroup *g, const struct cgroup *base)
{
    struct cgroup to;
    char room[FILE_TEXT_SIZE];

    if (g->dirs[CGROUP_V2] < 0)
        return;
    (void)make(base, "detached", ALL_TREES, &to);
    /* Those who are forked meanwhile are found by the next look. */
    for (int round = 0; round < DETACH_ROUNDS && !cgroup_is_empty(g); round++) {
        (void)get(g->dirs[CGROUP_V2], "cgroup.procs", room);
        move_all(room, &to);
    }
    cgroup_close(&to);
}

/* ---- leaves ------------------------------------------------------------------------------ */

static bool limit_memory(const struct cgroup *g, int64_t bytes)
{
    int v2 = g->dirs[CGROUP_V2];
    int v1 = g->dirs[CGROUP_V1_MEMORY];

    if (v1 >= 0) {
        if (put_number(v1, "memory.limit_in_bytes", bytes) < 0)
            return false;
        (void)put_number(v1, "memory.memsw.limit_in_bytes", bytes); /* where swap is counted */
        return true;
    }
    if (v2 < 0 || put_number(v2, "memory.max", bytes) < 0)
        return false;
    (void)put(v2, "memory.swap.max", "0"); /* where there is swap */
    return true;
}

static bool limit_pids(const struct cgroup *g, int64_t count)
{
    int dir = g->dirs[CGROUP_V1_PIDS] >= 0 ? g->dirs[CGROUP_V1_PIDS] : g->dirs[CGROUP_V2];

    return dir >= 0 && put_number(dir, "pids.max", count) == 0;
}

static unsigned set_limits(const struct cgroup *g, const struct limits *l)
{
    unsigned set = 0;

    if (l->values[LIMIT_MEMORY] > 0 && (g->power & CGROUP_MEMORY) &&
        limit_memory(g, l->values[LIMIT_MEMORY]))
        set |= 1u << LIMIT_MEMORY;
    if (l->values[LIMIT_PROCESSES] > 0 && (g->power & CGROUP_PIDS) &&
        limit_pids(g, l->values[LIMIT_PROCESSES]))
        set |= 1u << LIMIT_PROCESSES;
    if (l->values[LIMIT_CPU] > 0 && g->dirs[CGROUP_V2] >= 0)
        set |= 1u << LIMIT_CPU; /* cpu.stat is there without any controller */
    return set;
}

int cgroup_leaf_make(const struct cgroup *parent, unsigned number, const struct limits *limits,
                     struct cgroup *ret_leaf, unsigned *ret_limits, struct errinfo *e)
{
    unsigned trees = 1u << CGROUP_V2;
    char name[CGROUP_NAME_SIZE];

    /* Moving into a group costs more than all the rest: not into one without a purpose. */
    if (limits->values[LIMIT_MEMORY] > 0)
        trees |= 1u << CGROUP_V1_MEMORY;
    if (limits->values[LIMIT_PROCESSES] > 0)
        trees |= 1u << CGROUP_V1_PIDS;
    (void)snprintf(name, sizeof name, "a%u", number);
    errno = make(parent, name, trees, ret_leaf);
    if (errno != 0) {
        int r = err_sys(e, "making the control group %s/%s", parent->name, name);

        cgroup_leaf_remove(parent, ret_leaf);
        return r;
    }
    /* It is read several times in each attempt. */
    if (ret_leaf->dirs[CGROUP_V2] >= 0)
        ret_leaf->events_fd =
            openat(ret_leaf->dirs[CGROUP_V2], "cgroup.events", O_RDONLY | O_CLOEXEC);
    *ret_limits = set_limits(ret_leaf, limits);
    return 0;
}

int cgroup_open_procs(const struct cgroup *g, int ret_fds[CGROUP_TREES], struct errinfo *e)
{
    int r = 0;

    for (int t = 0; t < CGROUP_TREES; t++) {
        ret_fds[t] = -1;
        if (g->dirs[t] < 0)
            continue;
        ret_fds[t] = openat(g->dirs[t], "cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (ret_fds[t] < 0)
            r = err_sys(e, "open cgroup.procs of %s", g->name);
    }
    for (int t = 0; r < 0 && t < CGROUP_TREES; t++)
        fd_fini(&ret_fds[t]);
    return r;
}

/* ---- the group of a worker --------------------------------------------------------------- */

static char *worker_name(int64_t worker_id, char room[CGROUP_NAME_SIZE])
{
    (void)snprintf(room, CGROUP_NAME_SIZE, "w%" PRId64, worker_id);
    return room;
}

/* Whoever cleans up after the dead takes this lock, and so finds the living. */
static bool lock_group(const struct cgroup *g, int operation)
{
    for (int t = 0; t < CGROUP_TREES; t++)
        if (g->dirs[t] >= 0)
            return flock(g->dirs[t], operation) == 0;
    return false;
}

static bool is_linked(const struct cgroup *parent, const struct cgroup *g)
{
    for (int t = 0; t < CGROUP_TREES; t++)
        if (g->dirs[t] >= 0 && faccessat(parent->dirs[t], g->name, F_OK, 0) < 0)
            return false;
    return true;
}

/* Make and lock it, although another jobd may be removing it as a dead one's in between. */
static int make_locked(const struct cgroup *parent, const char *name, int operation,
                       struct cgroup *ret_group)
{
    int err = 0;

    for (int i = 0; i < LOCK_ROUNDS; i++) {
        err = make(parent, name, ALL_TREES, ret_group);
        if (!cgroup_exists(ret_group))
            return err;
        (void)lock_group(ret_group, operation);
        if (is_linked(parent, ret_group))
            return err;
        cgroup_close(ret_group);
    }
    return err != 0 ? err : EBUSY;
}

/* Let leaves have the controllers. */
static void pass_on(const struct cgroup *g)
{
    for (size_t i = 0; i < COUNT_OF(controllers); i++) {
        char text[16];

        (void)snprintf(text, sizeof text, "+%s", controllers[i].name);
        if (g->dirs[CGROUP_V2] >= 0 && (g->power & controllers[i].power))
            (void)put(g->dirs[CGROUP_V2], "cgroup.subtree_control", text);
    }
}

int cgroup_worker_open(const struct cgroup *base, int64_t worker_id, struct cgroup *ret_worker,
                       struct errinfo *e)
{
    char name[CGROUP_NAME_SIZE];

    errno = make_locked(base, worker_name(worker_id, name), LOCK_EX, ret_worker);
    if (errno != 0) {
        int r = err_sys(e, "making the control group %s/%s", base->name, name);

        cgroup_close(ret_worker);
        return r;
    }
    pass_on(ret_worker);
    return 0;
}

/* Remove the groups in a directory whose names begin with a letter of `kinds`. */
static void remove_children(int dir_fd, const char *kinds)
{
    AUTO_FINI(fd) int fd = open_dir(dir_fd, ".");
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!dir)
        return;
    (void)fd_take(&fd);
    while ((entry = readdir(dir)) != NULL) /* NOLINT(concurrency-mt-unsafe): own stream */
        if (entry->d_type == DT_DIR && strchr(kinds, entry->d_name[0]) &&
            entry->d_name[0] != '.')
            (void)unlinkat(dir_fd, entry->d_name, AT_REMOVEDIR);
    (void)closedir(dir);
}

/* Nobody is alive in it afterwards, and it is gone. */
static void clear_group(const struct cgroup *parent, struct cgroup *g)
{
    while (cgroup_holds(g) && !cgroup_is_empty(g)) {
        cgroup_kill(g);
        if (!cgroup_await_empty(g, KILL_WAIT_US))
            log_warn("cgroup.still_populated", LSTR("group", g->name),
                     LI64("processes", cgroup_count(g)));
    }
    for (int t = 0; t < CGROUP_TREES; t++)
        if (g->dirs[t] >= 0)
            remove_children(g->dirs[t], "ap");
    remove_dirs(parent, g->name);
}

static void open_existing(const struct cgroup *parent, const char *name,
                          struct cgroup *ret_group)
{
    cgroup_none(ret_group);
    ret_group->power = parent->power;
    (void)text_copy(ret_group->name, sizeof ret_group->name, name);
    for (int t = 0; t < CGROUP_TREES; t++)
        if (parent->dirs[t] >= 0)
            ret_group->dirs[t] = open_dir(parent->dirs[t], name);
}

static void clear_worker(const struct cgroup *base, const char *name)
{
    struct cgroup g;

    open_existing(base, name, &g);
    if (cgroup_exists(&g) && lock_group(&g, LOCK_EX | LOCK_NB))
        clear_group(base, &g);
    cgroup_close(&g);
}

void cgroup_worker_clear(const struct cgroup *base, int64_t worker_id)
{
    char name[CGROUP_NAME_SIZE];

    if (cgroup_exists(base))
        clear_worker(base, worker_name(worker_id, name));
}

/* ---- the base ---------------------------------------------------------------------------- */

/* Where the kernel allows no process beside a group that has controllers, go into one of our
 * own. */
static bool move_to_main(struct cgroup_base *b)
{
    struct cgroup main_group;
    bool moved = false;

    if (b->moved || make(&b->group, "main", 1u << CGROUP_V2, &main_group) != 0)
        return false;
    moved = put(main_group.dirs[CGROUP_V2], "cgroup.procs", "0") == 0;
    cgroup_close(&main_group);
    b->moved = moved;
    return moved;
}

static void move_back(struct cgroup_base *b)
{
    if (!b->moved)
        return;
    (void)put(b->own.dirs[CGROUP_V2], "cgroup.procs", "0");
    (void)unlinkat(b->group.dirs[CGROUP_V2], "main", AT_REMOVEDIR);
    b->moved = false;
}

static bool enable(struct cgroup_base *b, const char *controller)
{
    int own = b->own.dirs[CGROUP_V2];
    char text[FILE_TEXT_SIZE];
    int r;

    if (!has_word(get(own, "cgroup.controllers", text), controller))
        return false;
    (void)snprintf(text, sizeof text, "+%s", controller);
    r = put(own, "cgroup.subtree_control", text);
    if (r == -EBUSY && move_to_main(b))
        r = put(own, "cgroup.subtree_control", text);
    return r == 0 && put(b->group.dirs[CGROUP_V2], "cgroup.subtree_control", text) == 0;
}

/* A child that does nothing until it is killed. */
static pid_t start_patient(void)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent)
        (void)pause();
    _exit(0);
}

/* Whether a process can be put in, is seen there, and is killed with the group. */
static unsigned try_to_kill(const struct cgroup *leaf)
{
    int dir = leaf->dirs[CGROUP_V2];
    pid_t pid = dir < 0 ? -1 : start_patient();
    unsigned power = 0;
    int status = 0;

    if (pid < 0)
        return 0;
    if (put_number(dir, "cgroup.procs", pid) == 0 && is_populated(dir))
        power |= CGROUP_EVENTS;
    if ((power & CGROUP_EVENTS) && put(dir, "cgroup.kill", "1") == 0)
        power |= CGROUP_KILL;
    else
        (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    if (!cgroup_await_empty(leaf, PROBE_WAIT_US))
        power = 0;
    return power;
}

static unsigned try_limits(const struct cgroup *leaf)
{
    unsigned power = 0;
    int v2 = leaf->dirs[CGROUP_V2];

    if (limit_memory(leaf, INT64_C(1) << 30))
        power |= CGROUP_MEMORY;
    if (limit_pids(leaf, 64))
        power |= CGROUP_PIDS;
    if (v2 >= 0 && put(v2, "cpu.max", "50000 100000") == 0)
        power |= CGROUP_CPU;
    return power;
}

static void try_out(struct cgroup *base)
{
    struct cgroup leaf;

    if (make(base, "probe", ALL_TREES, &leaf) == 0)
        base->power = try_to_kill(&leaf) | try_limits(&leaf);
    cgroup_leaf_remove(base, &leaf);
}

bool cgroup_can_clone_into(const struct cgroup *base)
{
    struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
    struct cgroup leaf;
    long pid = -1;
    int status = 0;

    if (base->dirs[CGROUP_V2] < 0)
        return false;
    if (make(base, "probe", 1u << CGROUP_V2, &leaf) == 0) {
        args.cgroup = (unsigned)leaf.dirs[CGROUP_V2];
        pid = syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
            _exit(0);
        if (pid > 0)
            (void)waitpid((pid_t)pid, &status, 0);
    }
    cgroup_leaf_remove(base, &leaf);
    return pid > 0 && WIFEXITED(status); /* else it was killed as it was born: see spawn.c */
}

int cgroup_base_open(struct cgroup_base *ret_base, struct errinfo *e)
{
    struct cgroup_base *b = ret_base;
    char name[CGROUP_NAME_SIZE];
    int err, r;

    cgroup_none(&b->group);
    cgroup_none(&b->own);
    b->moved = false;
    r = cgroup_find_own(b->own.dirs, e);
    if (r < 0)
        return r;
    (void)snprintf(name, sizeof name, "jobd-%d", (int)getpid());
    /* After an exec(2) of ours our workers have the lock already. */
    err = make_locked(&b->own, name, LOCK_EX | LOCK_NB, &b->group);
    if (!cgroup_exists(&b->group)) {
        errno = err;
        r = err_sys(e, "making the control group %s", name);
        cgroup_base_close(b);
        return r;
    }
    for (size_t i = 0; b->group.dirs[CGROUP_V2] >= 0 && i < COUNT_OF(controllers); i++)
        if (enable(b, controllers[i].name))
            b->group.power |= controllers[i].power;
    if (b->moved && b->group.power == 0)
        move_back(b);
    try_out(&b->group);
    if (b->group.power != 0)
        return 0;
    cgroup_base_remove(b);
    return err_set(e, ERR_SYS, "processes cannot be put into the control group %s", name);
}

void cgroup_base_close(struct cgroup_base *b)
{
    cgroup_close(&b->group);
    cgroup_close(&b->own);
}

void cgroup_base_remove(struct cgroup_base *b)
{
    for (size_t i = 0; b->moved && i < COUNT_OF(controllers); i++) {
        char text[16];

        (void)snprintf(text, sizeof text, "-%s", controllers[i].name);
        (void)put(b->group.dirs[CGROUP_V2], "cgroup.subtree_control", text);
        (void)put(b->own.dirs[CGROUP_V2], "cgroup.subtree_control", text);
    }
    move_back(b);
    for (int t = 0; t < CGROUP_TREES; t++)
        if (b->group.dirs[t] >= 0)
            remove_children(b->group.dirs[t], "dmpw");
    if (cgroup_exists(&b->group))
        remove_dirs(&b->own, b->group.name);
    cgroup_base_close(b);
}

/* Call fn for each jobd-<pid> of our own group but our base, or each w<id> of a base. */
static void each_child(const struct cgroup *parent, const char *prefix, const char *except,
                       void (*fn)(const struct cgroup *parent, const char *name))
{
    for (int t = 0; t < CGROUP_TREES; t++) {
        AUTO_FINI(fd) int fd = parent->dirs[t] < 0 ? -1 : open_dir(parent->dirs[t], ".");
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;

        if (!dir)
            continue;
        (void)fd_take(&fd);
        while ((entry = readdir(dir)) != NULL) /* NOLINT(concurrency-mt-unsafe): own stream */
            if (entry->d_type == DT_DIR && text_starts(entry->d_name, prefix, NULL) &&
                strlen(entry->d_name) < CGROUP_NAME_SIZE && strcmp(entry->d_name, except) != 0)
                fn(parent, entry->d_name);
        (void)closedir(dir);
    }
}

static void clean_base(const struct cgroup *own, const char *name)
{
    struct cgroup base;

    open_existing(own, name, &base);
    base.power = CGROUP_KILL | CGROUP_EVENTS;
    each_child(&base, "w", "", clear_worker);
    if (lock_group(&base, LOCK_EX | LOCK_NB)) {
        for (int t = 0; t < CGROUP_TREES; t++)
            if (base.dirs[t] >= 0)
                remove_children(base.dirs[t], "dmp");
        remove_dirs(own, name);
    }
    cgroup_close(&base);
}

void cgroup_base_clean(const struct cgroup_base *b)
{
    if (!cgroup_exists(&b->group))
        return;
    each_child(&b->group, "w", "", clear_worker); /* of a process that had our number */
    each_child(&b->own, "jobd-", b->group.name, clean_base);
}
