/* pool/cage.h - what holds the processes of one program together, limits and measures them.
 *
 * Always: this process is a subreaper, so every descendant is found (pool/tree.h), and resource
 * limits of each process. Where the worker has a control group (pool/cgroup.h) also a leaf of
 * it: what is in there is killed at once, known to be gone, limited and measured as a whole.
 * Every descendant of this process belongs to its one cage, or to one of two (pool/kin.h). One
 * thread.
 */
#ifndef JOBD_POOL_CAGE_H
#define JOBD_POOL_CAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "domain/limits.h"
#include "domain/outcome.h"
#include "pool/cgroup.h"
#include "pool/cgroup_meter.h"
#include "pool/detached.h"
#include "pool/kin.h"
#include "pool/spawn.h"

/* A control group for one program at a time, and what it has used. */
struct cage_leaf {
    struct cgroup group;
    struct cgroup_meter meter;
    int procs[CGROUP_TREES]; /* who writes "0" there is in it; -1: not open */
    bool has_procs;          /* they are, as far as it is in these trees */
    unsigned limits;         /* bit 1 << limit: those that it keeps */
    bool killed;             /* all that was in it, once */
};

/* Of a worker; zero (with groups that are NULL) is fine. */
struct cage_host {
    const struct cgroup *base;   /* NULL: none */
    const struct cgroup *worker; /* NULL: no control groups */
    struct detached *detached;   /* NULL: nobody can be detached */
    bool no_new_privs;
    bool signals_are_default; /* in this process, all of them */
    struct cage_leaf spare;   /* an empty one without limits, for the next cage */
    bool has_spare;
};

/* What has been used up to a moment. */
struct cage_reading {
    struct rusage children;
    struct cgroup_usage leaf;
    usec_t at_us; /* monotonic; 0: not read */
};

struct cage {
    struct cage_host *host;
    struct cage_leaf leaf;
    bool has_leaf;
    unsigned enforced;  /* bit 1 << limit */
    unsigned by_cgroup; /* of these */
    struct cage_reading before;
    struct cage_reading last;
    struct limits limits;
    /* Set by whoever has two cages in a process: who is in the other one (borrowed). NULL, or
     * one without a pid: there is no other. */
    const struct kin *other;
};

/* What its processes have used since cage_open() or cage_mark(). */
struct cage_cost {
    usec_t user_us;
    usec_t system_us;
    int64_t max_rss_bytes; /* of the largest process that was reaped */
    int64_t voluntary_switches;
    int64_t involuntary_switches;
    int64_t oom_kills;
    int64_t forks_refused;
};

/* Make it ready for a program with these limits. */
void cage_open(struct cage *c, struct cage_host *host, const struct limits *limits);
/* Start a program in it: spawn() with the groups and limits of the cage added to sc. */
int cage_spawn(struct cage *c, struct spawn_conf *sc, pid_t *ret_pid, const char **ret_stage,
               struct errinfo *e);

/* Send it to every process in the cage, as tree_signal() does. */
void cage_signal(const struct cage *c, int signal_number);
/* SIGKILL to all at once. */
void cage_kill(struct cage *c);
/* Whether nobody is left in it, dead or alive. */
bool cage_is_empty(const struct cage *c);
/* Let go of those who are in it: they live on. Returns how many they are. */
int cage_detach(struct cage *c);
/* Kill and reap until the kernel says that nobody is left; returns how many were killed.
 * none_left: waitpid() has just said ECHILD. */
int cage_sweep(struct cage *c, bool none_left);

/* CPU time of all of them up to now, dead or alive; -1: not known before they are reaped. */
usec_t cage_cpu_us(const struct cage *c);
/* From now on cage_cost() counts: from the last cage_cost() on, when that was just before. */
void cage_mark(struct cage *c);
void cage_cost(struct cage *c, struct cage_cost *ret_cost);
/* What held it, what limited it and, of the cost, what it was. */
void cage_report(const struct cage *c, const struct cage_cost *cost, struct outcome *o);

/* It is empty: remove it, or keep its group for the next one. A cage that was never opened
 * (zero) is fine. */
void cage_close(struct cage *c);
/* No cage is open any more: remove the group that was kept. */
void cage_host_close(struct cage_host *host);

#endif
