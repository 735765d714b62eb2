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

/* Step from *at, where *name leads on, into its member before the next dot: false when name is
 * a member of *at itself, which may have dots in it (labels), or leads nowhere. */
static bool step_into(json_t **at, const char **name, char **ret_first)
{
    const char *dot = strchr(*name, '.');
    AUTO(mem) char *first = dot ? mem_dup(*name, (size_t)(dot - *name)) : NULL;
    json_t *inner = first ? json_object_get(*at, first) : NULL;

    if (json_object_get(*at, *name) || !json_is_object(inner))
        return false;
    *at = inner;
    *name = dot + 1;
    *ret_first = TAKE(first);
    return true;
}

static bool leads_somewhere(json_t *from, const char *name)
{
    char *first;

    while (step_into(&from, &name, &first))
        free(first);
    return json_object_get(from, name) != NULL;
}

/* Copy what `name` leads to, with the objects on the way. */
static void copy_path(json_t *to, json_t *from, const char *name)
{
    char *first;

    if (!leads_somewhere(from, name))
        return;
    while (step_into(&from, &name, &first)) {
        json_t *copy = json_object_get(to, first);

        if (!copy) {
            copy = json_object();
            (void)json_object_set_new(to, first, copy);
        }
        free(first);
        if (copy == from)
            return; /* asked for as a whole before */
        to = copy;
    }
    (void)json_object_set(to, name, json_object_get(from, name));
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
