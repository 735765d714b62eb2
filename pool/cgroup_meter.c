#include "pool/cgroup_meter.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

#define FILE_TEXT_SIZE 1024 /* the keys that are asked for come early */

void cgroup_meter_none(struct cgroup_meter *m)
{
    *m = (struct cgroup_meter){ -1, -1, -1 };
}

static int open_file(int dir, const char *name)
{
    return openat(dir, name, O_RDONLY | O_CLOEXEC);
}

void cgroup_meter_open(struct cgroup_meter *m, const struct cgroup *g)
{
    int v2 = g->dirs[CGROUP_V2];
    int v1_memory = g->dirs[CGROUP_V1_MEMORY];
    int v1_pids = g->dirs[CGROUP_V1_PIDS];

    cgroup_meter_none(m);
    if (v2 >= 0)
        m->cpu_fd = open_file(v2, "cpu.stat");
    if (v1_memory >= 0)
        m->oom_fd = open_file(v1_memory, "memory.oom_control");
    else if (v2 >= 0 && (g->power & CGROUP_MEMORY))
        m->oom_fd = open_file(v2, "memory.events");
    if (v1_pids >= 0)
        m->pids_fd = open_file(v1_pids, "pids.events");
    else if (v2 >= 0 && (g->power & CGROUP_PIDS))
        m->pids_fd = open_file(v2, "pids.events");
}

/* The text of a file, "" when there is none. */
static const char *get(int fd, char room[FILE_TEXT_SIZE])
{
    ssize_t n = fd < 0 ? -1 : pread(fd, room, FILE_TEXT_SIZE - 1, 0);

    room[n > 0 ? n : 0] = '\0';
    return room;
}

void cgroup_meter_read(const struct cgroup_meter *m, struct cgroup_usage *ret_usage)
{
    char room[FILE_TEXT_SIZE];
    const char *text = get(m->cpu_fd, room);

    *ret_usage = (struct cgroup_usage){
        .user_us = cgroup_field(text, "user_usec"),
        .system_us = cgroup_field(text, "system_usec"),
    };
    if (m->oom_fd >= 0)
        ret_usage->oom_kills = cgroup_field(get(m->oom_fd, room), "oom_kill");
    if (m->pids_fd >= 0)
        ret_usage->pids_refused = cgroup_field(get(m->pids_fd, room), "max");
}

void cgroup_meter_close(struct cgroup_meter *m)
{
    fd_fini(&m->cpu_fd);
    fd_fini(&m->oom_fd);
    fd_fini(&m->pids_fd);
}
