/* tests/support/json_oracle.h - what jansson alone says of a text, to hold the two readers of
 * jobd against (domain/json_plain.h, domain/json_text.h). For tests and for fuzzing. */
#ifndef JOBD_TESTS_SUPPORT_JSON_ORACLE_H
#define JOBD_TESTS_SUPPORT_JSON_ORACLE_H

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "domain/json_plain.h"
#include "domain/json_text.h"

/* How many arrays and objects lie in each other. */
static inline int json_oracle_depth(const json_t *json)
{
    int deepest = 0;
    size_t i;
    const char *name;
    json_t *part;

    if (!json_is_array(json) && !json_is_object(json))
        return 0;
    json_array_foreach ((json_t *)(uintptr_t)json, i, part) {
        int depth = json_oracle_depth(part);

        deepest = depth > deepest ? depth : deepest;
    }
    json_object_foreach ((json_t *)(uintptr_t)json, name, part) {
        int depth = json_oracle_depth(part);

        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

/* Of the same types and in the same order, which json_equal() does not look at. */
static inline bool json_oracle_same(const json_t *one, const json_t *other)
{
    AUTO(mem) char *text = json_dumps(one, JSON_COMPACT | JSON_ENCODE_ANY);
    AUTO(mem) char *wanted = json_dumps(other, JSON_COMPACT | JSON_ENCODE_ANY);

    return json_equal(one, other) && text && wanted && strcmp(text, wanted) == 0;
}

/* NULL: both readers take what jansson takes, and find the same. Else what is wrong. */
static inline const char *json_oracle_judge(const char *text, size_t len)
{
    AUTO(json)
    json_t *wanted = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    /* What is behind a NUL byte that follows the value jansson does not see. */
    bool allowed =
        wanted && json_oracle_depth(wanted) <= JSON_DEPTH_MAX && !memchr(text, '\0', len);
    AUTO(json) json_t *plain = json_plain_parse(text, len, JSON_DEPTH_MAX);
    AUTO(json) json_t *read = NULL;
    struct errinfo e = { 0 };
    int r = json_text_parse(text, len, &read, &e);

    if (plain && !allowed)
        return "read as plain, and it is not to be read";
    if (plain && !json_oracle_same(plain, wanted))
        return "read as plain, and not the same";
    if (r == 0 && !allowed)
        return "read, and it is not to be read";
    if (r < 0 && allowed)
        return "refused";
    if (r < 0 && (r != ERR_MALFORMED_JSON || e.text[0] == 0))
        return "refused without words";
    return r == 0 && !json_oracle_same(read, wanted) ? "not the same" : NULL;
}

#endif
