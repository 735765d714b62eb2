#include "server/yaml_json.h"

#include <string.h>
#include <yaml.h>

#include "base/text.h"

/* ---- scalars ----------------------------------------------------------------------------- */

static size_t digits(const char *p)
{
    return strspn(p, "0123456789");
}

/* A number as JSON has it. */
static bool is_number(const char *p)
{
    p += *p == '-';
    if (digits(p) == 0 || (*p == '0' && digits(p) > 1))
        return false;
    p += digits(p);
    if (*p == '.') {
        if (digits(p + 1) == 0)
            return false;
        p += 1 + digits(p + 1);
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '-' || *p == '+';
        if (digits(p) == 0)
            return false;
        p += digits(p);
    }
    return *p == '\0';
}

static void add_text(struct buf *out, const char *text, size_t len)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_add_char(out, (char)c);
    }
    buf_add_char(out, '"');
}

static void add_scalar(struct buf *out, const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    if (plain && (text_equal(text, "") || text_equal(text, "~")))
        buf_add_str(out, "null");
    else if (plain && (is_number(text) || text_equal(text, "null") ||
                       text_equal(text, "true") || text_equal(text, "false")))
        buf_add_str(out, text);
    else
        add_text(out, text, node->data.scalar.length);
}

/* ---- collections ------------------------------------------------------------------------- */

/* NOLINTBEGIN(misc-no-recursion): yaml_lines_read() bounds the depth */
static void add_node(struct buf *out, yaml_document_t *doc, int id);

static void add_sequence(struct buf *out, yaml_document_t *doc, const yaml_node_t *node)
{
    const yaml_node_item_t *item = node->data.sequence.items.start;

    buf_add_char(out, '[');
    for (; item < node->data.sequence.items.top; item++) {
        add_node(out, doc, *item);
        if (item + 1 < node->data.sequence.items.top)
            buf_add_char(out, ',');
    }
    buf_add_char(out, ']');
}

static void add_mapping(struct buf *out, yaml_document_t *doc, const yaml_node_t *node)
{
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;

    buf_add_char(out, '{');
    for (; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(doc, pair->key);

        add_text(out, (const char *)key->data.scalar.value, key->data.scalar.length);
        buf_add_char(out, ':');
        add_node(out, doc, pair->value);
        if (pair + 1 < node->data.mapping.pairs.top)
            buf_add_char(out, ',');
    }
    buf_add_char(out, '}');
}

static void add_node(struct buf *out, yaml_document_t *doc, int id)
{
    const yaml_node_t *node = yaml_document_get_node(doc, id);

    if (node->type == YAML_SEQUENCE_NODE)
        add_sequence(out, doc, node);
    else if (node->type == YAML_MAPPING_NODE)
        add_mapping(out, doc, node);
    else
        add_scalar(out, node);
}
/* NOLINTEND(misc-no-recursion) */

/* ---- the way to it ----------------------------------------------------------------------- */

/* The id of a member's value; 0 when there is none. */
static int member(yaml_document_t *doc, int id, const char *key)
{
    const yaml_node_t *node = yaml_document_get_node(doc, id);
    const yaml_node_pair_t *pair;

    if (!node || node->type != YAML_MAPPING_NODE)
        return 0;
    for (pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(doc, pair->key);

        if (text_equal((const char *)name->data.scalar.value, key))
            return pair->value;
    }
    return 0;
}

static int item(yaml_document_t *doc, int id, size_t index)
{
    const yaml_node_t *node = yaml_document_get_node(doc, id);

    if (!node || node->type != YAML_SEQUENCE_NODE)
        return 0;
    if (index >= (size_t)(node->data.sequence.items.top - node->data.sequence.items.start))
        return 0;
    return node->data.sequence.items.start[index];
}

bool yaml_json_find(const char *text, size_t len, const char *list, size_t index,
                    const char *key, struct buf *ret_json)
{
    yaml_parser_t parser;
    yaml_document_t doc;
    int id = 0;

    if (!yaml_parser_initialize(&parser))
        return false;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (yaml_parser_load(&parser, &doc)) {
        id = member(&doc, item(&doc, member(&doc, 1, list), index), key);
        if (id > 0)
            add_node(ret_json, &doc, id);
        yaml_document_delete(&doc);
    }
    yaml_parser_delete(&parser);
    return id > 0;
}
