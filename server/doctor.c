#include "server/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "pool/cgroup.h"
#include "pool/tree.h"

#define FSYNC_ROUNDS      5
#define FSYNC_SLOW_US     (50 * USEC_PER_MS)
#define OPEN_FILES_WANTED 4096

/* ---- where we are ------------------------------------------------------------------------ */

enum place { PLACE_PLAIN, PLACE_SYSTEMD, PLACE_DOCKER, PLACE_PODMAN, PLACE_KUBERNETES };

static enum place find_place(void)
{
    const char *kubernetes =
        getenv("KUBERNETES_SERVICE_HOST"); /* NOLINT(concurrency-mt-unsafe): one thread */

    if (kubernetes)
        return PLACE_KUBERNETES;
    if (access("/run/.containerenv", F_OK) == 0)
        return PLACE_PODMAN;
    if (access("/.dockerenv", F_OK) == 0)
        return PLACE_DOCKER;
    if (access("/run/systemd/system", F_OK) == 0)
        return PLACE_SYSTEMD;
    return PLACE_PLAIN;
}

/* How to get a group that can be written. */
static const char *group_remedy(void)
{
    switch (find_place()) {
    case PLACE_SYSTEMD:
        return "Delegate=yes in the [Service] section of jobd's unit, and start jobd by it";
    case PLACE_DOCKER:
        return "docker run --cgroupns=private --security-opt writable-cgroups=true (Docker 28"
               " or later), as root in the container";
    case PLACE_PODMAN:
        return "podman run --cgroupns=private --security-opt unmask=/sys/fs/cgroup, as root in"
               " the container";
    case PLACE_KUBERNETES:
        return "containerd 2.1 or later: cgroup_writable = true for the runtime in config.toml;"
               " CRI-O: the annotation io.kubernetes.cri-o.cgroup2-mount-hierarchy-rw: "
               "\"true\"";
    case PLACE_PLAIN:
        break;
    }
    return "start jobd in a control group of its own that its user may write: as root, or"
           " systemd-run -p Delegate=yes --uid=USER jobd ...";
}

static const char *controller_remedy(void)
{
    return "boot with systemd.unified_cgroup_hierarchy=1 (cgroup v2 only), let nothing but jobd"
           " be in its control group, and pass the controller down to it";
}

/* ---- the kernel -------------------------------------------------------------------------- */

static void examine_subreaper(struct checkup *c)
{
    struct errinfo e = { 0 };
    bool works = tree_become_subreaper(&e) == 0;

    (void)prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    if (works)
        checkup_add(c, "subreaper", CHECK_OK, mem_str("orphans of jobs come to their worker"),
                    NULL, NULL);
    else
        checkup_add(c, "subreaper", CHECK_FAILED, mem_str(e.text),
                    mem_str("jobd does not start"), mem_str("Linux 3.4 or later"));
}

static void examine_pidfd(struct checkup *c)
{
    AUTO_FINI(fd) int fd = pidfd_open(getpid(), 0);

    if (fd >= 0 && pidfd_send_signal(fd, 0, NULL, 0) == 0)
        checkup_add(c, "pidfd", CHECK_OK, mem_str("signals reach whom they are meant for"),
                    NULL, NULL);
    else
        checkup_add(c, "pidfd", CHECK_FAILED, mem_str(strerrordesc_np(errno)),
                    mem_str("what jobs leave behind cannot be killed"),
                    mem_str("Linux 5.3 or later; a seccomp profile that lets pidfd_open and"
                            " pidfd_send_signal pass"));
}

static void examine_proc(struct checkup *c)
{
    struct tree_process self;

    if (!tree_look(getpid(), &self)) {
        checkup_add(c, "proc", CHECK_FAILED, mem_str("/proc does not show our own process"),
                    mem_str("what jobs leave behind cannot be found"),
                    mem_str("mount -t proc proc /proc"));
        return;
    }
    checkup_add(c, "proc", CHECK_OK,
                mem_printf("/proc shows processes%s",
                           access("/proc/thread-self/children", R_OK) == 0
                               ? ""
                               : " (not their children, which is not needed)"),
                NULL, NULL);
}

static void examine_privileges(struct checkup *c, const struct settings *s)
{
    bool works = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0;

    if (!works)
        checkup_add(c, "no_new_privs", CHECK_FAILED, mem_str("the kernel does not know it"),
                    mem_str("no job can be started"), mem_str("no_new_privs: false"));
    else
        checkup_add(c, "no_new_privs", CHECK_OK,
                    mem_str(s->no_new_privs ? "jobs gain no rights by set-user-ID programs"
                                            : "turned off in the configuration"),
                    NULL, NULL);
}

static void examine_rlimits(struct checkup *c)
{
    struct rlimit files = { 0 };
    int64_t hard;

    (void)getrlimit(RLIMIT_NOFILE, &files); /* cannot fail */
    hard = files.rlim_max == RLIM_INFINITY ? INT64_MAX : (int64_t)files.rlim_max;
    if (hard >= OPEN_FILES_WANTED)
        checkup_add(c, "open_files", CHECK_OK,
                    mem_printf("up to %lld descriptors", (long long)hard), NULL, NULL);
    else
        checkup_add(c, "open_files", CHECK_DEGRADED,
                    mem_printf("no more than %lld descriptors", (long long)hard),
                    mem_str("fewer connections are served at once"),
                    mem_str("LimitNOFILE=65536 in jobd's unit, or ulimit -Hn 65536"));
}

/* ---- control groups ---------------------------------------------------------------------- */

static void examine_controller(struct checkup *c, const struct cgroup_base *b, const char *name,
                               unsigned power, const char *follows)
{
    if (b->group.power & power)
        checkup_add(c, name, CHECK_OK, mem_str("can be limited for an attempt as a whole"),
                    NULL, NULL);
    else
        checkup_add(c, name, CHECK_DEGRADED,
                    mem_str("this controller is not there for us to use"), mem_str(follows),
                    mem_str(cgroup_exists(&b->group) ? controller_remedy() : group_remedy()));
}

static void examine_groups(struct checkup *c, const struct settings *s)
{
    struct cgroup_base b;
    struct errinfo e = { 0 };
    int r = cgroup_base_open(&b, &e);

    if (r == 0 && cgroup_holds(&b.group))
        checkup_add(
            c, "control_groups", CHECK_OK,
            mem_printf("a group can be made, filled and killed%s",
                       cgroup_can_clone_into(&b.group) ? "; clone3() can start in it" : ""),
            NULL, NULL);
    else
        checkup_add(c, "control_groups", CHECK_DEGRADED,
                    mem_str(r < 0 ? e.text : "cgroup.kill is not there (before Linux 5.14)"),
                    mem_str("processes are held by the subreaper alone; CPU time is limited for"
                            " each process"),
                    mem_str(r < 0 ? group_remedy() : "Linux 5.14 or later"));
    examine_controller(c, &b, "memory", CGROUP_MEMORY,
                       "memory_bytes limits the address space of each process (RLIMIT_AS), and"
                       " the end oom_killed is not told apart");
    examine_controller(c, &b, "processes", CGROUP_PIDS,
                       geteuid() == 0 ? "the limit `processes` is not enforced, as we are root"
                                      : "the limit `processes` counts all of this user's");
    if (s->containment == CONTAIN_SUBREAPER)
        checkup_add(c, "containment", CHECK_OK,
                    mem_str("control groups are turned off in the configuration"), NULL, NULL);
    c->containment = cgroup_holds(&b.group) && s->containment == CONTAIN_AUTO
                         ? CONTAINMENT_CGROUP
                         : CONTAINMENT_SUBREAPER;
    for (int i = 0; i < LIMIT_MAX_; i++)
        c->scopes[i] = SCOPE_PROCESS;
    c->scopes[LIMIT_OUTPUT] = SCOPE_ATTEMPT;
    c->scopes[LIMIT_PROCESSES] = geteuid() == 0 ? SCOPE_NONE : SCOPE_USER;
    if (s->containment == CONTAIN_AUTO) {
        if (b.group.dirs[CGROUP_V2] >= 0)
            c->scopes[LIMIT_CPU] = SCOPE_ATTEMPT;
        if (b.group.power & CGROUP_MEMORY)
            c->scopes[LIMIT_MEMORY] = SCOPE_ATTEMPT;
        if (b.group.power & CGROUP_PIDS)
            c->scopes[LIMIT_PROCESSES] = SCOPE_ATTEMPT;
    }
    cgroup_base_remove(&b);
}

/* ---- the data directory ------------------------------------------------------------------ */

static const struct {
    long magic;
    const char *name;
    const char *follows; /* NULL: it is fine */
} file_systems[] = {
    { EXT4_SUPER_MAGIC, "ext4", NULL },
    { XFS_SUPER_MAGIC, "xfs", NULL },
    { BTRFS_SUPER_MAGIC, "btrfs", NULL },
    { 0x2fc12fc1, "zfs", NULL },
    { F2FS_SUPER_MAGIC, "f2fs", NULL },
    { OVERLAYFS_SUPER_MAGIC, "overlayfs", "jobs are lost with the container" },
    { TMPFS_MAGIC, "tmpfs", "jobs are lost when the machine stops" },
    { RAMFS_MAGIC, "ramfs", "jobs are lost when the machine stops" },
    { NFS_SUPER_MAGIC, "nfs", "SQLite's write-ahead log does not work over the network" },
    { 0xff534d42, "cifs", "SQLite's write-ahead log does not work over the network" },
    { 0x01021997, "9p", "SQLite's write-ahead log may not work" },
};

static void examine_file_system(struct checkup *c, const char *dir)
{
    struct statfs fs;
    const char *remedy = "a data_dir on a local disk (in a container: a volume)";

    if (statfs(dir, &fs) < 0)
        return; /* examine_disk() says what is wrong */
    for (size_t i = 0; i < COUNT_OF(file_systems); i++) {
        const char *follows = file_systems[i].follows;

        if ((unsigned long)fs.f_type != (unsigned long)file_systems[i].magic)
            continue;
        checkup_add(c, "file_system", follows ? CHECK_DEGRADED : CHECK_OK,
                    mem_str(file_systems[i].name), mem_str_or_null(follows),
                    follows ? mem_str(remedy) : NULL);
        return;
    }
    checkup_add(c, "file_system", CHECK_OK,
                mem_printf("of type 0x%lx, which we do not know", (unsigned long)fs.f_type),
                NULL, NULL);
}

static int by_size(const void *a, const void *b)
{
    const usec_t *x = a;
    const usec_t *y = b;

    return (*x > *y) - (*x < *y);
}

/* The median of a few small writes with fsync(2); -1 with errno. */
static usec_t time_fsync(const char *dir)
{
    AUTO(mem) char *path = mem_printf("%s/doctor.XXXXXX", dir);
    AUTO_FINI(fd) int fd = mkostemp(path, O_CLOEXEC);
    usec_t times[FSYNC_ROUNDS];
    char block[4096] = { 0 };

    if (fd < 0)
        return -1;
    (void)unlink(path);
    for (int i = 0; i < FSYNC_ROUNDS; i++) {
        usec_t begin_us = clock_mono_us();

        if (write(fd, block, sizeof block) < 0 || fsync(fd) < 0)
            return -1;
        times[i] = clock_mono_us() - begin_us;
    }
    qsort(times, FSYNC_ROUNDS, sizeof *times, by_size);
    return times[FSYNC_ROUNDS / 2];
}

/* The directory itself, or the nearest that is there, in which it would be made. */
static char *existing_part(const char *dir)
{
    char *path = mem_str(dir);

    while (access(path, F_OK) < 0) {
        char *slash = strrchr(path, '/');

        if (!slash || slash == path) {
            free(path);
            return mem_str(slash ? "/" : ".");
        }
        *slash = '\0';
    }
    return path;
}

static void examine_disk(struct checkup *c, const struct settings *s)
{
    AUTO(mem) char *dir = existing_part(s->data_dir);
    usec_t fsync_us = time_fsync(dir);

    if (fsync_us < 0)
        checkup_add(c, "data_dir", CHECK_FAILED,
                    mem_printf("%s: %s", dir, strerrordesc_np(errno)),
                    mem_str("jobd does not start"),
                    mem_printf("a data_dir that user %d may write", (int)geteuid()));
    else
        checkup_add(c, "data_dir", fsync_us > FSYNC_SLOW_US ? CHECK_DEGRADED : CHECK_OK,
                    mem_printf("%s can be written; fsync takes %.1f ms", dir,
                               (double)fsync_us / USEC_PER_MS),
                    fsync_us > FSYNC_SLOW_US
                        ? mem_str("each accepted job waits that long, many at once share it")
                        : NULL,
                    fsync_us > FSYNC_SLOW_US
                        ? mem_str("a faster disk, or durability: relaxed if the last jobs"
                                  " before a power cut may be lost")
                        : NULL);
    examine_file_system(c, dir);
}

void doctor_examine(const struct settings *s, struct checkup *ret_checkup)
{
    *ret_checkup = (struct checkup){ 0 };
    examine_subreaper(ret_checkup);
    examine_pidfd(ret_checkup);
    examine_proc(ret_checkup);
    examine_privileges(ret_checkup, s);
    examine_groups(ret_checkup, s);
    examine_rlimits(ret_checkup);
    examine_disk(ret_checkup, s);
}
