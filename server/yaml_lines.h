/* server/yaml_lines.h - where everything stands in a YAML text.
 *
 * libcyaml checks a document against a schema and loads it, but forgets the lines; what is
 * found wrong later (a bound, a name that is there twice) must be told with its line, too.
 * Pure.
 */
#ifndef JOBD_SERVER_YAML_LINES_H
#define JOBD_SERVER_YAML_LINES_H

#include <stddef.h>

#include "base/clean.h"
#include "base/err.h"

/* One value of the document. */
struct yaml_entry {
    char *path;    /* "functions[2].timeout" */
    size_t key_at; /* path + key_at is its last key: "timeout"; its end for items of lists */
    size_t line;   /* from 1: of the key, or of the item */
};

/* Zeroed is empty. */
struct yaml_lines {
    struct yaml_entry *items; /* in the order of the text */
    size_t count;             /* 0: an empty document */
};

/* ERR_CONFIG: the text is not YAML, uses an alias, has a second document or the same key twice,
 * or is nested too deep; *ret_line is then set and says where. */
int yaml_lines_read(const char *text, size_t len, struct yaml_lines *ret_lines,
                    size_t *ret_line, struct errinfo *e);
void yaml_lines_fini(struct yaml_lines *lines);
DEFINE_AUTO_FINI(yaml_lines, struct yaml_lines)

/* The line of a path, or else that of the nearest thing around it; 1 at least. */
size_t yaml_lines_find(const struct yaml_lines *lines, const char *path);

#endif
