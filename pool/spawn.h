/* pool/spawn.h - start a program in a new session, and know exactly why when that fails.
 *
 * The kernel kills the child when this process dies.
 *
 * The child shares our memory until it has exec'ed (CLONE_VM | CLONE_VFORK, as posix_spawn(3)
 * does), so starting costs the same however large this process is, and the child reports a
 * failed stage by simply writing it down: an exec that fails is never mistaken for exit code
 * 127. One thread.
 */
#ifndef JOBD_POOL_SPAWN_H
#define JOBD_POOL_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"

#define SPAWN_FD_COUNT 4 /* stdin, stdout, stderr and the job channel */

#define SPAWN_GROUPS_MAX  3
#define SPAWN_RLIMITS_MAX 8

struct spawn_rlimit {
    int resource; /* RLIMIT_* */
    struct rlimit limit;
};

/* Zero is a plain start. */
struct spawn_conf {
    char *const *argv;       /* argv[0] without a slash is looked up in PATH, as env has it */
    char *const *env;        /* the whole environment, NULL-terminated */
    int fds[SPAWN_FD_COUNT]; /* becomes 0..3 of the program, which has no other */
    const char *dir;         /* its working directory; NULL: ours */
    int groups[SPAWN_GROUPS_MAX]; /* of these the first group_count: cgroup.procs of control */
    size_t group_count;           /* groups that it joins */
    bool born_in_group;           /* into the first of them, where the kernel can: */
    int group_dir;                /* its directory */
    bool *was_moved;              /* set when nobody can be born in it; NULL: nobody asks */
    bool signals_are_default;     /* in this process, all of them: nothing is to be reset */
    struct spawn_rlimit rlimits[SPAWN_RLIMITS_MAX];
    size_t rlimit_count;
    bool no_new_privs; /* neither it nor what it starts can gain rights by an exec */
};

/* The child leads a new session, every signal is at its default and unblocked. On ERR_SYS there
 * is no child: *ret_stage, with which the text begins, says what failed ("fork", "session",
 * "signals", "cgroup", "limits", "privileges", "directory", "descriptors" or "exec"; constant),
 * e->sys_errno why. */
int spawn(const struct spawn_conf *conf, pid_t *ret_pid, const char **ret_stage,
          struct errinfo *e);

/* Set every signal of this process to its default, for signals_are_default. */
void spawn_reset_signals(void);

/* The environment of this process without jobd's own settings (JOBD_*, but for the marks of
 * pool/instance.h), with extra (may be NULL) on top: a NULL-terminated array for free(3); the
 * texts are borrowed. */
char **spawn_environment(char *const *extra);

#endif
