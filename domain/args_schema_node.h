/* domain/args_schema_node.h - a compiled schema. Private to args_schema. */
#ifndef JOBD_DOMAIN_ARGS_SCHEMA_NODE_H
#define JOBD_DOMAIN_ARGS_SCHEMA_NODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "domain/pattern.h"

enum schema_type {
    TYPE_NULL,
    TYPE_BOOLEAN,
    TYPE_OBJECT,
    TYPE_ARRAY,
    TYPE_NUMBER,
    TYPE_STRING,
    TYPE_INTEGER, /* a number without a fraction */
    TYPE_MAX_
};
extern const char *const schema_type_names[TYPE_MAX_];

/* Bounds of numbers. long double holds every integer of 64 bits and every double exactly. */
struct number_bound {
    bool is_set;
    long double value;
};

/* Bounds of a length or a count. */
struct count_bound {
    size_t min;
    size_t max; /* SIZE_MAX: none */
};

struct schema_property {
    const char *name; /* borrowed from the schema's JSON */
    struct schema_node *node;
    bool required; /* node may be NULL then: any value */
};

struct schema_node {
    bool never;     /* false: no value is right */
    unsigned types; /* bits 1 << enum schema_type; 0: all */
    char **values;  /* of enum or const, in canonical form and in order; NULL: any */
    size_t value_count;
    const json_t *values_json; /* the same for people; borrowed */
    struct number_bound minimum, maximum, above, below;
    long double multiple_of; /* 0: none */
    struct count_bound length, items_count, properties_count;
    struct pattern *pattern;  /* NULL: none */
    const char *pattern_text; /* borrowed */
    bool unique_items;
    struct schema_node *items;          /* NULL: any */
    struct schema_property *properties; /* in order of their names */
    size_t property_count;
    struct schema_node *additional; /* of other properties; NULL: any */
};

struct args_schema {
    json_t *json;
    struct schema_node *root;
    size_t node_count;
};

/* A text that is the same for equal values, and for no others. */
void schema_canonical(struct buf *out, const json_t *value);
/* The same as a new string. */
char *schema_canonical_text(const json_t *value);

#endif
