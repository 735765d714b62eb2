#include "pool/kin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/random.h"

#define ENVIRON_MAX_BYTES ((size_t)4 * 1024 * 1024)

void kin_init(struct kin *k)
{
    k->pid = 0;
    (void)snprintf(k->mark, sizeof k->mark, "%s=%016" PRIx64, KIN_NAME, random_u64());
}

/* /proc/<pid>/environ: "NAME=value" texts with a NUL after each (proc(5)). */
static bool is_marked(pid_t pid, const char *mark)
{
    AUTO_FINI(buf) struct buf env = { 0 };
    char path[32];
    size_t len = strlen(mark) + 1;

    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    if (fd_read_file(path, ENVIRON_MAX_BYTES, &env, NULL) < 0 || env.len < len)
        return false;
    return memmem(env.data, env.len, mark, len) != NULL;
}

bool kin_has(const struct kin *k, pid_t pid)
{
    return pid == k->pid || is_marked(pid, k->mark);
}
