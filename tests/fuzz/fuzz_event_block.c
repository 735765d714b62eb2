/* A block of events as the ledger keeps it. */
#include "tests/fuzz/fuzz.h"

#include "domain/event_block.h"

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO(mem) char *bytes = mem_dup(data, size);
    struct event_walk w;
    struct event ev;

    event_walk_init(&w, bytes, size);
    while (event_walk_next(&w, &ev)) {
        if (ev.reason)
            assert(strlen(ev.reason) < size);
        if (ev.queue)
            assert(strlen(ev.queue) < size);
    }
    return 0;
}
