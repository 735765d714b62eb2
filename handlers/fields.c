#include "handlers/fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "domain/suggest.h"
#include "handlers/common.h"

#define FIELDS_BEGIN(schema) static const char *const names_##schema[] = {
#define FIELD(name)          name,
#define FIELDS_END(schema)                                                                     \
    NULL                                                                                       \
    }                                                                                          \
    ;
/* clang-format off */
#include "handlers/fields.def"
/* clang-format on */
#undef FIELDS_BEGIN
#undef FIELD
#undef FIELDS_END

static const char *const *const known[FIELDS_MAX_] = {
#define FIELDS_BEGIN(schema) [FIELDS_##schema] = names_##schema,
#define FIELD(name)
#define FIELDS_END(schema)
#include "handlers/fields.def"
#undef FIELDS_BEGIN
#undef FIELD
#undef FIELDS_END
};

/* "args.*" stands for whatever is in args. */
static bool stands_for(const char *pattern, const char *name)
{
    size_t len = strlen(pattern);

    if (len < 2 || pattern[len - 1] != '*')
        return text_equal(pattern, name);
    return strncmp(pattern, name, len - 1) == 0 && name[len - 1] != '\0';
}

bool fields_known(enum fields_of of, const char *name)
{
    for (const char *const *at = known[of]; *at; at++)
        if (stands_for(*at, name))
            return true;
    return false;
}

static int bad_field(struct http_resp *rs, enum fields_of of, const char *name)
{
    struct suggestion s = { .word = name };

    for (const char *const *at = known[of]; *at; at++)
        suggest_consider(&s, *at);
    if (s.nearest)
        return common_bad_parameter(rs, "fields", "unknown-field",
                                    "\"%.80s\" is not a field; did you mean %s?", name,
                                    s.nearest);
    return common_bad_parameter(rs, "fields", "unknown-field", "\"%.80s\" is not a field",
                                name);
}

static int add(struct fields *f, enum fields_of of, const char *name, struct http_resp *rs)
{
    if (f->count == FIELDS_MAX)
        return common_bad_parameter(rs, "fields", "too-long", "at most %d fields are read",
                                    FIELDS_MAX);
    if (!fields_known(of, name))
        return bad_field(rs, of, name);
    f->names[f->count++] = name;
    return 0;
}

int fields_decode(struct fields *f, enum fields_of of, const struct http_req *rq,
                  struct http_resp *rs)
{
    AUTO_FINI(buf) struct buf all = { 0 };
    const char *value;
    char *rest;
    char *name;
    int r = 0;

    for (size_t i = 0; (value = http_query(rq, "fields", i)) != NULL; i++) {
        if (i > 0)
            buf_add_char(&all, ',');
        buf_add_str(&all, value);
    }
    if (!http_query(rq, "fields", 0))
        return 0;
    rest = f->text = buf_steal(&all);
    while (r == 0 && (name = strsep(&rest, ",")) != NULL)
        r = add(f, of, name, rs);
    return r;
}

/* Copy what `name` leads to. A member's own name may have dots in it: labels. */
static void copy_path(json_t *to, json_t *from, const char *name)
{
    const char *dot = strchr(name, '.');
    json_t *whole = json_object_get(from, name);
    AUTO(mem) char *first = NULL;
    json_t *inner;
    json_t *copy;

    if (whole || !dot) {
        if (whole)
            (void)json_object_set(to, name, whole);
        return;
    }
    first = mem_dup(name, (size_t)(dot - name));
    inner = json_object_get(from, first);
    if (!json_is_object(inner))
        return;
    copy = json_incref(json_object_get(to, first));
    if (!copy)
        copy = json_object();
    if (copy != inner) /* else asked for as a whole before */
        copy_path(copy, inner, dot + 1);
    if (json_object_size(copy) > 0)
        (void)json_object_set(to, first, copy);
    json_decref(copy);
}

json_t *fields_project(const struct fields *f, json_t *take_object)
{
    json_t *object;

    if (f->count == 0)
        return take_object;
    object = json_object();
    for (size_t i = 0; i < f->count; i++)
        copy_path(object, take_object, f->names[i]);
    json_decref(take_object);
    return object;
}

void fields_fini(struct fields *f)
{
    free(f->text);
    *f = (struct fields){ 0 };
}
