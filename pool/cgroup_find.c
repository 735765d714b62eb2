#include "pool/cgroup_find.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"

#define PROC_MAX_BYTES ((size_t)1 << 20)

static const struct {
    const char *fs_type;
    const char *controller; /* NULL: version 2 */
} trees[CGROUP_TREES] = {
    [CGROUP_V2] = { "cgroup2", NULL },
    [CGROUP_V1_MEMORY] = { "cgroup", "memory" },
    [CGROUP_V1_PIDS] = { "cgroup", "pids" },
};

/* A piece of a text. */
struct span {
    const char *at;
    size_t len;
};

static bool span_is(struct span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return line + (*line != '\0');
}

/* The n-th word of a line, from 0; empty when there are fewer. */
static struct span word(const char *line, int n)
{
    for (; n > 0; n--) {
        line += strcspn(line, " \n");
        if (*line != ' ')
            return (struct span){ line, 0 };
        line++;
    }
    return (struct span){ line, strcspn(line, " \n") };
}

static bool list_has(struct span list, const char *item)
{
    size_t len = strlen(item);

    for (size_t i = 0; i < list.len;) {
        size_t n = 0;

        while (i + n < list.len && list.at[i + n] != ',')
            n++;
        if (n == len && memcmp(list.at + i, item, len) == 0)
            return true;
        i += n + 1;
    }
    return false;
}

/* proc(5): "36 35 98:0 ROOT POINT OPTIONS [TAGS] - TYPE SOURCE SUPER-OPTIONS" */
static bool find_mount(const char *mountinfo, enum cgroup_tree tree, struct span *ret_root,
                       struct span *ret_point)
{
    for (const char *line = mountinfo; *line != '\0'; line = next_line(line)) {
        const char *rest = strstr(line, " - ");

        if (!rest || rest > line + strcspn(line, "\n") ||
            !span_is(word(rest + 3, 0), trees[tree].fs_type))
            continue;
        if (trees[tree].controller && !list_has(word(rest + 3, 2), trees[tree].controller))
            continue;
        *ret_root = word(line, 3);
        *ret_point = word(line, 4);
        return true;
    }
    return false;
}

/* cgroups(7): "5:cpuacct,cpu:/path", "0::/path" for version 2 */
static bool find_group(const char *cgroups, enum cgroup_tree tree, struct span *ret_path)
{
    for (const char *line = cgroups; *line != '\0'; line = next_line(line)) {
        size_t number = strcspn(line, ":\n");
        const char *names = line + number + 1;
        size_t len;

        if (line[number] != ':')
            continue;
        len = strcspn(names, ":\n");
        if (names[len] != ':')
            continue;
        if (trees[tree].controller
                ? !list_has((struct span){ names, len }, trees[tree].controller)
                : len != 0)
            continue;
        *ret_path = (struct span){ names + len + 1, strcspn(names + len + 1, "\n") };
        return true;
    }
    return false;
}

/* Without the "/jobd-<pid>/main" that a jobd has put itself into, and then executed itself. */
static struct span without_main(struct span path)
{
    static const char tail[] = "/main";
    size_t len = path.len;

    if (len < sizeof tail - 1 ||
        memcmp(path.at + len - (sizeof tail - 1), tail, sizeof tail - 1) != 0)
        return path;
    len -= sizeof tail - 1;
    while (len > 0 && path.at[len - 1] != '/')
        len--;
    if (len > 0 && text_starts(path.at + len, "jobd-", NULL))
        path.len = len - 1;
    return path;
}

char *cgroup_own_path(const char *mountinfo, const char *cgroups, enum cgroup_tree tree,
                      char room[CGROUP_PATH_SIZE])
{
    struct span root, point, path;

    room[0] = '\0';
    if (!find_mount(mountinfo, tree, &root, &point) || !find_group(cgroups, tree, &path))
        return room;
    /* What is mounted may be a part of the tree, and our path may be told from its top. */
    if (root.len > 1 && path.len >= root.len && memcmp(path.at, root.at, root.len) == 0) {
        path.at += root.len;
        path.len -= root.len;
    } else if (root.len > 1 || (path.len >= 3 && memcmp(path.at, "/..", 3) == 0)) {
        path.len = 0;
    }
    path = without_main(path);
    if (path.len == 1)
        path.len = 0; /* "/" */
    (void)snprintf(room, CGROUP_PATH_SIZE, "%.*s%.*s", (int)point.len, point.at, (int)path.len,
                   path.at);
    return room;
}

int cgroup_find_own(int ret_dirs[CGROUP_TREES], struct errinfo *e)
{
    AUTO_FINI(buf) struct buf mountinfo = { 0 };
    AUTO_FINI(buf) struct buf cgroups = { 0 };
    char path[CGROUP_PATH_SIZE];
    int found = 0;

    if (fd_read_file("/proc/self/mountinfo", PROC_MAX_BYTES, &mountinfo, e) < 0 ||
        fd_read_file("/proc/self/cgroup", PROC_MAX_BYTES, &cgroups, e) < 0)
        return ERR_NOT_FOUND; /* /proc is not there, or the kernel has no control groups */
    buf_add_str(&mountinfo, "");
    buf_add_str(&cgroups, "");
    for (int t = 0; t < CGROUP_TREES; t++) {
        ret_dirs[t] = -1;
        (void)cgroup_own_path(mountinfo.data ? mountinfo.data : "",
                              cgroups.data ? cgroups.data : "", (enum cgroup_tree)t, path);
        if (path[0] != '\0')
            ret_dirs[t] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        found += ret_dirs[t] >= 0;
    }
    if (found == 0)
        return err_set(e, ERR_NOT_FOUND, "no tree of control groups is mounted");
    return 0;
}
