/* tests/fuzz/fuzz.h - one parser fed with whatever bytes there are.
 *
 * Each fuzz_<name>.c defines fuzz_one(), which calls a parser with one input, asserts what must
 * hold whatever the input, and releases everything. Built twice: with libFuzzer (`make fuzz`),
 * which makes up inputs from those in corpus/<name>/; and with replay.c, a test that feeds just
 * these. An input that has crashed jobd once stays in the corpus, as crash-<what>.
 */
#ifndef JOBD_TESTS_FUZZ_FUZZ_H
#define JOBD_TESTS_FUZZ_FUZZ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/mem.h"

/* The name that libFuzzer calls. */
#define fuzz_one LLVMFuzzerTestOneInput
int fuzz_one(const uint8_t *data, size_t size);

/* The input as a string, without its NULs: what a header or a query can be. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = mem_new0(size + 1);
    size_t n = 0;

    for (size_t i = 0; i < size; i++)
        if (data[i] != 0)
            text[n++] = (char)data[i];
    return text;
}

/* The next line of *rest, cut off in place; NULL when there is no more. */
static inline char *fuzz_line(char **rest)
{
    return strsep(rest, "\n");
}

#endif
