#include "pool/detached.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "pool/paths.h"

#define FREE    0
#define CLAIMED (-1)

/* Zero is free, and so is a new file. */
struct entry {
    _Atomic int32_t pid; /* written last */
    int32_t session;
    int64_t start;
};

struct detached {
    struct entry entries[DETACHED_MAX];
};

int detached_open(const char *data_dir, struct detached **ret_table, struct errinfo *e)
{
    char path[PATHS_SIZE];
    AUTO_FINI(fd)
    int fd = open(paths_detached(data_dir, path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *at;

    if (fd < 0)
        return err_sys(e, "open %s", path);
    if (ftruncate(fd, sizeof(struct detached)) < 0)
        return err_sys(e, "ftruncate %s", path);
    at = mmap(NULL, sizeof(struct detached), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return err_sys(e, "mmap %s", path);
    *ret_table = at;
    return 0;
}

struct detached *detached_free(struct detached *d)
{
    if (d)
        (void)munmap(d, sizeof *d);
    return NULL;
}

static bool put(struct entry *at, const struct tree_process *p)
{
    int32_t expected = FREE;

    if (!atomic_compare_exchange_strong(&at->pid, &expected, CLAIMED))
        return false;
    at->session = (int32_t)p->session;
    at->start = p->start;
    atomic_store(&at->pid, (int32_t)p->pid);
    return true;
}

static bool is_alive(const struct entry *at, pid_t pid)
{
    struct tree_process p;

    return tree_look(pid, &p) && p.start == at->start;
}

bool detached_add(struct detached *d, const struct tree_process *p)
{
    for (size_t i = 0; d && i < DETACHED_MAX; i++)
        if (put(&d->entries[i], p))
            return true;
    for (size_t i = 0; d && i < DETACHED_MAX; i++) {
        struct entry *at = &d->entries[i];
        int32_t pid = atomic_load(&at->pid);

        if (pid > 0 && !is_alive(at, pid) &&
            atomic_compare_exchange_strong(&at->pid, &pid, FREE) && put(at, p))
            return true;
    }
    return false;
}

bool detached_any(const struct detached *d)
{
    for (size_t i = 0; d && i < DETACHED_MAX; i++)
        if (atomic_load(&d->entries[i].pid) != FREE)
            return true;
    return false;
}

bool detached_spares(void *ctx, pid_t pid)
{
    struct detached *d = ctx;
    struct tree_process p;

    if (!d || !tree_look(pid, &p))
        return false;
    for (size_t i = 0; i < DETACHED_MAX; i++) {
        const struct entry *at = &d->entries[i];
        int32_t known = atomic_load(&at->pid);

        if (known > 0 && ((known == p.pid && at->start == p.start) || at->session == p.session))
            return true;
    }
    return false;
}

void detached_forget(struct detached *d, pid_t session)
{
    for (size_t i = 0; d && i < DETACHED_MAX; i++) {
        struct entry *at = &d->entries[i];
        int32_t known = atomic_load(&at->pid);

        if (known > 0 && at->session == (int32_t)session)
            (void)atomic_compare_exchange_strong(&at->pid, &known, FREE);
    }
}

void detached_clean(struct detached *d)
{
    for (size_t i = 0; d && i < DETACHED_MAX; i++) {
        struct entry *at = &d->entries[i];
        int32_t pid = atomic_load(&at->pid);

        if (pid != FREE && !is_alive(at, pid))
            atomic_store(&at->pid, FREE);
    }
}
