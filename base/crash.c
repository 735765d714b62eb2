#include "base/crash.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"

#define NAME_MAX_BYTES 64

bool crash_armed;

static char crash_name[NAME_MAX_BYTES];
static atomic_long *hits_left; /* shared by all processes: the count is one for all of them */

void crash_init(void)
{
    const char *text =
        getenv("JOBD_CRASH_POINT"); /* NOLINT(concurrency-mt-unsafe): no thread yet */
    const char *colon = text ? strrchr(text, ':') : NULL;
    int64_t n;

    if (!colon || (size_t)(colon - text) >= sizeof crash_name ||
        !text_to_i64(colon + 1, 1, 1000000, &n))
        return;
    hits_left = mmap(NULL, sizeof *hits_left, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (hits_left == MAP_FAILED)
        return;
    (void)memcpy(crash_name, text, (size_t)(colon - text));
    atomic_store(hits_left, (long)n);
    crash_armed = true;
}

void crash_hit(const char *name)
{
    if (!text_equal(name, crash_name) || atomic_fetch_sub(hits_left, 1) != 1)
        return;
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}
