/* The reader of plain JSON takes nothing that jansson does not, and finds the same; and so does
 * whoever asks both. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#include "tests/support/json_oracle.h"

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO(mem) char *exact = mem_dup(data, size); /* its end is guarded */
    const char *fault = json_oracle_judge(exact, size);

    if (fault) {
        (void)fprintf(stderr, "%s\n", fault);
        abort();
    }
    return 0;
}
