#include "domain/inputs.h"

#include <stdlib.h>

void inputs_fini(struct inputs *in)
{
    for (size_t i = 0; i < in->count; i++) {
        free(in->items[i].path);
        free(in->items[i].data);
    }
    free(in->items);
    *in = (struct inputs){ 0 };
}
