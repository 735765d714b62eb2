/* pool/cgroup.h - control groups: processes that the kernel holds together, whatever they do.
 *
 *   <our own group>/jobd-<pid>/  the base: made by the supervisor
 *       main/                    jobd itself, where the kernel wants it out of the way
 *       detached/                processes that jobs asked to leave alone
 *       w<worker_id>/            of a worker, which holds a flock on it while it lives
 *           a<n>/                of one attempt, or of one process of a warm program
 *
 * The same directories are made in up to three trees: version 2, and on hosts that still have
 * their controllers in version 1, the trees of `memory` and `pids`. What may be done is found
 * out by doing it. Every function accepts a group that is not there and then does nothing. No
 * function but cgroup_base_open() allocates. One thread for each group.
 * Source: cgroups(7), Documentation/admin-guide/cgroup-v2.rst of the kernel.
 */
#ifndef JOBD_POOL_CGROUP_H
#define JOBD_POOL_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"
#include "domain/limits.h"

enum cgroup_tree { CGROUP_V2, CGROUP_V1_MEMORY, CGROUP_V1_PIDS, CGROUP_TREES };

enum cgroup_power {
    CGROUP_KILL = 1 << 0,   /* cgroup.kill ends all of them at once */
    CGROUP_EVENTS = 1 << 1, /* cgroup.events says whether somebody is left */
    CGROUP_MEMORY = 1 << 2, /* memory of the group can be limited */
    CGROUP_PIDS = 1 << 3,   /* the number of its processes can */
    CGROUP_CPU = 1 << 4,    /* its share of the CPUs can */
};

#define CGROUP_NAME_SIZE 32

struct cgroup {
    int dirs[CGROUP_TREES]; /* descriptors; -1: not in this tree */
    int events_fd;          /* of a leaf: its cgroup.events; -1: opened when it is read */
    unsigned power;         /* enum cgroup_power */
    char name[CGROUP_NAME_SIZE];
};

struct cgroup_base {
    struct cgroup group;
    struct cgroup own; /* where we were started */
    bool moved;        /* we are in group/main */
};

/* A group that is not there. */
void cgroup_none(struct cgroup *g);
bool cgroup_exists(const struct cgroup *g);
/* Whether all of its processes can be killed, and known to be gone. */
bool cgroup_holds(const struct cgroup *g);
/* Let go of the descriptors; the group stays. */
void cgroup_close(struct cgroup *g);

/* Make the base below the group of this process. Forks a child to try it out. On failure
 * *ret_base is a base that is not there. ERR_NOT_FOUND: there is no tree; ERR_SYS: none that
 * can be written. */
int cgroup_base_open(struct cgroup_base *ret_base, struct errinfo *e);
void cgroup_base_close(struct cgroup_base *b);
/* Move back to where we were and remove what nobody is in. */
void cgroup_base_remove(struct cgroup_base *b);
/* Whether a process can be started in a group (CLONE_INTO_CGROUP). jobd does not rely on it. */
bool cgroup_can_clone_into(const struct cgroup *base);
/* Kill and remove what dead workers of any jobd left in our own group. */
void cgroup_base_clean(const struct cgroup_base *b);

/* The group of a worker, locked for as long as it is open in a living process. */
int cgroup_worker_open(const struct cgroup *base, int64_t worker_id, struct cgroup *ret_worker,
                       struct errinfo *e);
/* Kill what is in the group of a worker that has ended, wait until all are gone, remove it. */
void cgroup_worker_clear(const struct cgroup *base, int64_t worker_id);

/* A new group in `parent` with the limits that it can keep; *ret_limits says which
 * (bit 1 << limit). */
int cgroup_leaf_make(const struct cgroup *parent, unsigned number, const struct limits *limits,
                     struct cgroup *ret_leaf, unsigned *ret_limits, struct errinfo *e);
/* Descriptors to write "0" to, by whom is to be in it; -1 for trees that it is not in. */
int cgroup_open_procs(const struct cgroup *g, int ret_fds[CGROUP_TREES], struct errinfo *e);

/* SIGKILL to everybody in it. */
void cgroup_kill(const struct cgroup *g);
/* Whether nobody is in it, as far as this can be known. */
bool cgroup_is_empty(const struct cgroup *g);
/* Whether it is there, nobody is in it, and it is not frozen. */
bool cgroup_is_as_new(const struct cgroup *g);
/* How many processes are in it. */
int cgroup_count(const struct cgroup *g);
/* Wait until it is empty or the time is over; false when somebody is left. */
bool cgroup_await_empty(const struct cgroup *g, usec_t timeout_us);
/* Move everybody into base/detached. */
void cgroup_detach(const struct cgroup *g, const struct cgroup *base);
/* Remove an empty group, and close it. */
void cgroup_leaf_remove(const struct cgroup *parent, struct cgroup *leaf);

/* Of the text of a group's file the number behind a key at the start of a line; -1: there is
 * none. */
int64_t cgroup_field(const char *text, const char *key);

#endif
