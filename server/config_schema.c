/* server/config_schema.c - args_schema of a function: written into the configuration, or in a
 * file of JSON beside it (args_schema_file). */
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "domain/args_schema.h"
#include "server/config_loader.h"
#include "server/yaml_json.h"

/* Where the schema in hand comes from. */
struct source {
    struct loader *loader;
    const char *path; /* "functions[2].args_schema" or "functions[2].args_schema_file" */
    const char *file; /* NULL: the configuration itself */
};

/* Of args_schema_compile(). */
static void report(void *ctx, const char *path, const char *text)
{
    const struct source *s = ctx;
    AUTO(mem) char *place = NULL;

    if (s->file) {
        config_fault(s->loader, yaml_lines_find(&s->loader->lines, s->path), s->path,
                     "%s: %s%s%s", s->file, path, *path ? ": " : "", text);
        return;
    }
    place = mem_printf("%s%s%s", s->path, *path ? "." : "", path);
    config_fault(s->loader, yaml_lines_find(&s->loader->lines, place), place, "%s", text);
}

static bool is_there(const struct loader *l, const char *path)
{
    for (size_t i = 0; i < l->lines.count; i++)
        if (strcmp(l->lines.items[i].path, path) == 0)
            return true;
    return false;
}

static struct args_schema *compile(struct source *s, const struct buf *text)
{
    struct args_schema *schema = NULL;

    /* < 0: report() has told why */
    (void)args_schema_compile(text->data ? text->data : "", text->len, report, s, &schema);
    return schema;
}

/* A relative path starts where the configuration is. */
static char *path_beside(const struct loader *l, const char *file)
{
    const char *slash = strrchr(l->name, '/');

    if (file[0] == '/' || !slash)
        return mem_str(file);
    return mem_printf("%.*s/%s", (int)(slash - l->name), l->name, file);
}

static struct args_schema *load_file(struct source *s)
{
    AUTO(mem) char *path = path_beside(s->loader, s->file);
    AUTO_FINI(buf) struct buf text = { 0 };
    struct errinfo e = { 0 };
    int r = fd_read_file(path, ARGS_SCHEMA_MAX_BYTES, &text, &e);

    if (r == ERR_NOT_FOUND)
        report(s, "", "there is no such file");
    else if (r < 0)
        report(s, "", e.text);
    return r < 0 ? NULL : compile(s, &text);
}

struct args_schema *config_load_args_schema(struct loader *l, size_t index, const char *file)
{
    AUTO(mem) char *inline_path = mem_printf("functions[%zu].args_schema", index);
    AUTO(mem) char *file_path = mem_printf("functions[%zu].args_schema_file", index);
    struct source s = { .loader = l, .path = inline_path };
    AUTO_FINI(buf) struct buf text = { 0 };
    bool is_inline = is_there(l, inline_path);

    if (is_inline && file) {
        report(&s, "", "there is an args_schema_file, too: one of them will do");
        return NULL;
    }
    if (is_inline) {
        (void)yaml_json_find(l->text, l->text_len, "functions", index, "args_schema", &text);
        return compile(&s, &text);
    }
    if (!file)
        return NULL;
    s.path = file_path;
    s.file = file;
    return load_file(&s);
}
