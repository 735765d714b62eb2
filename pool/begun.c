#include "pool/begun.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"
#include "pool/paths.h"

#define MAGIC     0x4e55474542444f4aULL /* "JODBEGUN" */
#define BOOT_SIZE 36                    /* a UUID as text */

/* attempt is written last and taken away first: an entry is whole or not there. */
struct begun_entry {
    uint64_t id_hi;
    uint64_t id_lo;
    _Atomic int32_t attempt; /* 0: free */
};

struct begun_page {
    uint64_t magic;
    char boot[BOOT_SIZE];
    struct begun_entry entries[BEGUN_MAX];
};

static int read_boot(char boot[BOOT_SIZE], struct errinfo *e)
{
    static const char path[] = "/proc/sys/kernel/random/boot_id";
    AUTO_FINI(fd) int fd = sys.open(path, O_RDONLY | O_CLOEXEC, 0);

    if (fd < 0)
        return err_sys(e, "open %s", path);
    if (read(fd, boot, BOOT_SIZE) != BOOT_SIZE)
        return err_set(e, ERR_INTERNAL, "%s does not name the boot", path);
    return 0;
}

/* -- the worker ----------------------------------------------------------------------------
 */

int begun_open(const char *data_dir, int64_t worker_id, struct begun *b, struct errinfo *e)
{
    AUTO_FINI(fd) int fd = -1;
    char path[PATHS_SIZE];
    char boot[BOOT_SIZE];
    struct begun_page *page;
    int r;

    r = read_boot(boot, e);
    if (r < 0)
        return r;
    fd = sys.open(paths_begun(data_dir, worker_id, path),
                  O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, "create %s", path);
    /* With its blocks: a full disk must not end a worker by SIGBUS. */
    errno = posix_fallocate(fd, 0, sizeof *page);
    if (errno != 0)
        return err_sys(e, "reserve %s", path);
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return err_sys(e, "mmap %s", path);
    memcpy(page->boot, boot, BOOT_SIZE);
    page->magic = MAGIC;
    b->page = page;
    return 0;
}

static struct begun_entry *find(struct begun_page *page, struct uuid7 id, int attempt)
{
    for (size_t i = 0; i < BEGUN_MAX; i++) {
        struct begun_entry *entry = &page->entries[i];

        if (atomic_load_explicit(&entry->attempt, memory_order_relaxed) != attempt)
            continue;
        if (attempt == 0 || (entry->id_hi == id.hi && entry->id_lo == id.lo))
            return entry;
    }
    return NULL;
}

int begun_add(struct begun *b, struct uuid7 job_id, int attempt)
{
    struct begun_entry *entry = b->page ? find(b->page, job_id, 0) : NULL;

    if (!b->page)
        return 0;
    if (!entry)
        return ERR_AGAIN;
    entry->id_hi = job_id.hi;
    entry->id_lo = job_id.lo;
    atomic_store_explicit(&entry->attempt, attempt, memory_order_release);
    return 0;
}

void begun_remove(struct begun *b, struct uuid7 job_id, int attempt)
{
    struct begun_entry *entry = b->page ? find(b->page, job_id, attempt) : NULL;

    if (entry)
        atomic_store_explicit(&entry->attempt, 0, memory_order_release);
}

void begun_close(struct begun *b)
{
    if (b->page)
        (void)munmap(b->page, sizeof *b->page);
    b->page = NULL;
}

/* -- the front -----------------------------------------------------------------------------
 */

enum begun_answer begun_ask(const char *data_dir, int64_t worker_id, struct uuid7 job_id,
                            int attempt)
{
    AUTO_FINI(fd) int fd = -1;
    struct begun_page page;
    char path[PATHS_SIZE];
    char boot[BOOT_SIZE];

    fd = sys.open(paths_begun(data_dir, worker_id, path), O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0 || pread(fd, &page, sizeof page, 0) != (ssize_t)sizeof page)
        return BEGUN_UNKNOWN;
    if (page.magic != MAGIC || read_boot(boot, NULL) < 0 ||
        memcmp(page.boot, boot, BOOT_SIZE) != 0)
        return BEGUN_UNKNOWN;
    return find(&page, job_id, attempt) ? BEGUN_YES : BEGUN_NO;
}

void begun_forget(const char *data_dir, int64_t worker_id)
{
    char path[PATHS_SIZE];

    (void)unlink(paths_begun(data_dir, worker_id, path)); /* else the next start does it */
}
