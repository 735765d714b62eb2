/* Many JSON values in one text: lines, an array, an object. The parts lie within the text, and
 * all the parser finds is found here, too. */
#include "tests/fuzz/fuzz.h"

#include "domain/json_items.h"
#include "domain/json_text.h"

static size_t walk(struct json_items *items, const char *text, size_t len)
{
    struct json_part part;
    struct errinfo e;
    size_t count = 0;
    int r;

    while ((r = json_items_next(items, &part, &e)) > 0) {
        assert(part.text >= text && part.len <= len &&
               (size_t)(part.text - text) <= len - part.len);
        count++;
    }
    return r < 0 ? SIZE_MAX : count;
}

static void walk_object(struct json_part whole)
{
    struct json_items items;
    struct json_part name;
    struct json_part value;
    struct errinfo e;

    if (json_items_object(whole, &items, &e) < 0)
        return;
    while (json_items_member(&items, &name, &value, &e) > 0)
        assert(name.len >= 2);
}

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO(mem) char *text = mem_dup(data, size);
    struct json_part whole = { text, size };
    struct json_items lines = json_items_lines(text, size);
    struct json_items items;
    AUTO(json) json_t *json = NULL;
    struct errinfo e;

    (void)walk(&lines, text, size);
    walk_object(whole);
    while (whole.len > 0 && strchr(" \t\r\n", whole.text[0]))
        whole = (struct json_part){ whole.text + 1, whole.len - 1 };
    if (json_items_array(whole, &items, &e) < 0)
        return 0;
    if (json_text_parse(text, size, &json, &e) == 0)
        assert(walk(&items, text, size) == json_array_size(json));
    else
        (void)walk(&items, text, size);
    return 0;
}
