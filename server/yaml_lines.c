#include "server/yaml_lines.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#define DEPTH_MAX 40 /* a JSON Schema may be that deep */

struct walk {
    yaml_parser_t parser;
    yaml_event_t event; /* the one in hand */
    bool has_event;
    struct buf path;
    struct yaml_lines *lines;
    size_t depth;
    struct errinfo *e;
};

static size_t event_line(const struct walk *w)
{
    return w->event.start_mark.line + 1;
}

static int next_event(struct walk *w)
{
    const yaml_parser_t *p = &w->parser;

    if (w->has_event)
        yaml_event_delete(&w->event);
    w->has_event = yaml_parser_parse(&w->parser, &w->event) == 1;
    if (w->has_event)
        return 0;
    if (p->error == YAML_READER_ERROR)
        return err_set(w->e, ERR_CONFIG, "byte %zu: %s", p->problem_offset, p->problem);
    return err_set(w->e, ERR_CONFIG, "this is not YAML: %s%s%s",
                   p->problem ? p->problem : "unreadable", p->context ? ", " : "",
                   p->context ? p->context : "");
}

static bool is_known(const struct walk *w)
{
    for (size_t i = 0; i < w->lines->count; i++)
        if (text_equal(w->lines->items[i].path, w->path.data))
            return true;
    return false;
}

static int add_entry(struct walk *w, size_t key_at, size_t line)
{
    struct yaml_lines *lines = w->lines;

    if (is_known(w))
        return err_set(w->e, ERR_CONFIG, "%s is here a second time", w->path.data);
    lines->items = mem_resize(lines->items, lines->count + 1, sizeof *lines->items);
    lines->items[lines->count++] =
        (struct yaml_entry){ mem_dup(w->path.data, w->path.len), key_at, line };
    return 0;
}

/* Cut the path back to what it was before a step down. */
static void step_up(struct walk *w, size_t len)
{
    w->path.len = len;
    if (w->path.data)
        w->path.data[len] = '\0';
}

static int scalar_text(struct walk *w, const char **ret_text)
{
    const char *text = (const char *)w->event.data.scalar.value;

    if (strlen(text) != w->event.data.scalar.length)
        return err_set(w->e, ERR_CONFIG, "a text holds a NUL byte");
    *ret_text = text;
    return 0;
}

/* NOLINTBEGIN(misc-no-recursion): at most DEPTH_MAX deep */
static int walk_node(struct walk *w);

/* The key is the event in hand. */
static int walk_member(struct walk *w)
{
    size_t before = w->path.len, line = event_line(w), key_at;
    const char *key = "";
    int r;

    if (w->event.type != YAML_SCALAR_EVENT)
        return err_set(w->e, ERR_CONFIG, "a key must be a plain word");
    r = scalar_text(w, &key);
    if (r < 0)
        return r;
    if (before > 0)
        buf_add_char(&w->path, '.');
    key_at = w->path.len;
    buf_add_str(&w->path, key);
    r = add_entry(w, key_at, line);
    if (r < 0)
        return r;
    r = next_event(w);
    if (r < 0)
        return r;
    r = walk_node(w);
    if (r < 0)
        return r;
    step_up(w, before);
    return 0;
}

static int walk_item(struct walk *w, size_t index)
{
    size_t before = w->path.len;
    int r;

    buf_printf(&w->path, "[%zu]", index);
    r = add_entry(w, w->path.len, event_line(w));
    if (r < 0)
        return r;
    r = walk_node(w);
    if (r < 0)
        return r;
    step_up(w, before);
    return 0;
}

static int walk_collection(struct walk *w, yaml_event_type_t end)
{
    size_t index = 0;
    int r;

    if (++w->depth > DEPTH_MAX)
        return err_set(w->e, ERR_CONFIG, "nested too deep");
    for (;;) {
        r = next_event(w);
        if (r < 0)
            return r;
        if (w->event.type == end)
            break;
        r = end == YAML_MAPPING_END_EVENT ? walk_member(w) : walk_item(w, index++);
        if (r < 0)
            return r;
    }
    w->depth--;
    return 0;
}

/* The event in hand begins a node; afterwards it is the last of it. */
static int walk_node(struct walk *w)
{
    const char *text;

    switch (w->event.type) {
    case YAML_SCALAR_EVENT:
        return scalar_text(w, &text);
    case YAML_MAPPING_START_EVENT:
        return walk_collection(w, YAML_MAPPING_END_EVENT);
    case YAML_SEQUENCE_START_EVENT:
        return walk_collection(w, YAML_SEQUENCE_END_EVENT);
    case YAML_ALIAS_EVENT:
        return err_set(w->e, ERR_CONFIG, "aliases (*name) are not for this file");
    default:
        return err_set(w->e, ERR_CONFIG, "this is not expected here");
    }
}

/* NOLINTEND(misc-no-recursion) */

static int walk_document(struct walk *w)
{
    int documents = 0;

    for (;;) {
        int r = next_event(w);

        if (r < 0)
            return r;
        switch (w->event.type) {
        case YAML_STREAM_END_EVENT:
            return 0;
        case YAML_DOCUMENT_START_EVENT:
            if (documents++ > 0)
                return err_set(w->e, ERR_CONFIG, "a second document begins here");
            break;
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        default:
            r = walk_node(w);
            if (r < 0)
                return r;
        }
    }
}

/* Where a fault was found. */
static size_t fault_line(const struct walk *w)
{
    if (w->parser.error != YAML_NO_ERROR)
        return w->parser.problem_mark.line + 1;
    return w->has_event ? event_line(w) : 1;
}

int yaml_lines_read(const char *text, size_t len, struct yaml_lines *ret_lines,
                    size_t *ret_line, struct errinfo *e)
{
    AUTO_FINI(yaml_lines) struct yaml_lines lines = { 0 };
    struct walk w = { .lines = &lines, .e = e };
    int r;

    if (!yaml_parser_initialize(&w.parser))
        abort(); /* memory is out: as in base/mem.h */
    yaml_parser_set_input_string(&w.parser, (const unsigned char *)text, len);
    r = walk_document(&w);
    if (r < 0) {
        *ret_line = fault_line(&w);
    } else {
        *ret_lines = lines;
        lines = (struct yaml_lines){ 0 };
    }
    if (w.has_event)
        yaml_event_delete(&w.event);
    yaml_parser_delete(&w.parser);
    buf_fini(&w.path);
    return r;
}

void yaml_lines_fini(struct yaml_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        free(lines->items[i].path);
    free(lines->items);
    *lines = (struct yaml_lines){ 0 };
}

size_t yaml_lines_find(const struct yaml_lines *lines, const char *path)
{
    size_t best_len = 0, line = 1;

    for (size_t i = 0; i < lines->count; i++) {
        const char *known = lines->items[i].path, *rest;

        if (!text_starts(path, known, &rest) || (*rest && !strchr(".[", *rest)))
            continue;
        if (strlen(known) >= best_len) {
            best_len = strlen(known);
            line = lines->items[i].line;
        }
    }
    return line;
}
