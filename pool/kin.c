#include "pool/kin.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/random.h"
#include "pool/tree.h"

#define ENVIRON_MAX_BYTES ((size_t)4 * 1024 * 1024)
#define LOOKS             5 /* a millisecond apart */

void kin_init(struct kin *k)
{
    k->pid = 0;
    (void)snprintf(k->mark, sizeof k->mark, "%s=%016" PRIx64, KIN_NAME, random_u64());
}

/* /proc/<pid>/environ: "NAME=value" texts with a NUL after each (proc(5)). */
static bool read_environment(pid_t pid, struct buf *env)
{
    char path[32];

    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    return fd_read_file(path, ENVIRON_MAX_BYTES, env, NULL) == 0 && env->len > 0;
}

/* Within an exec the environment is empty for a moment, after it for good only if it is. */
static bool is_marked(pid_t pid, const char *mark)
{
    AUTO_FINI(buf) struct buf env = { 0 };
    struct tree_process alive;

    for (int i = 0; !read_environment(pid, &env); i++) {
        if (i == LOOKS || !tree_look(pid, &alive))
            return false;
        (void)poll(NULL, 0, 1);
    }
    return memmem(env.data, env.len, mark, strlen(mark) + 1) != NULL;
}

bool kin_has(const struct kin *k, pid_t pid)
{
    return pid == k->pid || is_marked(pid, k->mark);
}
