#include "pool/wear.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"

#define SPREAD_PER_MILLE 100
#define STATM_MAX_BYTES  512

/* value +-10 %, evenly. */
static int64_t spread(int64_t value, uint64_t chance)
{
    int64_t reach = value / 1000 * SPREAD_PER_MILLE + value % 1000 * SPREAD_PER_MILLE / 1000;

    return value - reach + (int64_t)(chance % (uint64_t)(2 * reach + 1));
}

void wear_init(struct wear *w, const struct function *fn, uint64_t chance)
{
    *w = (struct wear){
        .max_jobs = (unsigned)spread(fn->max_jobs, chance),
        .max_age_us = spread(fn->max_age_us, chance),
        .max_rss_bytes = fn->max_rss_bytes,
    };
}

/* The second field of /proc/<pid>/statm: resident pages (proc(5)). */
static int64_t read_rss(pid_t pid)
{
    AUTO_FINI(buf) struct buf text = { 0 };
    char path[32];
    char *resident;

    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    if (fd_read_file(path, STATM_MAX_BYTES, &text, NULL) < 0 || text.len == 0)
        return 0; /* it has just ended */
    (void)strtoll(text.data, &resident, 10);
    return strtoll(resident, NULL, 10) * sysconf(_SC_PAGESIZE);
}

void wear_look(struct wear *w, pid_t pid, usec_t now_us)
{
    if (w->max_rss_bytes == 0 && w->rss_seen_us != 0 && now_us - w->rss_seen_us < USEC_PER_SEC)
        return;
    w->rss_bytes = read_rss(pid);
    w->rss_seen_us = now_us;
}

const char *wear_due(const struct wear *w)
{
    if (w->max_jobs > 0 && w->jobs >= w->max_jobs)
        return "max_jobs";
    if (w->max_rss_bytes > 0 && w->rss_bytes > w->max_rss_bytes)
        return "max_rss";
    return w->old ? "max_age" : NULL;
}
