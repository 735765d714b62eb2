#include "pool/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "pool/clone_into.h"
#include "pool/instance.h"

#define CHILD_STACK_SIZE 32768
#define DEFAULT_PATH     "/usr/local/bin:/usr/bin:/bin"

enum stage {
    STAGE_FORK,
    STAGE_SESSION,
    STAGE_SIGNALS,
    STAGE_CGROUP,
    STAGE_LIMITS,
    STAGE_PRIVILEGES,
    STAGE_DIRECTORY,
    STAGE_DESCRIPTORS,
    STAGE_EXEC,
    STAGE_MAX_
};

static const char *const stage_names[STAGE_MAX_] = {
    [STAGE_FORK] = "fork",           [STAGE_SESSION] = "session",
    [STAGE_SIGNALS] = "signals",     [STAGE_CGROUP] = "cgroup",
    [STAGE_LIMITS] = "limits",       [STAGE_PRIVILEGES] = "privileges",
    [STAGE_DIRECTORY] = "directory", [STAGE_DESCRIPTORS] = "descriptors",
    [STAGE_EXEC] = "exec",
};

/* What the child reads, and what it leaves behind for us when it fails. */
struct plan {
    const struct spawn_conf *conf;
    char **paths; /* what to try to execute, in order; NULL-terminated */
    pid_t parent;
    bool is_in_group; /* the first one */
    bool has_run;     /* at least its first instruction */
    enum stage stage;
    int err;
};

/* ---- the child: only system calls, on memory that is the parent's -------------------------
 */

/* It never returns from a successful exec, which the shadow memory of the sanitizers would not
 * understand. */
#define CHILD_CODE __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

static CHILD_CODE int reset_dispositions(void)
{
    static const char kernel_default[64];
    struct sigaction def;

    memset(&def, 0, sizeof def);
    def.sa_handler = SIG_DFL;
    for (int sig = 1; sig < NSIG; sig++) {
        if (sigaction(sig, &def, NULL) == 0)
            continue;
        if (errno != EINVAL) /* SIGKILL, SIGSTOP, libc's own */
            return -1;
        /* posix_spawn(), as make uses it, leaves the signals that libc keeps for itself
         * ignored, and libc lets nobody touch them: ask the kernel, for which all zeros is
         * SIG_DFL. */
        (void)syscall(SYS_rt_sigaction, sig, kernel_default, NULL, NSIG / 8);
    }
    return 0;
}

static CHILD_CODE int unblock_signals(void)
{
    sigset_t none;

    (void)sigemptyset(&none);
    errno = pthread_sigmask(SIG_SETMASK, &none, NULL);
    return errno == 0 ? 0 : -1;
}

/* "0" is whoever writes it. */
static CHILD_CODE int join_groups(const struct plan *p)
{
    for (size_t i = p->is_in_group; i < p->conf->group_count; i++)
        if (write(p->conf->groups[i], "0", 1) < 0)
            return -1;
    return 0;
}

static CHILD_CODE int set_limits(const struct spawn_conf *conf)
{
    for (size_t i = 0; i < conf->rlimit_count; i++)
        if (setrlimit((__rlimit_resource_t)conf->rlimits[i].resource, &conf->rlimits[i].limit) <
            0)
            return -1;
    return 0;
}

static CHILD_CODE int place_descriptors(const int from[SPAWN_FD_COUNT])
{
    int fds[SPAWN_FD_COUNT];

    /* First out of the way of each other, then into place, which drops CLOEXEC. */
    for (int i = 0; i < SPAWN_FD_COUNT; i++) {
        fds[i] = from[i];
        if (fds[i] < SPAWN_FD_COUNT)
            fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, SPAWN_FD_COUNT);
        if (fds[i] < 0)
            return -1;
    }
    for (int i = 0; i < SPAWN_FD_COUNT; i++)
        if (dup2(fds[i], i) < 0)
            return -1;
    /* All of ours are CLOEXEC; this is for what we have inherited. Old kernels: ENOSYS. */
    if (close_range(SPAWN_FD_COUNT, ~0U, 0) < 0 && errno != ENOSYS)
        return -1;
    return 0;
}

/* As execvp(3): the first path that can be executed; "permission denied" is remembered. */
static CHILD_CODE int execute(const struct plan *p)
{
    int err = ENOENT;

    for (size_t i = 0; p->paths[i]; i++) {
        (void)execve(p->paths[i], p->conf->argv, p->conf->env);
        if (errno == EACCES)
            err = EACCES;
        else if (errno != ENOENT && errno != ENOTDIR)
            return errno;
        else if (err != EACCES)
            err = errno;
    }
    return err;
}

/* Late, because a change of user would undo it. If the parent has died meanwhile, nobody waits
 * for what we would execute. What the program forks does not inherit this. */
static CHILD_CODE int die_with_parent(const struct plan *p)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return -1;
    errno = ESRCH;
    return getppid() == p->parent ? 0 : -1;
}

static CHILD_CODE int child_main(void *arg)
{
    struct plan *p = arg;

    p->has_run = true;
    p->stage = STAGE_SESSION;
    if (setsid() < 0)
        goto fail;
    p->stage = STAGE_SIGNALS;
    if (!p->conf->signals_are_default && reset_dispositions() < 0)
        goto fail;
    if (unblock_signals() < 0)
        goto fail;
    p->stage = STAGE_CGROUP;
    if (join_groups(p) < 0)
        goto fail;
    p->stage = STAGE_LIMITS;
    if (set_limits(p->conf) < 0)
        goto fail;
    p->stage = STAGE_PRIVILEGES;
    if (p->conf->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        goto fail;
    p->stage = STAGE_DIRECTORY;
    if (p->conf->dir && chdir(p->conf->dir) < 0)
        goto fail;
    p->stage = STAGE_DESCRIPTORS;
    if (place_descriptors(p->conf->fds) < 0)
        goto fail;
    if (die_with_parent(p) < 0)
        goto fail;
    p->stage = STAGE_EXEC;
    p->err = execute(p);
    return 127; /* clone(2) makes it _exit() */
fail:
    p->err = errno;
    return 127;
}

/* ---- the parent ---------------------------------------------------------------------------
 */

static const char *find_path(char *const *env)
{
    const char *path;

    for (size_t i = 0; env[i]; i++)
        if (text_starts(env[i], "PATH=", &path))
            return path;
    return DEFAULT_PATH;
}

/* The files that `name` may mean, made here because the child must not allocate. */
static char **candidates(const char *name, char *const *env)
{
    const char *dir = find_path(env);
    char **paths;
    size_t dirs = 1;
    size_t count = 0;

    for (const char *p = dir; *p; p++)
        dirs += *p == ':';
    paths = mem_array0(dirs + 1, sizeof *paths);
    if (strchr(name, '/') || name[0] == '\0') {
        paths[0] = mem_str(name);
        return paths;
    }
    for (;;) {
        size_t len = strcspn(dir, ":");

        /* An empty entry is the working directory. */
        paths[count++] =
            len > 0 ? mem_printf("%.*s/%s", (int)len, dir, name) : mem_printf("./%s", name);
        if (dir[len] == '\0')
            return paths;
        dir += len + 1;
    }
}

static void free_list(char **list)
{
    for (size_t i = 0; list[i]; i++)
        free(list[i]);
    free(list);
}

/* Some kernels (6.18) kill whoever is born in another group than its parent's when one of the
 * two has been killed as a whole (cgroup.kill) more often than the other, be it long ago and by
 * somebody else. When that is so every time it is our own. */
#define STILLBIRTHS_MAX 3

/* Moving it is slow, but works where this does not. */
static pid_t clone_into_group(struct plan *p, char *stack)
{
    static unsigned stillbirths; /* since the last one that lived */
    pid_t pid;

    if (!p->conf->born_in_group || stillbirths >= STILLBIRTHS_MAX)
        return -1;
    p->is_in_group = true;
    pid = clone_into(p->conf->group_dir, stack, CHILD_STACK_SIZE, child_main, p);
    if (pid < 0 || p->has_run) {
        stillbirths = 0;
        p->is_in_group = pid > 0;
        return pid;
    }
    stillbirths++;
    if (p->conf->was_moved)
        *p->conf->was_moved = true;
    (void)waitpid(pid, NULL, 0); /* it has ended: CLONE_VFORK waited for that */
    p->is_in_group = false;
    return -1;
}

/* Blocked in both until the child has its own dispositions: a handler of ours must not run in
 * the child, in our memory. */
static pid_t clone_child(struct plan *p, char *stack)
{
    sigset_t all, old;
    pid_t pid;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &old);
    pid = clone_into_group(p, stack);
    if (pid < 0)
        pid = clone(child_main, stack + CHILD_STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, p);
    if (pid < 0)
        p->err = errno;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return pid;
}

void spawn_reset_signals(void)
{
    (void)reset_dispositions(); /* those that cannot be set need not be */
}

int spawn(const struct spawn_conf *conf, pid_t *ret_pid, const char **ret_stage,
          struct errinfo *e)
{
    _Alignas(16) char stack[CHILD_STACK_SIZE];
    struct plan p = { .conf = conf, .parent = getpid() };
    pid_t pid;

    if (!conf->argv[0]) {
        *ret_stage = stage_names[STAGE_EXEC];
        errno = EINVAL;
        return err_sys(e, "exec of no program");
    }
    p.paths = candidates(conf->argv[0], conf->env);
    pid = clone_child(&p, stack);
    free_list(p.paths);
    if (p.err == 0) {
        *ret_pid = pid;
        return 0;
    }
    if (pid > 0)
        (void)waitpid(pid, NULL, 0); /* it has ended: CLONE_VFORK waited for that */
    *ret_stage = stage_names[p.stage];
    errno = p.err;
    return err_sys(e, "%s %s", stage_names[p.stage], conf->argv[0]);
}

/* The length of NAME= at the start of an entry. */
static size_t name_len(const char *entry)
{
    const char *equals = strchr(entry, '=');

    return equals ? (size_t)(equals - entry) + 1 : strlen(entry);
}

static bool is_set_in(char *const *list, const char *entry)
{
    size_t len = name_len(entry);

    for (size_t i = 0; list[i]; i++)
        if (strncmp(list[i], entry, len) == 0)
            return true;
    return false;
}

static bool is_for_children(const char *entry)
{
    return !text_starts(entry, "JOBD_", NULL) || text_starts(entry, INSTANCE_MARK, NULL) ||
           text_starts(entry, INSTANCE_WORKER, NULL);
}

char **spawn_environment(char *const *extra)
{
    static char *const nothing[] = { NULL };
    size_t count = 0;
    size_t ours = 0;
    char **env;

    if (!extra)
        extra = nothing;
    while (environ && environ[ours])
        ours++;
    while (extra[count])
        count++;
    env = mem_array0(ours + count + 1, sizeof *env);
    memcpy(env, extra, count * sizeof *env);
    for (size_t i = 0; i < ours; i++)
        if (is_for_children(environ[i]) && !is_set_in(extra, environ[i]))
            env[count++] = environ[i];
    return env;
}
