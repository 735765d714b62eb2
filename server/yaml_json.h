/* server/yaml_json.h - a part of a YAML text as JSON, for what has no schema of libcyaml's.
 *
 * Plain scalars are what YAML's core schema says of them: null and ~, true and false, and
 * numbers as JSON writes them; everything else, and whatever is in quotes, is a text. Pure.
 */
#ifndef JOBD_SERVER_YAML_JSON_H
#define JOBD_SERVER_YAML_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Append the value at list[index].key of a text that yaml_lines_read() has accepted. False when
 * there is none. */
bool yaml_json_find(const char *text, size_t len, const char *list, size_t index,
                    const char *key, struct buf *ret_json);

#endif
