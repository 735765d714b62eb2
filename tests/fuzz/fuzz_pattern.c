/* A regular expression, a line break, and a text. */
#include "tests/fuzz/fuzz.h"

#include "base/text.h"
#include "domain/pattern.h"

#define STEPS_MAX 1000000

static bool is_utf8(const char *text)
{
    for (size_t at = 0, len = strlen(text); at < len;) {
        size_t n = text_utf8_len(text + at, len - at);

        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO(mem) char *text = fuzz_text(data, size);
    AUTO(pattern) struct pattern *p = NULL;
    char *rest = text;
    const char *expression = fuzz_line(&rest);
    uint64_t steps = STEPS_MAX;
    struct errinfo e;
    bool matches;

    if (!is_utf8(expression) || (rest && !is_utf8(rest)) ||
        pattern_compile(expression, &p, &e) < 0 || !rest)
        return 0;
    (void)pattern_matches(p, rest, strlen(rest), &steps, &matches);
    assert(steps <= STEPS_MAX);
    return 0;
}
