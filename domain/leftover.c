#include "domain/leftover.h"

#include <assert.h>
#include <string.h>

static const char *const names[LEFTOVER_MAX_] = {
    [LEFTOVER_KILL] = "kill",
    [LEFTOVER_WAIT] = "wait",
    [LEFTOVER_DETACH] = "detach",
};

const char *leftover_name(enum leftover leftover)
{
    assert(leftover < LEFTOVER_MAX_);
    return names[leftover];
}

int leftover_parse(const char *name)
{
    for (int i = 0; i < LEFTOVER_MAX_; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}
