#include "base/random.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clean.h"

/*
 * Each process has an epoch, a random number that is not 0. It lives in a page that the kernel
 * clears in a child (MADV_WIPEONFORK), which also covers a bare clone(2) that runs no atfork
 * handlers. A thread's block is good only in the epoch that it was filled in, so a child drops
 * what it inherits.
 */
#define BLOCK_WORDS 64

struct block {
    uint64_t epoch;
    size_t left;
    uint64_t words[BLOCK_WORDS];
};

static _Thread_local struct block block;
static pthread_once_t epoch_once = PTHREAD_ONCE_INIT;
static _Atomic uint64_t
    *process_epoch; /* NULL: this kernel cannot wipe on fork, keep no block */

static void fill(void *to, size_t len)
{
    char *next = to;

    while (len > 0) {
        ssize_t n = getrandom(next, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            static const char line[] = "jobd: getrandom failed\n";

            (void)!write(STDERR_FILENO, line, sizeof line - 1); /* we abort anyway */
            abort();
        }
        next += n;
        len -= (size_t)n;
    }
}

static uint64_t fresh_word(void)
{
    uint64_t word;

    fill(&word, sizeof word);
    return word;
}

static void map_epoch(void)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page =
        mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return;
    if (madvise(page, page_bytes, MADV_WIPEONFORK) < 0) {
        (void)munmap(page, page_bytes);
        return;
    }
    process_epoch = page;
}

/* 0 when there is no epoch to trust. */
static uint64_t current_epoch(void)
{
    uint64_t epoch, fresh;

    (void)pthread_once(&epoch_once, map_epoch); /* cannot fail with a valid once */
    if (!process_epoch)
        return 0;
    epoch = atomic_load(process_epoch);
    if (epoch != 0)
        return epoch;
    fresh = fresh_word() | 1;
    if (atomic_compare_exchange_strong(process_epoch, &epoch, fresh))
        return fresh;
    return epoch; /* another thread was first */
}

uint64_t random_u64(void)
{
    uint64_t epoch = current_epoch();
    uint64_t word;

    if (epoch == 0)
        return fresh_word();
    if (block.left == 0 || block.epoch != epoch) {
        fill(block.words, sizeof block.words);
        block.left = COUNT_OF(block.words);
        block.epoch = epoch;
    }
    word = block.words[--block.left];
    block.words[block.left] = 0; /* what was given out must not be read back later */
    return word;
}
