/* server/config_loader.h - what the parts of the file's loader share: config.c (the schema, the
 * top-level keys), config_function.c (one function), config_policy.c (limits and retries) and
 * config_schema.c (the schema of args).
 * Nobody else includes this.
 */
#ifndef JOBD_SERVER_CONFIG_LOADER_H
#define JOBD_SERVER_CONFIG_LOADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "server/options.h"
#include "server/yaml_lines.h"

struct loader {
    const char *name; /* of the file */
    const char *text;
    size_t text_len;
    struct settings *settings;
    struct yaml_lines lines;
    struct buf *faults;
    bool faulty;
    struct buf cyaml_log; /* what libcyaml says of the document: its first error */
};

/* What the file has for one key of a table: a text, or the items of a list. */
struct raw {
    char *text; /* NULL: not there */
    char **items;
    unsigned count;
};

/* Add a fault: "FILE:LINE: PLACE: what is wrong". */
__attribute__((format(printf, 4, 5))) void
config_fault(struct loader *l, size_t line, const char *place, const char *format, ...);
/* Put the values of one mapping at base by its table. prefix: "", or "functions[2]." */
void config_set_values(struct loader *l, const struct option *table, size_t count,
                       const struct raw *raw, const char *prefix, void *base);

/* The keys of limits; offsets are in struct limits. */
#define CONFIG_LIMIT_KEYS LIMIT_MAX_
extern const struct option config_limit_keys[CONFIG_LIMIT_KEYS];

/* The keys of a retry policy; offsets are config_policy.c's own. */
#define CONFIG_RETRY_KEYS 8
extern const struct option config_retry_keys[CONFIG_RETRY_KEYS];
/* prefix: "functions[2].retry." What is not said is as in retry_default(). */
void config_load_retry(struct loader *l, const struct raw *raw, const char *prefix,
                       struct retry_policy *ret_policy);

/* The keys of a function; offsets are config_function.c's own. */
#define CONFIG_FUNCTION_KEYS 17
extern const struct option config_function_keys[CONFIG_FUNCTION_KEYS];

struct raw_limits {
    struct raw keys[CONFIG_LIMIT_KEYS];
};
struct raw_retry {
    struct raw keys[CONFIG_RETRY_KEYS];
};
struct raw_function {
    struct raw keys[CONFIG_FUNCTION_KEYS];
    struct raw_limits limits;
    struct raw_retry retry;
};

/* The schema of the args of function number index (from 0), or NULL: there is none, or a fault
 * was added. file: its args_schema_file, or NULL. The caller's. */
struct args_schema *config_load_args_schema(struct loader *l, size_t index, const char *file);

/* Check function number index (from 0) and add it to the settings. */
void config_load_function(struct loader *l, const struct raw_function *raw, size_t index);

#endif
