/* domain/args_schema_check.c - whether args are what their schema says. */
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/args_schema.h"
#include "domain/args_schema_node.h"
#include "domain/json_text.h"

struct checker {
    struct faults *faults;
    uint64_t steps; /* that patterns may still take */
};

/* Where a value is. Made a text only for a fault. */
struct place {
    const struct place *up; /* NULL: the args */
    const char *key;        /* of a member; NULL: an item */
    size_t index;
};

/* NOLINTBEGIN(misc-no-recursion): as deep as JSON may be */
static char *pointer_of(const struct place *at)
{
    AUTO(mem) char *up = NULL;

    if (!at)
        return mem_str("#/args");
    up = pointer_of(at->up);
    return at->key ? faults_pointer(up, at->key) : mem_printf("%s/%zu", up, at->index);
}
/* NOLINTEND(misc-no-recursion) */

__attribute__((format(printf, 4, 5))) static void fault(const struct checker *c,
                                                        const struct place *at,
                                                        const char *code, const char *format,
                                                        ...)
{
    AUTO(mem) char *pointer = NULL;
    char text[ERR_TEXT_SIZE];
    va_list args;

    if (c->faults->count >= FAULTS_MAX) { /* it is only counted */
        faults_add(c->faults, "#/args", code, "%s", "");
        return;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pointer = pointer_of(at);
    faults_add(c->faults, pointer, code, "%s", text);
}

/* ---- any value --------------------------------------------------------------------- */

static unsigned types_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        return 1u << TYPE_NULL;
    case JSON_TRUE:
    case JSON_FALSE:
        return 1u << TYPE_BOOLEAN;
    case JSON_OBJECT:
        return 1u << TYPE_OBJECT;
    case JSON_ARRAY:
        return 1u << TYPE_ARRAY;
    case JSON_STRING:
        return 1u << TYPE_STRING;
    case JSON_INTEGER:
        return 1u << TYPE_INTEGER | 1u << TYPE_NUMBER;
    case JSON_REAL:
        if (trunc(json_real_value(value)) == json_real_value(value))
            return 1u << TYPE_INTEGER | 1u << TYPE_NUMBER;
        return 1u << TYPE_NUMBER;
    }
    return 0;
}

/* "string or null" */
static void name_types(struct buf *out, unsigned types)
{
    for (int i = 0; i < TYPE_MAX_; i++)
        if (types & 1u << i)
            buf_printf(out, "%s%s", out->len > 0 ? " or " : "", schema_type_names[i]);
}

static bool check_type(const struct checker *c, const struct schema_node *node,
                       const json_t *value, const struct place *at)
{
    AUTO_FINI(buf) struct buf want = { 0 };
    AUTO_FINI(buf) struct buf is = { 0 };
    unsigned types = types_of(value);

    if (node->types == 0 || (node->types & types))
        return true;
    name_types(&want, node->types);
    name_types(&is, json_is_integer(value) ? 1u << TYPE_INTEGER : types);
    fault(c, at, "wrong-type", "must be of the type %s, not %s", want.data, is.data);
    return false;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_values(const struct checker *c, const struct schema_node *node,
                         const json_t *value, const struct place *at)
{
    AUTO(mem) char *text = NULL;
    AUTO(mem) char *known = NULL;
    size_t len;

    if (!node->values)
        return;
    text = schema_canonical_text(value);
    if (bsearch(&text, node->values, node->value_count, sizeof *node->values, compare_texts))
        return;
    known = json_text_dump(node->values_json, &len);
    fault(c, at, "invalid-value",
          node->value_count == 1 ? "must be %.300s" : "must be one of %.300s", known);
}

/* ---- numbers and texts ------------------------------------------------------------- */

static void check_bound(const struct checker *c, const struct number_bound *bound, bool holds,
                        const char *what, const struct place *at)
{
    if (bound->is_set && !holds)
        fault(c, at, "out-of-range", "must be %s %.17Lg", what, bound->value);
}

static void check_number(const struct checker *c, const struct schema_node *node,
                         const json_t *value, const struct place *at)
{
    long double n = json_is_integer(value) ? (long double)json_integer_value(value)
                                           : (long double)json_real_value(value);

    check_bound(c, &node->minimum, n >= node->minimum.value, "at least", at);
    check_bound(c, &node->maximum, n <= node->maximum.value, "at most", at);
    check_bound(c, &node->above, n > node->above.value, "greater than", at);
    check_bound(c, &node->below, n < node->below.value, "less than", at);
    if (node->multiple_of > 0 && fmodl(n, node->multiple_of) != 0)
        fault(c, at, "invalid-value", "must be a multiple of %.17Lg", node->multiple_of);
}

static void check_count(const struct checker *c, const struct count_bound *bound, size_t count,
                        const char *what, const struct place *at)
{
    if (count < bound->min)
        fault(c, at, "too-short", "must have at least %zu %s, not %zu", bound->min, what,
              count);
    else if (count > bound->max)
        fault(c, at, "too-long", "must have at most %zu %s, not %zu", bound->max, what, count);
}

/* Of valid UTF-8. */
static size_t code_points(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

static void check_text(struct checker *c, const struct schema_node *node, const json_t *value,
                       const struct place *at)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    bool matches = true;

    check_count(c, &node->length, code_points(text, len), "characters", at);
    if (!node->pattern)
        return;
    if (pattern_matches(node->pattern, text, len, &c->steps, &matches) < 0)
        fault(c, at, "too-long", "cannot be compared with its pattern in the time there is");
    else if (!matches)
        fault(c, at, "pattern-mismatch", "must match the pattern %.300s", node->pattern_text);
}

/* ---- arrays and objects ------------------------------------------------------------ */

/* NOLINTBEGIN(misc-no-recursion): as deep as JSON may be */
static void check_node(struct checker *c, const struct schema_node *node, const json_t *value,
                       const struct place *at);

static void check_unique(const struct checker *c, const json_t *array, const struct place *at)
{
    size_t count = json_array_size(array);
    AUTO(mem) char **texts = mem_array0(count, sizeof *texts);
    bool unique = true;

    for (size_t i = 0; i < count; i++)
        texts[i] = schema_canonical_text(json_array_get(array, i));
    qsort(texts, count, sizeof *texts, compare_texts);
    for (size_t i = 1; i < count; i++)
        unique = unique && !text_equal(texts[i - 1], texts[i]);
    if (!unique)
        fault(c, at, "duplicate", "must not have the same item twice");
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
}

static void check_array(struct checker *c, const struct schema_node *node, const json_t *value,
                        const struct place *at)
{
    size_t count = json_array_size(value);

    check_count(c, &node->items_count, count, "items", at);
    if (node->unique_items && count > 1)
        check_unique(c, value, at);
    for (size_t i = 0; node->items && i < count; i++) {
        const struct place item = { at, NULL, i };

        check_node(c, node->items, json_array_get(value, i), &item);
    }
}

static int compare_property(const void *name, const void *property)
{
    return strcmp(name, ((const struct schema_property *)property)->name);
}

static void check_member(struct checker *c, const struct schema_node *node, const char *key,
                         const json_t *value, const struct place *at)
{
    const struct place member = { at, key, 0 };
    const struct schema_property *known =
        node->property_count == 0 ? NULL
                                  : bsearch(key, node->properties, node->property_count,
                                            sizeof *node->properties, compare_property);

    if (known && known->node)
        check_node(c, known->node, value, &member);
    else if (node->additional && node->additional->never)
        fault(c, &member, "unknown-field", "the function's args have no such member");
    else if (node->additional)
        check_node(c, node->additional, value, &member);
}

static void check_object(struct checker *c, const struct schema_node *node, const json_t *value,
                         const struct place *at)
{
    const char *key;
    json_t *member;

    check_count(c, &node->properties_count, json_object_size(value), "members", at);
    for (size_t i = 0; i < node->property_count; i++) {
        const struct schema_property *p = &node->properties[i];
        const struct place missing = { at, p->name, 0 };

        if (p->required && !json_object_get(value, p->name))
            fault(c, &missing, "missing", "the function's schema asks for it");
    }
    json_object_foreach (json_iterable(value), key, member)
        check_member(c, node, key, member, at);
}

static void check_node(struct checker *c, const struct schema_node *node, const json_t *value,
                       const struct place *at)
{
    if (node->never) {
        fault(c, at, "invalid-value", "nothing may be here");
        return;
    }
    if (!check_type(c, node, value, at))
        return;
    check_values(c, node, value, at);
    if (json_is_number(value))
        check_number(c, node, value, at);
    else if (json_is_string(value))
        check_text(c, node, value, at);
    else if (json_is_array(value))
        check_array(c, node, value, at);
    else if (json_is_object(value))
        check_object(c, node, value, at);
}
/* NOLINTEND(misc-no-recursion) */

void args_schema_check(const struct args_schema *s, const json_t *args, struct faults *f)
{
    struct checker c = { f, ARGS_SCHEMA_STEPS_MAX };
    AUTO(json) json_t *none = args ? NULL : json_object();

    check_node(&c, s->root, args ? args : none, NULL);
}
