#include "domain/attempt.h"

#include <stdlib.h>

void attempts_fini(struct attempts *list)
{
    for (size_t i = 0; i < list->count; i++)
        outcome_fini(&list->items[i].outcome);
    free(list->items);
    *list = (struct attempts){ 0 };
}
