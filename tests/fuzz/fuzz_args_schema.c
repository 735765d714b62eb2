/* A schema, a line break, and args. */
#include "tests/fuzz/fuzz.h"

#include "domain/args_schema.h"
#include "domain/json_text.h"

static void count_report(void *ctx, const char *path, const char *text)
{
    size_t *reports = ctx;

    assert(path && text);
    (*reports)++;
}

int fuzz_one(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *end = size ? memchr(text, '\n', size) : NULL;
    size_t len = end ? (size_t)(end - text) : size;
    AUTO(args_schema) struct args_schema *schema = NULL;
    AUTO_FINI(faults) struct faults faults = { 0 };
    AUTO(json) json_t *args = NULL;
    struct errinfo e;
    size_t reports = 0;

    if (args_schema_compile(text, len, count_report, &reports, &schema) < 0) {
        assert(reports > 0 && !schema);
        return 0;
    }
    assert(args_schema_json(schema));
    if (end && json_text_parse(end + 1, size - len - 1, &args, &e) < 0)
        return 0;
    args_schema_check(schema, args, &faults);
    return 0;
}
