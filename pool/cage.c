#include "pool/cage.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "pool/tree.h"

#define KILL_WAIT_US   USEC_PER_SEC
#define SAME_MOMENT_US ((usec_t)100)

static unsigned bit(enum limit limit)
{
    return 1u << limit;
}

/* ---- making it --------------------------------------------------------------------------- */

static void leaf_none(struct cage_leaf *leaf)
{
    cgroup_none(&leaf->group);
    cgroup_meter_none(&leaf->meter);
    for (int t = 0; t < CGROUP_TREES; t++)
        leaf->procs[t] = -1;
    leaf->has_procs = false;
    leaf->limits = 0;
}

static void leaf_remove(const struct cage_host *host, struct cage_leaf *leaf)
{
    cgroup_meter_close(&leaf->meter);
    for (int t = 0; t < CGROUP_TREES; t++)
        fd_fini(&leaf->procs[t]);
    leaf->has_procs = false;
    cgroup_leaf_remove(host->worker, &leaf->group);
}

/* Whether a group would have to keep anything for them. */
static bool want_group_limits(const struct limits *l)
{
    return l->values[LIMIT_MEMORY] > 0 || l->values[LIMIT_PROCESSES] > 0 ||
           l->values[LIMIT_CPU] > 0;
}

static void make_leaf(struct cage *c)
{
    static unsigned last_number; /* of this process */
    struct cage_host *host = c->host;
    struct errinfo e;

    if (!host->worker || !cgroup_exists(host->worker))
        return;
    if (host->has_spare && !want_group_limits(&c->limits)) {
        c->leaf = host->spare;
        host->has_spare = false;
    } else if (cgroup_leaf_make(host->worker, ++last_number, &c->limits, &c->leaf.group,
                                &c->leaf.limits, &e) < 0) {
        log_warn("cgroup.no_leaf", LSTR("reason", e.text)); /* the subreaper holds them */
        leaf_none(&c->leaf);
        return;
    } else {
        cgroup_meter_open(&c->leaf.meter, &c->leaf.group);
    }
    c->by_cgroup = c->leaf.limits;
    c->has_leaf = true;
}

void cage_open(struct cage *c, struct cage_host *host, const struct limits *limits)
{
    static struct cage_host nothing;

    *c = (struct cage){ .host = host ? host : &nothing, .limits = *limits };
    leaf_none(&c->leaf);
    make_leaf(c);
    cage_mark(c);
}

/* Making and removing a group costs more than the rest of a short attempt. In one that was
 * killed once, recent kernels kill also who is born there later; and one that was frozen, which
 * a job may have the right to, stays so. */
static bool can_be_kept(const struct cage *c)
{
    return !c->host->has_spare && !c->leaf.killed && c->leaf.limits == 0 &&
           !want_group_limits(&c->limits) && cgroup_holds(&c->leaf.group) &&
           cgroup_is_as_new(&c->leaf.group);
}

static void leaf_drop(struct cage *c)
{
    leaf_remove(c->host, &c->leaf);
    leaf_none(&c->leaf);
    c->has_leaf = false;
    c->by_cgroup = 0;
}

void cage_close(struct cage *c)
{
    if (!c->has_leaf)
        return;
    if (!can_be_kept(c)) {
        leaf_drop(c);
        return;
    }
    c->host->spare = c->leaf;
    c->host->has_spare = true;
    c->has_leaf = false;
}

void cage_host_close(struct cage_host *host)
{
    if (host->has_spare)
        leaf_remove(host, &host->spare);
    host->has_spare = false;
}

/* ---- limits of each process -------------------------------------------------------------- */

/* Never above what we may ask for: the tighter limit holds anyway. */
static void add_rlimit(struct spawn_conf *sc, int resource, int64_t soft, int64_t hard)
{
    struct spawn_rlimit *r = &sc->rlimits[sc->rlimit_count];
    struct rlimit ours;

    if (getrlimit((__rlimit_resource_t)resource, &ours) < 0)
        return;
    r->resource = resource;
    r->limit.rlim_max = (rlim_t)hard < ours.rlim_max ? (rlim_t)hard : ours.rlim_max;
    r->limit.rlim_cur = (rlim_t)soft < r->limit.rlim_max ? (rlim_t)soft : r->limit.rlim_max;
    sc->rlimit_count++;
}

/* The kernel counts all threads of the user, on the whole machine, and nobody's for root. */
static bool limit_user(struct spawn_conf *sc, int64_t processes)
{
    int64_t most;

    if (geteuid() == 0)
        return false;
    most = tree_user_threads(getuid()) + processes;
    add_rlimit(sc, RLIMIT_NPROC, most, most);
    return true;
}

static void add_limits(struct cage *c, struct spawn_conf *sc)
{
    const int64_t *values = c->limits.values;
    int64_t cpu_seconds = (values[LIMIT_CPU] + USEC_PER_SEC - 1) / USEC_PER_SEC;

    c->enforced = c->by_cgroup;
    if (values[LIMIT_CPU] > 0) {
        /* SIGXCPU, and SIGKILL a second later */
        add_rlimit(sc, RLIMIT_CPU, cpu_seconds, cpu_seconds + 1);
        c->enforced |= bit(LIMIT_CPU);
    }
    if (values[LIMIT_MEMORY] > 0 && !(c->by_cgroup & bit(LIMIT_MEMORY))) {
        add_rlimit(sc, RLIMIT_AS, values[LIMIT_MEMORY], values[LIMIT_MEMORY]);
        c->enforced |= bit(LIMIT_MEMORY);
    }
    if (values[LIMIT_PROCESSES] > 0 && !(c->by_cgroup & bit(LIMIT_PROCESSES)) &&
        limit_user(sc, values[LIMIT_PROCESSES]))
        c->enforced |= bit(LIMIT_PROCESSES);
    if (values[LIMIT_OPEN_FILES] > 0) {
        add_rlimit(sc, RLIMIT_NOFILE, values[LIMIT_OPEN_FILES], values[LIMIT_OPEN_FILES]);
        c->enforced |= bit(LIMIT_OPEN_FILES);
    }
    if (values[LIMIT_FILE_SIZE] > 0) {
        add_rlimit(sc, RLIMIT_FSIZE, values[LIMIT_FILE_SIZE], values[LIMIT_FILE_SIZE]);
        c->enforced |= bit(LIMIT_FILE_SIZE);
    }
    if (values[LIMIT_OUTPUT] > 0)
        c->enforced |= bit(LIMIT_OUTPUT); /* pool/attempt.c counts */
}

static int add_groups(struct cage *c, struct spawn_conf *sc, struct errinfo *e)
{
    struct cage_leaf *leaf = &c->leaf;
    int r;

    _Static_assert(CGROUP_TREES <= SPAWN_GROUPS_MAX, "SPAWN_GROUPS_MAX is too small");
    if (!c->has_leaf)
        return 0;
    if (!leaf->has_procs) {
        r = cgroup_open_procs(&leaf->group, leaf->procs, e);
        if (r < 0)
            return r;
        leaf->has_procs = true; /* as long as there is the leaf */
    }
    for (int t = 0; t < CGROUP_TREES; t++)
        if (leaf->procs[t] >= 0)
            sc->groups[sc->group_count++] = leaf->procs[t];
    sc->born_in_group = leaf->procs[CGROUP_V2] >= 0; /* the first of the trees */
    sc->group_dir = leaf->group.dirs[CGROUP_V2];
    sc->was_moved = &leaf->killed; /* by somebody else */
    return 0;
}

static int spawn_in(struct cage *c, struct spawn_conf *sc, pid_t *ret_pid,
                    const char **ret_stage, struct errinfo *e)
{
    int r;

    *ret_stage = "cgroup";
    r = add_groups(c, sc, e);
    if (r < 0)
        return r;
    add_limits(c, sc);
    return spawn(sc, ret_pid, ret_stage, e);
}

/* Somebody may have removed the group while nobody was in it. */
static bool leaf_is_gone(const struct cage *c, const char *stage)
{
    return c->has_leaf && strcmp(stage, "cgroup") == 0 && !cgroup_is_as_new(&c->leaf.group);
}

int cage_spawn(struct cage *c, struct spawn_conf *sc, pid_t *ret_pid, const char **ret_stage,
               struct errinfo *e)
{
    struct spawn_conf again;
    int r;

    sc->signals_are_default = c->host->signals_are_default;
    sc->no_new_privs = c->host->no_new_privs;
    again = *sc;
    r = spawn_in(c, sc, ret_pid, ret_stage, e);
    if (r < 0 && leaf_is_gone(c, *ret_stage)) {
        leaf_drop(c);
        make_leaf(c);
        cage_mark(c);
        r = spawn_in(c, &again, ret_pid, ret_stage, e);
    }
    if (r == 0)
        detached_forget(c->host->detached, *ret_pid); /* it leads a session of this number */
    return r;
}

/* ---- who is in it ------------------------------------------------------------------------ */

typedef bool spare_fn(void *ctx, pid_t pid);

static bool has_other(const struct cage *c)
{
    return c->other && c->other->pid != 0;
}

static bool spares(void *ctx, pid_t pid)
{
    const struct cage *c = ctx;

    return (has_other(c) && kin_has(c->other, pid)) || detached_spares(c->host->detached, pid);
}

/* Without anybody to spare the end of a sweep is the kernel's ECHILD, which is cheaper. */
static spare_fn *spare_of(const struct cage *c)
{
    return has_other(c) || detached_any(c->host->detached) ? spares : NULL;
}

/* For spares(), which does not change it. */
static void *spare_ctx(const struct cage *c)
{
    return (void *)(uintptr_t)c;
}

void cage_signal(const struct cage *c, int signal_number)
{
    (void)tree_signal(signal_number, spare_of(c), spare_ctx(c));
}

static void kill_leaf(struct cage *c)
{
    cgroup_kill(&c->leaf.group);
    c->leaf.killed = true;
}

void cage_kill(struct cage *c)
{
    if (c->has_leaf)
        kill_leaf(c);
    cage_signal(c, SIGKILL);
}

bool cage_is_empty(const struct cage *c)
{
    return tree_each(spare_of(c), spare_ctx(c), NULL, NULL) == 0;
}

/* Who was in the leaf but is no descendant of ours, or was forked after the sweep. */
static int sweep_leaf(struct cage *c)
{
    int killed = 0;

    while (c->has_leaf && cgroup_holds(&c->leaf.group) && !cgroup_is_empty(&c->leaf.group)) {
        killed += cgroup_count(&c->leaf.group);
        kill_leaf(c);
        if (!cgroup_await_empty(&c->leaf.group, KILL_WAIT_US))
            log_warn("cgroup.still_populated", LSTR("group", c->leaf.group.name),
                     LI64("processes", cgroup_count(&c->leaf.group)));
    }
    return killed;
}

int cage_sweep(struct cage *c, bool none_left)
{
    int killed = 0;

    if (!none_left)
        killed = tree_sweep(spare_of(c), spare_ctx(c));
    if (c->has_leaf && !cgroup_is_empty(&c->leaf.group)) {
        killed += sweep_leaf(c);
        killed += tree_sweep(spare_of(c), spare_ctx(c));
    }
    return killed;
}

/* ---- letting go -------------------------------------------------------------------------- */

struct release {
    struct detached *detached;
    int count;
};

static void release_one(void *ctx, const struct tree_process *p)
{
    struct release *r = ctx;

    if (detached_add(r->detached, p))
        r->count++;
}

int cage_detach(struct cage *c)
{
    struct release r = { .detached = c->host->detached };
    int before;

    if (!r.detached)
        return 0;
    /* Again until nobody is found who was forked meanwhile. */
    do {
        before = r.count;
        (void)tree_each(detached_spares, r.detached, release_one, &r);
    } while (r.count > before);
    if (c->has_leaf && c->host->base)
        cgroup_detach(&c->leaf.group, c->host->base);
    return r.count;
}

/* ---- what it costs ----------------------------------------------------------------------- */

static usec_t usec_of(struct timeval t)
{
    return (usec_t)t.tv_sec * USEC_PER_SEC + t.tv_usec;
}

static void take_reading(const struct cage *c, struct cage_reading *ret_reading)
{
    (void)getrusage(RUSAGE_CHILDREN, &ret_reading->children); /* cannot fail */
    cgroup_meter_read(&c->leaf.meter, &ret_reading->leaf);
    ret_reading->at_us = clock_mono_us();
}

/* One job after another: the end of the first is the beginning of the next. */
void cage_mark(struct cage *c)
{
    if (c->last.at_us != 0 && clock_mono_us() - c->last.at_us <= SAME_MOMENT_US)
        c->before = c->last;
    else
        take_reading(c, &c->before);
}

usec_t cage_cpu_us(const struct cage *c)
{
    const struct cgroup_usage *before = &c->before.leaf;
    struct cgroup_usage now;

    cgroup_meter_read(&c->leaf.meter, &now);
    if (now.user_us < 0 || now.system_us < 0)
        return -1;
    return now.user_us + now.system_us - before->user_us - before->system_us;
}

void cage_cost(struct cage *c, struct cage_cost *ret_cost)
{
    const struct rusage *now = &c->last.children;
    const struct rusage *before = &c->before.children;
    const struct cgroup_usage *leaf = &c->last.leaf;
    const struct cgroup_usage *leaf_before = &c->before.leaf;

    take_reading(c, &c->last);
    *ret_cost = (struct cage_cost){
        .user_us = usec_of(now->ru_utime) - usec_of(before->ru_utime),
        .system_us = usec_of(now->ru_stime) - usec_of(before->ru_stime),
        .voluntary_switches = now->ru_nvcsw - before->ru_nvcsw,
        .involuntary_switches = now->ru_nivcsw - before->ru_nivcsw,
        .oom_kills = leaf->oom_kills - leaf_before->oom_kills,
        .forks_refused = leaf->pids_refused - leaf_before->pids_refused,
    };
    if (now->ru_maxrss > before->ru_maxrss)
        ret_cost->max_rss_bytes = (int64_t)now->ru_maxrss * 1024;
    /* The group also knows of those that nobody has waited for. */
    if (leaf->user_us >= 0 && leaf->system_us >= 0) {
        ret_cost->user_us = leaf->user_us - leaf_before->user_us;
        ret_cost->system_us = leaf->system_us - leaf_before->system_us;
    }
}

void cage_report(const struct cage *c, const struct cage_cost *cost, struct outcome *o)
{
    o->containment = c->has_leaf && cgroup_holds(&c->leaf.group) ? CONTAINMENT_CGROUP
                                                                 : CONTAINMENT_SUBREAPER;
    o->limits_enforced = c->enforced;
    o->limits_by_cgroup = c->by_cgroup;
    o->user_cpu_us = cost->user_us;
    o->system_cpu_us = cost->system_us;
    if (cost->max_rss_bytes > o->max_rss_bytes)
        o->max_rss_bytes = cost->max_rss_bytes;
    o->voluntary_switches = cost->voluntary_switches;
    o->involuntary_switches = cost->involuntary_switches;
}
