#include "tests/support/proc.h"

#include "tests/support/test.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"

static bool read_file(struct buf *b, const char *format, pid_t pid)
{
    struct errinfo e;
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, format);
    if (fd_read_file(path, 65536, b, &e) < 0)
        return false;
    buf_add_char(b, '\0');
    return true;
}

static bool is_named(pid_t pid, const char *name)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    return read_file(&b, "comm", pid) && strcspn(b.data, "\n") == strlen(name) &&
           strncmp(b.data, name, strlen(name)) == 0;
}

/* "pid (comm) state ppid ...": the place behind the comm, which may hold anything. */
static const char *stat_rest(struct buf *b, pid_t pid)
{
    const char *end = read_file(b, "stat", pid) ? strrchr(b->data, ')') : NULL;

    return end ? end + 2 : NULL;
}

static pid_t parent_of(pid_t pid)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    const char *rest = stat_rest(&b, pid);

    return rest && rest[0] != 'Z' ? (pid_t)strtol(rest + 2, NULL, 10) : -1;
}

size_t proc_children(pid_t parent, const char *name, pid_t *ret_pids, size_t max)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    size_t count = 0;

    assert_non_null(dir);
    while (count < max && (entry = readdir(dir)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid > 0 && parent_of(pid) == parent && is_named(pid, name))
            ret_pids[count++] = pid;
    }
    (void)closedir(dir);
    return count;
}

pid_t proc_await_child(pid_t parent, const char *name)
{
    usec_t end_us = clock_mono_us() + PATIENCE_US;
    pid_t pid;

    while (proc_children(parent, name, &pid, 1) == 0) {
        if (clock_mono_us() > end_us)
            fail_msg("%d has no child %s", (int)parent, name);
        (void)usleep(5000);
    }
    return pid;
}

usec_t proc_cpu_us(pid_t pid)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    const char *rest = stat_rest(&b, pid);
    unsigned long user = 0;
    unsigned long system = 0;

    if (!rest || sscanf(rest, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                        &system) != 2)
        fail_msg("there is no process %d", (int)pid);
    return (usec_t)(user + system) * USEC_PER_SEC / sysconf(_SC_CLK_TCK);
}

unsigned proc_open_fds(pid_t pid)
{
    char path[64];
    unsigned count = 0;
    DIR *dir;

    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir) != NULL) // NOLINT(concurrency-mt-unsafe)
        count++;
    (void)closedir(dir);
    return count - 2; /* . and .. */
}
