/* domain/args_schema_canonical.c - values that are equal in JSON Schema as equal texts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/args_schema_node.h"
#include "domain/json_text.h"

/* 2^63: every smaller whole double is an integer of 64 bits. */
#define INTEGER_END 9223372036854775808.0

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_real(struct buf *out, double value)
{
    if (trunc(value) == value && fabs(value) < INTEGER_END)
        buf_printf(out, "%lld", (long long)value);
    else
        buf_printf(out, "%.17g", value);
}

static void add_name(struct buf *out, const char *name)
{
    AUTO(json) json_t *text = json_string(name);

    json_text_add(out, text);
    buf_add_char(out, ':');
}

/* NOLINTBEGIN(misc-no-recursion): as deep as JSON may be */
static void add_object(struct buf *out, const json_t *object)
{
    size_t count = 0;
    AUTO(mem) const char **names = mem_array0(json_object_size(object) + 1, sizeof *names);
    const char *name;
    json_t *value;

    json_object_foreach (json_iterable(object), name, value)
        names[count++] = name;
    qsort(names, count, sizeof *names, compare_names);
    buf_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        add_name(out, names[i]);
        schema_canonical(out, json_object_get(object, names[i]));
        buf_add_char(out, ',');
    }
    buf_add_char(out, '}');
}

void schema_canonical(struct buf *out, const json_t *value)
{
    if (json_is_object(value)) {
        add_object(out, value);
    } else if (json_is_array(value)) {
        buf_add_char(out, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            schema_canonical(out, json_array_get(value, i));
            buf_add_char(out, ',');
        }
        buf_add_char(out, ']');
    } else if (json_is_real(value)) {
        add_real(out, json_real_value(value));
    } else {
        json_text_add(out, value);
    }
}
/* NOLINTEND(misc-no-recursion) */

char *schema_canonical_text(const json_t *value)
{
    AUTO_FINI(buf) struct buf out = { 0 };

    schema_canonical(&out, value);
    return buf_steal(&out);
}
