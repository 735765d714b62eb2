/* The inputs of corpus/<name>/ and their beginnings, without libFuzzer: part of `make test`. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/fd.h"

#define INPUT_MAX_BYTES (1 << 20)
#define BEGINNINGS      16

static size_t replay_file(const char *path)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    struct errinfo e;

    if (fd_read_file(path, INPUT_MAX_BYTES, &b, &e) < 0) {
        (void)printf("%s: %s\n", path, e.text);
        return 0;
    }
    for (size_t i = 0; i <= BEGINNINGS; i++) {
        size_t len = b.len * i / BEGINNINGS;
        AUTO(mem) char *exact = mem_dup(b.len ? b.data : "", len); /* its end is guarded */

        (void)fuzz_one((const uint8_t *)exact, len);
    }
    return 1;
}

int main(int argc, char **argv)
{
    const char *name = strstr(argv[0], "fuzz_") ? strrchr(argv[0], '/') + 1 + 5 : "";
    AUTO(mem)
    char *dir = argc > 1 ? mem_str(argv[1]) : mem_printf("tests/fuzz/corpus/%s", name);
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, NULL, alphasort);
    size_t files = 0;

    for (int i = 0; i < count; i++) {
        AUTO(mem) char *path = mem_printf("%s/%s", dir, entries[i]->d_name);

        if (entries[i]->d_name[0] != '.')
            files += replay_file(path);
        free(entries[i]);
    }
    free(entries);
    /* As cmocka says it, for tools/run-tests. */
    if (files == 0) {
        (void)printf("[  FAILED  ] no inputs in %s\n", dir);
        return 1;
    }
    (void)printf("[  PASSED  ] %zu test(s).\n", files);
    return 0;
}
