#include "server/config.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "domain/suggest.h"
#include "pool/supervisor.h"
#include "server/auth.h"
#include "server/config_loader.h"
#include "server/identities.h"
#include "server/listen.h"
#include "server/tls_settings.h"

/* ---- the schema, and what libcyaml makes of a file by it ------------------------------------
 */

struct raw_file {
    struct raw keys[OPTIONS_MAX];
    struct raw_limits command_limits;
    struct raw_function *functions;
    unsigned functions_count;
};

static const cyaml_schema_value_t item_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

/* All values are loaded as texts and read by option_set(), as those of flags are. */
static cyaml_schema_field_t key_schema(const struct option *o, size_t index)
{
    size_t at = index * sizeof(struct raw);
    cyaml_schema_field_t field = {
        .key = o->key,
        .data_offset = (uint32_t)(at + offsetof(struct raw, text)),
        .value = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, char, 0,
                                      CYAML_UNLIMITED) },
    };

    if (o->kind == OPTION_LIST)
        field = (cyaml_schema_field_t){
            .key = o->key,
            .data_offset = (uint32_t)(at + offsetof(struct raw, items)),
            .count_offset = (uint32_t)(at + offsetof(struct raw, count)),
            .count_size = sizeof(unsigned),
            .value = { CYAML_VALUE_SEQUENCE(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, char *,
                                            &item_schema, 0, CYAML_UNLIMITED) },
        };
    return field;
}

/* Lives as long as the document that was loaded by it. */
struct schema {
    cyaml_schema_field_t limit_fields[CONFIG_LIMIT_KEYS + 1];
    cyaml_schema_field_t retry_fields[CONFIG_RETRY_KEYS + 1];
    cyaml_schema_field_t function_fields[CONFIG_FUNCTION_KEYS + 3];
    cyaml_schema_value_t function;
    cyaml_schema_field_t fields[OPTIONS_MAX + 3];
    cyaml_schema_value_t file;
};

/* Returns what follows the fields of the table. */
static cyaml_schema_field_t *add_keys(cyaml_schema_field_t *fields, const struct option *table,
                                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        fields[i] = key_schema(&table[i], i);
    return fields + count;
}

static void schema_init(struct schema *s)
{
    const cyaml_schema_field_t functions =
        CYAML_FIELD_SEQUENCE("functions", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                             struct raw_file, functions, &s->function, 0, CYAML_UNLIMITED);
    const cyaml_schema_field_t command_limits =
        CYAML_FIELD_MAPPING("command_limits", CYAML_FLAG_OPTIONAL, struct raw_file,
                            command_limits, s->limit_fields);
    const cyaml_schema_field_t limits = CYAML_FIELD_MAPPING(
        "limits", CYAML_FLAG_OPTIONAL, struct raw_function, limits, s->limit_fields);
    const cyaml_schema_field_t retry = CYAML_FIELD_MAPPING(
        "retry", CYAML_FLAG_OPTIONAL, struct raw_function, retry, s->retry_fields);
    cyaml_schema_field_t *next;

    *s = (struct schema){
        .function = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_function,
                                          s->function_fields) },
        .file = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_file, s->fields) },
    };
    (void)add_keys(s->limit_fields, config_limit_keys, CONFIG_LIMIT_KEYS);
    (void)add_keys(s->retry_fields, config_retry_keys, CONFIG_RETRY_KEYS);
    next = add_keys(s->function_fields, config_function_keys, CONFIG_FUNCTION_KEYS);
    *next++ = limits;
    *next = retry;
    next = add_keys(s->fields, options, options_count);
    *next++ = functions;
    *next = command_limits;
}

/* ---- faults ------------------------------------------------------------------------------ */

void config_fault(struct loader *l, size_t line, const char *place, const char *format, ...)
{
    va_list args;
    char text[ERR_TEXT_SIZE];

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_printf(l->faults, "%s:%zu: %s%s%s\n", l->name, line, place, *place ? ": " : "", text);
    l->faulty = true;
}

/* A fault at a path of the document. */
#define fault_at(l, path, ...)                                                                 \
    config_fault(l, yaml_lines_find(&(l)->lines, path), path, __VA_ARGS__)

/* ---- unknown keys ------------------------------------------------------------------------ */

/* A mapping of the document: where it is, and the keys that it may have. */
static const struct mapping {
    const char *place; /* before its keys; "functions[]." stands for each function */
    const struct option *table;
    size_t count;
    const char *nested[3]; /* keys that are not in the table */
} mappings[] = {
    { "", options, 0 /* options_count */, { "functions", "command_limits" } },
    { "functions[].",
      config_function_keys,
      CONFIG_FUNCTION_KEYS,
      { "limits", "retry", "args_schema" } },
    { "functions[].limits.", config_limit_keys, CONFIG_LIMIT_KEYS, { 0 } },
    { "functions[].retry.", config_retry_keys, CONFIG_RETRY_KEYS, { 0 } },
    { "command_limits.", config_limit_keys, CONFIG_LIMIT_KEYS, { 0 } },
};

static size_t key_count(const struct mapping *m)
{
    return m->count > 0 ? m->count : options_count;
}

/* Whether the first len bytes of path are the place, with any number for "[]". */
static bool is_at(const char *place, const char *path, size_t len)
{
    const char *end = path + len;

    for (; *place; place++, path++) {
        if (path >= end || *place != *path)
            return false;
        if (*place == '[')
            path += strspn(path + 1, "0123456789");
    }
    return path == end;
}

static const struct mapping *mapping_of(const struct yaml_entry *entry)
{
    for (size_t i = 0; i < COUNT_OF(mappings); i++)
        if (is_at(mappings[i].place, entry->path, entry->key_at))
            return &mappings[i];
    return NULL;
}

static void check_key(struct loader *l, const struct yaml_entry *entry, const struct mapping *m)
{
    const char *key = entry->path + entry->key_at;
    struct suggestion s = { .word = key };

    for (size_t i = 0; i < key_count(m); i++) {
        if (text_equal(m->table[i].key, key))
            return;
        suggest_consider(&s, m->table[i].key);
    }
    for (size_t i = 0; i < COUNT_OF(m->nested) && m->nested[i]; i++) {
        if (text_equal(m->nested[i], key))
            return;
        suggest_consider(&s, m->nested[i]);
    }
    config_fault(l, entry->line, entry->path, "there is no such key%s%s%s",
                 s.nearest ? "; did you mean " : "; see jobd(1)", s.nearest ? s.nearest : "",
                 s.nearest ? "?" : "");
}

static void check_keys(struct loader *l)
{
    for (size_t i = 0; i < l->lines.count; i++) {
        const struct yaml_entry *entry = &l->lines.items[i];
        const struct mapping *m = mapping_of(entry);

        if (m && entry->path[entry->key_at] != '\0') /* else an item of a list */
            check_key(l, entry, m);
    }
}

/* ---- what libcyaml finds ----------------------------------------------------------------- */

__attribute__((format(printf, 3, 0))) static void on_cyaml_log(cyaml_log_t level, void *ctx,
                                                               const char *format, va_list args)
{
    struct loader *l = ctx;
    char text[256];

    if (level < CYAML_LOG_ERROR)
        return;
    (void)vsnprintf(text, sizeof text, format, args);
    buf_add_str(&l->cyaml_log, text);
}

static const struct option *find_key(const struct option *table, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(table[i].key, key))
            return &table[i];
    return NULL;
}

/* What a value of this key must be, in a mapping within the list of functions or outside. */
static char *wants_of(const char *key, bool in_function)
{
    if (text_equal(key, "functions"))
        return mem_str("a list of functions, each with its keys: - name: wordcount");
    for (size_t i = 0; i < COUNT_OF(mappings); i++) {
        const struct mapping *m = &mappings[i];
        const struct option *o = find_key(m->table, key_count(m), key);

        if (o && in_function == text_starts(m->place, "functions", NULL))
            return option_wants(o);
    }
    return mem_str("keys with their values: workers: 4");
}

/* What stands between the first `before` and the next `end`; "" when it is not there. */
static char *word_after(const char *text, const char *before, const char *end)
{
    const char *at = strstr(text, before);

    if (!at)
        return mem_str("");
    at += strlen(before);
    return mem_dup(at, strcspn(at, end));
}

/* Make a fault of libcyaml's log, which names the innermost field first:
 *     Load: Expecting SEQUENCE, got event: SCALAR
 *     Load: Backtrace:
 *       in mapping field 'command' (line: 4, column: 14) */
static void fault_from_cyaml(struct loader *l, cyaml_err_t err)
{
    const char *log = l->cyaml_log.data ? l->cyaml_log.data : "";
    AUTO(mem) char *key = word_after(log, "in mapping field '", "'");
    AUTO(mem) char *digits = word_after(log, "(line: ", ",");
    bool in_function = strstr(log, "'functions'") && !text_equal(key, "functions");
    AUTO(mem) char *wants = wants_of(key, in_function);
    int64_t line = 1;

    (void)text_to_i64(digits, 1, INT32_MAX, &line); /* without one it is the first */
    if (err == CYAML_ERR_INVALID_VALUE)
        config_fault(l, (size_t)line, key, "must be %s", wants);
    else
        config_fault(l, (size_t)line, key, "%s: %.*s", cyaml_strerror(err),
                     (int)strcspn(log, "\n"), log);
}

/* ---- values ------------------------------------------------------------------------------ */

static void set_value(struct loader *l, const struct option *o, void *base, const char *path,
                      const char *text)
{
    struct errinfo e = { 0 };

    if (option_set(o, base, text, &e) < 0)
        fault_at(l, path, "%s", e.text);
}

/* Read all keys of one mapping. prefix: "" or "functions[2]." */
void config_set_values(struct loader *l, const struct option *table, size_t count,
                       const struct raw *raw, const char *prefix, void *base)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(mem) char *path = mem_printf("%s%s", prefix, table[i].key);

        if (raw[i].text)
            set_value(l, &table[i], base, path, raw[i].text);
        if (raw[i].items)
            option_clear(&table[i], base);
        for (unsigned j = 0; raw[i].items && j < raw[i].count; j++)
            set_value(l, &table[i], base, path, raw[i].items[j] ? raw[i].items[j] : "");
    }
}

static int check_address(const char *text, struct errinfo *e)
{
    struct address address;

    return address_parse(text, &address, e);
}

static int check_proxy(const char *text, struct errinfo *e)
{
    AUTO_FINI(trusted_proxies) struct trusted_proxies proxies = { 0 };

    return trusted_proxies_add(&proxies, text, e);
}

static int check_identity(const char *text, struct errinfo *e)
{
    AUTO_FINI(identities) struct identities list = { 0 };

    return identities_add(&list, text, e);
}

/* "https://host" or "https://host:port", as browsers send it: without a path. */
static int check_origin(const char *text, struct errinfo *e)
{
    const char *host = strstr(text, "://");

    if (text_equal(text, "*") || text_equal(text, "null"))
        return 0;
    if (!host || host == text || host[3] == 0 || strpbrk(host + 3, "/ ?#@"))
        return err_set(e, ERR_CONFIG, "\"%.60s\" is not an origin such as https://example.org",
                       text);
    return 0;
}

int config_queue_depth(const char *text, size_t *ret_name_len, int64_t *ret_max,
                       struct errinfo *e)
{
    size_t len = strcspn(text, "=");
    AUTO(mem) char *name = mem_printf("%.*s", (int)len, text);

    if (text[len] != '=' || !text_is_token(name, JOB_QUEUE_MAX) ||
        !text_to_i64(text + len + 1, 0, INT64_C(1000000000), ret_max))
        return err_set(e, ERR_CONFIG, "\"%.60s\" is not NAME=N, such as mail=1000", text);
    *ret_name_len = len;
    return 0;
}

static int check_depth(const char *text, struct errinfo *e)
{
    size_t len;
    int64_t max;

    return config_queue_depth(text, &len, &max, e);
}

static void check_list(struct loader *l, const char *key, const struct text_list *list,
                       int (*check)(const char *text, struct errinfo *e))
{
    for (size_t i = 0; i < list->count; i++) {
        AUTO(mem) char *path = mem_printf("%s[%zu]", key, i);
        struct errinfo e = { 0 };

        if (check(list->items[i], &e) < 0)
            fault_at(l, path, "%s", e.text);
    }
}

/* ---- the file ---------------------------------------------------------------------------- */

static void load_document(struct loader *l, const struct raw_file *file)
{
    config_set_values(l, options, options_count, file->keys, "", l->settings);
    config_set_values(l, config_limit_keys, CONFIG_LIMIT_KEYS, file->command_limits.keys,
                      "command_limits.", &l->settings->functions.command_limits);
    check_list(l, "listen", &l->settings->listen, check_address);
    check_list(l, "trusted_proxies", &l->settings->trusted_proxies, check_proxy);
    check_list(l, "identities", &l->settings->identities, check_identity);
    check_list(l, "cors_origins", &l->settings->cors_origins, check_origin);
    check_list(l, "queue_depths", &l->settings->queue_depths, check_depth);
    for (unsigned i = 0; i < file->functions_count; i++)
        config_load_function(l, &file->functions[i], i);
}

static void load_by_schema(struct loader *l, const char *text, size_t len)
{
    cyaml_config_t config = {
        .log_fn = on_cyaml_log,
        .log_ctx = l,
        .log_level = CYAML_LOG_ERROR,
        .mem_fn = cyaml_mem,
        /* Unknown keys were told already, all of them; so the rest can be looked at, too. */
        .flags = CYAML_CFG_NO_ALIAS | CYAML_CFG_IGNORE_UNKNOWN_KEYS,
    };
    struct schema schema;
    cyaml_data_t *data = NULL;
    cyaml_err_t err;

    schema_init(&schema);
    err = cyaml_load_data((const uint8_t *)text, len, &config, &schema.file, &data, NULL);
    if (err != CYAML_OK)
        fault_from_cyaml(l, err);
    else if (data)
        load_document(l, data);
    (void)cyaml_free(&config, &schema.file, data, 0);
}

bool config_load_text(const char *name, const char *text, size_t len, struct settings *s,
                      struct buf *faults)
{
    struct loader l = {
        .name = name, .text = text, .text_len = len, .settings = s, .faults = faults
    };
    struct errinfo e = { 0 };
    size_t line = 1;

    if (yaml_lines_read(text, len, &l.lines, &line, &e) < 0) {
        config_fault(&l, line, "", "%s", e.text);
        return false;
    }
    check_keys(&l);
    load_by_schema(&l, text, len);
    yaml_lines_fini(&l.lines);
    buf_fini(&l.cyaml_log);
    return !l.faulty;
}

bool config_load(const char *path, struct settings *s, struct buf *faults)
{
    AUTO_FINI(buf) struct buf text = { 0 };
    struct errinfo e = { 0 };
    int r = fd_read_file(path, CONFIG_FILE_MAX_BYTES, &text, &e);

    if (r == ERR_NOT_FOUND)
        buf_printf(faults, "%s: there is no such file\n", path);
    else if (r < 0)
        buf_printf(faults, "%s: %s\n", path, e.text);
    else
        return config_load_text(path, text.data ? text.data : "", text.len, s, faults);
    return false;
}

int config_trusted_proxies(const struct settings *s, struct trusted_proxies *ret_proxies,
                           struct errinfo *e)
{
    AUTO_FINI(trusted_proxies) struct trusted_proxies proxies = { 0 };
    struct errinfo why;

    for (size_t i = 0; i < s->trusted_proxies.count; i++)
        if (trusted_proxies_add(&proxies, s->trusted_proxies.items[i], &why) < 0)
            return err_set(e, ERR_CONFIG, "trusted_proxies: %s", why.text);
    *ret_proxies = proxies;
    proxies = (struct trusted_proxies){ 0 };
    return 0;
}

static int check_trusted_proxies(const struct settings *s, struct errinfo *e)
{
    AUTO_FINI(trusted_proxies) struct trusted_proxies proxies = { 0 };

    return config_trusted_proxies(s, &proxies, e);
}

static int check_workers(const struct settings *s, struct errinfo *e)
{
    int64_t workers = s->workers;
    bool commands = s->allow_commands;

    for (size_t i = 0; i < s->functions.count; i++) {
        workers += s->functions.items[i].workers;
        commands = commands || s->functions.items[i].kind == FUNCTION_COMMAND;
    }
    if (s->workers == 0 && commands)
        return err_set(e, ERR_CONFIG,
                       "workers: command functions and command jobs need at least 1");
    if (workers == 0)
        return err_set(e, ERR_CONFIG, "workers: at least 1 is needed, or a program function");
    if (workers > SUPERVISOR_WORKERS_MAX)
        return err_set(e, ERR_CONFIG, "workers: all pools together have %lld, more than %d",
                       (long long)workers, SUPERVISOR_WORKERS_MAX);
    return 0;
}

int config_check(const struct settings *s, struct errinfo *e)
{
    int r = check_workers(s, e);

    if (r == 0)
        r = check_trusted_proxies(s, e);
    if (r == 0)
        r = auth_check_settings(s, e);
    if (r == 0)
        r = tls_settings_check(s, e);
    if (r < 0)
        return r;
    return listeners_check(s->listen.items, s->listen.count, auth_reach(s), e);
}
