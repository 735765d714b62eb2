/* pool/cgroup_meter.h - what a control group has used: its files kept open, as they are read
 * for every attempt. One thread.
 */
#ifndef JOBD_POOL_CGROUP_METER_H
#define JOBD_POOL_CGROUP_METER_H

#include <stdint.h>

#include "base/clock.h"
#include "pool/cgroup.h"

struct cgroup_usage {
    usec_t user_us; /* CPU; -1: not known */
    usec_t system_us;
    int64_t oom_kills;    /* processes killed for the group's memory limit */
    int64_t pids_refused; /* forks refused for its limit of processes */
};

/* Descriptors; -1: the group does not say it. */
struct cgroup_meter {
    int cpu_fd;
    int oom_fd;
    int pids_fd;
};

/* A meter that knows nothing. */
void cgroup_meter_none(struct cgroup_meter *m);
/* Of a group, which may be one that is not there. */
void cgroup_meter_open(struct cgroup_meter *m, const struct cgroup *g);
void cgroup_meter_read(const struct cgroup_meter *m, struct cgroup_usage *ret_usage);
void cgroup_meter_close(struct cgroup_meter *m);

#endif
