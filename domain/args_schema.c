/* domain/args_schema.c - from the JSON of a schema to what is asked of a value. */
#include "domain/args_schema.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/args_schema_node.h"
#include "domain/json_text.h"
#include "domain/suggest.h"

const char *const schema_type_names[TYPE_MAX_] = {
    [TYPE_NULL] = "null",      [TYPE_BOOLEAN] = "boolean", [TYPE_OBJECT] = "object",
    [TYPE_ARRAY] = "array",    [TYPE_NUMBER] = "number",   [TYPE_STRING] = "string",
    [TYPE_INTEGER] = "integer"
};

struct compiler {
    struct args_schema *schema;
    args_schema_report report;
    void *ctx;
    bool faulty;
};

/* A keyword in hand. */
struct keyword_case {
    struct compiler *compiler;
    struct schema_node *node;
    const char *path; /* of its value: "properties.size.minimum" */
    const json_t *value;
};

__attribute__((format(printf, 3, 4))) static void refuse(struct compiler *c, const char *path,
                                                         const char *format, ...)
{
    char text[ERR_TEXT_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->faulty = true;
    c->report(c->ctx, path, text);
}

static struct schema_node *compile_node(struct compiler *c, const json_t *json,
                                        const char *path);

/* ---- values ------------------------------------------------------------------------ */

static void type_add(const struct keyword_case *k, const json_t *name)
{
    struct suggestion s = { .word = json_is_string(name) ? json_string_value(name) : "" };

    for (int i = 0; i < TYPE_MAX_; i++) {
        if (text_equal(s.word, schema_type_names[i])) {
            k->node->types |= 1u << i;
            return;
        }
        suggest_consider(&s, schema_type_names[i]);
    }
    refuse(k->compiler, k->path,
           "must be null, boolean, object, array, number, string or integer%s%s%s",
           s.nearest ? "; did you mean " : "", s.nearest ? s.nearest : "",
           s.nearest ? "?" : "");
}

static void on_type(const struct keyword_case *k)
{
    if (!json_is_array(k->value)) {
        type_add(k, k->value);
        return;
    }
    if (json_array_size(k->value) == 0)
        refuse(k->compiler, k->path, "must name at least one type");
    for (size_t i = 0; i < json_array_size(k->value); i++)
        type_add(k, json_array_get(k->value, i));
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The values of enum (is_list), or the one of const. */
static void set_values(const struct keyword_case *k, bool is_list)
{
    struct schema_node *node = k->node;
    size_t count = is_list ? json_array_size(k->value) : 1;

    if (node->values) {
        refuse(k->compiler, k->path, "has no use beside const");
        return;
    }
    node->values = mem_array0(count, sizeof *node->values);
    node->value_count = count;
    node->values_json = k->value;
    for (size_t i = 0; i < count; i++)
        node->values[i] =
            schema_canonical_text(is_list ? json_array_get(k->value, i) : k->value);
    qsort(node->values, count, sizeof *node->values, compare_texts);
}

static void on_enum(const struct keyword_case *k)
{
    size_t count = json_array_size(k->value);

    if (count == 0 || count > ARGS_SCHEMA_ENUM_MAX)
        refuse(k->compiler, k->path, "must be a list of 1 to %d values", ARGS_SCHEMA_ENUM_MAX);
    else
        set_values(k, true);
}

static void on_const(const struct keyword_case *k)
{
    set_values(k, false);
}

/* ---- bounds ------------------------------------------------------------------------ */

static bool number_of(const struct keyword_case *k, long double *ret_number)
{
    if (json_is_integer(k->value))
        *ret_number = (long double)json_integer_value(k->value);
    else if (json_is_real(k->value))
        *ret_number = (long double)json_real_value(k->value);
    else
        refuse(k->compiler, k->path, "must be a number");
    return json_is_number(k->value);
}

static void set_bound(const struct keyword_case *k, struct number_bound *bound)
{
    bound->is_set = number_of(k, &bound->value);
}

static void on_minimum(const struct keyword_case *k)
{
    set_bound(k, &k->node->minimum);
}

static void on_maximum(const struct keyword_case *k)
{
    set_bound(k, &k->node->maximum);
}

static void on_above(const struct keyword_case *k)
{
    set_bound(k, &k->node->above);
}

static void on_below(const struct keyword_case *k)
{
    set_bound(k, &k->node->below);
}

/* With a fraction it would mean what a double makes of it: 0.3 is no multiple of 0.1. */
static void on_multiple(const struct keyword_case *k)
{
    long double n = 0;

    if (!number_of(k, &n))
        return;
    if (n <= 0 || truncl(n) != n)
        refuse(k->compiler, k->path, "must be a whole number greater than 0");
    else
        k->node->multiple_of = n;
}

static void set_count(const struct keyword_case *k, size_t *ret_count)
{
    if (json_is_integer(k->value) && json_integer_value(k->value) >= 0)
        *ret_count = (size_t)json_integer_value(k->value);
    else
        refuse(k->compiler, k->path, "must be a whole number, 0 or greater");
}

static void on_min_length(const struct keyword_case *k)
{
    set_count(k, &k->node->length.min);
}

static void on_max_length(const struct keyword_case *k)
{
    set_count(k, &k->node->length.max);
}

static void on_min_items(const struct keyword_case *k)
{
    set_count(k, &k->node->items_count.min);
}

static void on_max_items(const struct keyword_case *k)
{
    set_count(k, &k->node->items_count.max);
}

static void on_min_properties(const struct keyword_case *k)
{
    set_count(k, &k->node->properties_count.min);
}

static void on_max_properties(const struct keyword_case *k)
{
    set_count(k, &k->node->properties_count.max);
}

/* ---- texts, arrays, objects -------------------------------------------------------- */

static void on_pattern(const struct keyword_case *k)
{
    const char *text = json_string_value(k->value);
    struct errinfo e = { 0 };

    if (!text)
        refuse(k->compiler, k->path, "must be a text: a regular expression");
    else if (pattern_compile(text, &k->node->pattern, &e) < 0)
        refuse(k->compiler, k->path, "%s", e.text);
    k->node->pattern_text = text;
}

static void on_unique_items(const struct keyword_case *k)
{
    if (!json_is_boolean(k->value))
        refuse(k->compiler, k->path, "must be true or false");
    k->node->unique_items = json_is_true(k->value);
}

/* NOLINTBEGIN(misc-no-recursion): as deep as JSON may be */
static void on_items(const struct keyword_case *k)
{
    k->node->items = compile_node(k->compiler, k->value, k->path);
}

static void on_additional(const struct keyword_case *k)
{
    k->node->additional = compile_node(k->compiler, k->value, k->path);
}

static struct schema_property *find_property(struct schema_node *node, const char *name)
{
    for (size_t i = 0; i < node->property_count; i++)
        if (text_equal(node->properties[i].name, name))
            return &node->properties[i];
    return NULL;
}

/* The property of that name, new if need be. */
static struct schema_property *add_property(struct schema_node *node, const char *name)
{
    struct schema_property *p = find_property(node, name);

    if (p)
        return p;
    node->properties =
        mem_resize(node->properties, node->property_count + 1, sizeof *node->properties);
    p = &node->properties[node->property_count++];
    *p = (struct schema_property){ .name = name };
    return p;
}

static void on_properties(const struct keyword_case *k)
{
    const char *name;
    json_t *value;

    if (!json_is_object(k->value)) {
        refuse(k->compiler, k->path, "must be names, each with its schema");
        return;
    }
    if (json_object_size(k->value) > ARGS_SCHEMA_NODES_MAX) {
        refuse(k->compiler, k->path, "must have at most %d names", ARGS_SCHEMA_NODES_MAX);
        return;
    }
    json_object_foreach (json_iterable(k->value), name, value) {
        AUTO(mem) char *path = mem_printf("%s.%s", k->path, name);

        add_property(k->node, name)->node = compile_node(k->compiler, value, path);
    }
}
/* NOLINTEND(misc-no-recursion) */

static void on_required(const struct keyword_case *k)
{
    size_t count = json_array_size(k->value);

    if (!json_is_array(k->value) || count > ARGS_SCHEMA_NODES_MAX) {
        refuse(k->compiler, k->path, "must be a list of at most %d names",
               ARGS_SCHEMA_NODES_MAX);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(k->value, i));
        AUTO(mem) char *path = mem_printf("%s[%zu]", k->path, i);

        if (!name)
            refuse(k->compiler, path, "must be the name of a property");
        else
            add_property(k->node, name)->required = true;
    }
}

static void on_note(const struct keyword_case *k)
{
    (void)k; /* for people */
}

/* ---- one schema -------------------------------------------------------------------- */

static const struct keyword {
    const char *name;
    void (*compile)(const struct keyword_case *k);
} keywords[] = {
    { "type", on_type },
    { "const", on_const },
    { "enum", on_enum },
    { "minimum", on_minimum },
    { "maximum", on_maximum },
    { "exclusiveMinimum", on_above },
    { "exclusiveMaximum", on_below },
    { "multipleOf", on_multiple },
    { "minLength", on_min_length },
    { "maxLength", on_max_length },
    { "pattern", on_pattern },
    { "items", on_items },
    { "minItems", on_min_items },
    { "maxItems", on_max_items },
    { "uniqueItems", on_unique_items },
    { "properties", on_properties },
    { "required", on_required },
    { "additionalProperties", on_additional },
    { "minProperties", on_min_properties },
    { "maxProperties", on_max_properties },
    { "title", on_note },
    { "description", on_note },
    { "default", on_note },
    { "examples", on_note },
    { "deprecated", on_note },
    { "$schema", on_note },
    { "$comment", on_note },
};

/* Those of JSON Schema that are left out, so that they are not taken for typing errors. */
static const char *const left_out[] = {
    "$ref",
    "$dynamicRef",
    "$id",
    "$anchor",
    "$defs",
    "$vocabulary",
    "definitions",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "minContains",
    "maxContains",
    "prefixItems",
    "propertyNames",
    "patternProperties",
    "format",
    "dependentSchemas",
    "dependentRequired",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
};

static void refuse_keyword(struct compiler *c, const char *path, const char *name)
{
    struct suggestion s = { .word = name };

    for (size_t i = 0; i < COUNT_OF(left_out); i++) {
        if (text_equal(left_out[i], name)) {
            refuse(c, path,
                   "jobd does not check this keyword of JSON Schema, so it must not"
                   " be here; jobd(1) has those that it checks");
            return;
        }
    }
    for (size_t i = 0; i < COUNT_OF(keywords); i++)
        suggest_consider(&s, keywords[i].name);
    refuse(c, path, "there is no such keyword%s%s%s", s.nearest ? "; did you mean " : "",
           s.nearest ? s.nearest : "; jobd(1) has those that there are", s.nearest ? "?" : "");
}

static int compare_properties(const void *a, const void *b)
{
    return strcmp(((const struct schema_property *)a)->name,
                  ((const struct schema_property *)b)->name);
}

/* NOLINTBEGIN(misc-no-recursion): as deep as JSON may be */
static void compile_keywords(struct compiler *c, struct schema_node *node, const json_t *json,
                             const char *path)
{
    size_t known = 0;
    const char *name;
    json_t *value;

    for (size_t i = 0; i < COUNT_OF(keywords); i++) {
        AUTO(mem) char *at = mem_printf("%s%s%s", path, *path ? "." : "", keywords[i].name);
        const struct keyword_case k = { c, node, at, json_object_get(json, keywords[i].name) };

        if (k.value) {
            keywords[i].compile(&k);
            known++;
        }
    }
    if (known == json_object_size(json))
        return;
    json_object_foreach (json_iterable(json), name, value) {
        AUTO(mem) char *at = mem_printf("%s%s%s", path, *path ? "." : "", name);

        for (size_t i = 0; i <= COUNT_OF(keywords); i++) {
            if (i == COUNT_OF(keywords))
                refuse_keyword(c, at, name);
            else if (text_equal(keywords[i].name, name))
                break;
        }
    }
}

static struct schema_node *node_free(struct schema_node *node)
{
    if (!node)
        return NULL;
    for (size_t i = 0; i < node->value_count; i++)
        free(node->values[i]);
    free(node->values);
    node->pattern = pattern_free(node->pattern);
    node->items = node_free(node->items);
    for (size_t i = 0; i < node->property_count; i++)
        (void)node_free(node->properties[i].node);
    free(node->properties);
    node->additional = node_free(node->additional);
    free(node);
    return NULL;
}

/* NULL with a report when there are too many of them. */
static struct schema_node *compile_node(struct compiler *c, const json_t *json,
                                        const char *path)
{
    struct schema_node *node;

    if (++c->schema->node_count > ARGS_SCHEMA_NODES_MAX) {
        if (c->schema->node_count == ARGS_SCHEMA_NODES_MAX + 1)
            refuse(c, path, "there are more than %d schemas in it", ARGS_SCHEMA_NODES_MAX);
        return NULL;
    }
    node = mem_new0(sizeof *node);
    node->never = json_is_false(json);
    node->length.max = node->items_count.max = node->properties_count.max = SIZE_MAX;
    if (json_is_object(json))
        compile_keywords(c, node, json, path);
    else if (!json_is_boolean(json))
        refuse(c, path, "must be a schema: keywords with their values, or true or false");
    if (node->property_count > 1)
        qsort(node->properties, node->property_count, sizeof *node->properties,
              compare_properties);
    return node;
}
/* NOLINTEND(misc-no-recursion) */

int args_schema_compile(const char *text, size_t len, args_schema_report report, void *ctx,
                        struct args_schema **ret_schema)
{
    AUTO(args_schema) struct args_schema *s = mem_new0(sizeof *s);
    struct compiler c = { .schema = s, .report = report, .ctx = ctx };
    struct errinfo e = { 0 };

    if (len > ARGS_SCHEMA_MAX_BYTES) {
        refuse(&c, "", "it has more than %d bytes", ARGS_SCHEMA_MAX_BYTES);
        return ERR_CONFIG;
    }
    if (json_text_parse(text, len, &s->json, &e) < 0) {
        refuse(&c, "", "%s", e.text);
        return ERR_CONFIG;
    }
    s->root = compile_node(&c, s->json, "");
    if (c.faulty)
        return ERR_CONFIG;
    *ret_schema = TAKE(s);
    return 0;
}

struct args_schema *args_schema_free(struct args_schema *s)
{
    if (!s)
        return NULL;
    json_decref(s->json);
    (void)node_free(s->root);
    free(s);
    return NULL;
}

const json_t *args_schema_json(const struct args_schema *s)
{
    return s->json;
}
