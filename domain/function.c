#include "domain/function.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/args_schema.h"
#include "domain/job.h"
#include "domain/json_text.h"

/* ---- templates --------------------------------------------------------------------- */

/* What a template is made of, from left to right. */
struct piece {
    enum piece_kind {
        PIECE_END,
        PIECE_TEXT, /* stands for itself; a doubled brace is a text of one brace */
        PIECE_NAME, /* the name of a placeholder */
        PIECE_FAULT
    } kind;
    const char *text; /* in the template; for PIECE_FAULT a constant that says what is wrong */
    size_t len;
};

static bool is_name_char(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

/* p is behind the opening brace. */
static struct piece placeholder(const char *p)
{
    size_t len = 0;

    while (is_name_char(p[len], len == 0))
        len++;
    if (p[len] == '}' && len > 0)
        return (struct piece){ PIECE_NAME, p, len };
    if (!strchr(p, '}'))
        return (struct piece){ PIECE_FAULT, "{ without }; write {{ for the brace itself", 0 };
    return (struct piece){ PIECE_FAULT,
                           "the name between { and } is not [A-Za-z_][A-Za-z0-9_]*; write {{ "
                           "and }} for the braces themselves",
                           0 };
}

/* The piece at *p; moves *p behind it. */
static struct piece next_piece(const char **p)
{
    const char *at = *p;
    struct piece piece;

    if (*at == '\0')
        return (struct piece){ PIECE_END, at, 0 };
    if (*at != '{' && *at != '}') {
        piece = (struct piece){ PIECE_TEXT, at, strcspn(at, "{}") };
        *p += piece.len;
    } else if (at[1] == at[0]) {
        piece = (struct piece){ PIECE_TEXT, at, 1 };
        *p += 2;
    } else if (*at == '{') {
        piece = placeholder(at + 1);
        *p += piece.len + 2;
    } else {
        piece = (struct piece){ PIECE_FAULT, "} without {; write }} for the brace itself", 0 };
    }
    return piece;
}

int function_check_template(const char *text, struct errinfo *e)
{
    const char *p = text;

    for (;;) {
        const char *at = p;
        struct piece piece = next_piece(&p);

        if (piece.kind == PIECE_END)
            return 0;
        if (piece.kind == PIECE_FAULT)
            return err_set(e, ERR_CONFIG, "byte %td of \"%.200s\": %s", at - text + 1, text,
                           piece.text);
    }
}

/* ---- parameters -------------------------------------------------------------------- */

/* Goes through the placeholders of all arguments of a function. */
struct cursor {
    char *const *arg;
    const char *p; /* in *arg, or NULL before it */
};

static bool next_name(struct cursor *c, struct piece *ret_name)
{
    for (; *c->arg; c->arg++, c->p = NULL) {
        struct piece piece;

        if (!c->p)
            c->p = *c->arg;
        while ((piece = next_piece(&c->p)).kind == PIECE_TEXT)
            ;
        if (piece.kind == PIECE_NAME) {
            *ret_name = piece;
            return true;
        }
    }
    return false;
}

/* The arguments of a warm program are its own; no job fills them. */
static struct cursor names_of(const struct function *fn)
{
    static char *const none[] = { NULL };

    return (struct cursor){ .arg = fn->kind == FUNCTION_COMMAND ? fn->argv : none };
}

static bool array_has(const json_t *array, struct piece name)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);

        if (json_string_length(item) == name.len &&
            memcmp(json_string_value(item), name.text, name.len) == 0)
            return true;
    }
    return false;
}

json_t *function_parameters(const struct function *fn)
{
    json_t *names = json_array();
    struct cursor c = names_of(fn);
    struct piece name;

    while (next_name(&c, &name))
        if (!array_has(names, name))
            (void)json_array_append_new(names, json_stringn(name.text, name.len));
    return names;
}

static const json_t *arg_of(const json_t *args, struct piece name)
{
    return json_object_getn(args, name.text, name.len); /* NULL when args is no object */
}

static bool fills(const json_t *value)
{
    return json_is_string(value) || json_is_number(value) || json_is_boolean(value);
}

/* Whether a placeholder that is there twice, or that the schema asks for, too, was found
 * missing already. */
static bool is_known(const struct faults *f, size_t from, const char *pointer)
{
    size_t len = strlen(++pointer); /* behind the "#", where a place may have been put in */

    for (size_t i = from; i < f->count; i++) {
        const char *known = f->items[i].pointer;
        size_t known_len = strlen(known);

        if (known_len > len && text_equal(known + known_len - len, pointer))
            return true;
    }
    return false;
}

static void check_arg(struct piece name, const json_t *args, size_t from, struct faults *f)
{
    static const char want[] = "a string, a number or a boolean";
    const json_t *value = arg_of(args, name);
    AUTO(mem) char *text = NULL;
    AUTO(mem) char *pointer = NULL;

    if (fills(value) && json_string_length(value) <= JOB_ARG_MAX_BYTES)
        return;
    text = mem_dup(name.text, name.len);
    pointer = faults_pointer("#/args", text);
    if (is_known(f, from, pointer))
        return;
    if (!value)
        faults_add(f, pointer, "missing", "the function's command needs it: %s", want);
    else if (!fills(value))
        faults_add(f, pointer, "wrong-type", "must be %s", want);
    else
        faults_add(f, pointer, "too-long", "must have at most %d bytes", JOB_ARG_MAX_BYTES);
}

void function_check_args(const struct function *fn, const json_t *args, struct faults *f)
{
    struct cursor c = names_of(fn);
    struct piece name;
    size_t from = f->count;

    if (fn->args_schema)
        args_schema_check(fn->args_schema, args, f);
    while (next_name(&c, &name)) {
        if (args && !json_is_object(args)) {
            faults_add(f, "#/args", "wrong-type",
                       "must be an object: the function's command needs its member %.*s",
                       (int)name.len, name.text);
            return;
        }
        check_arg(name, args, from, f);
    }
}

int function_expand(const char *text, const json_t *args, struct buf *out, struct errinfo *e)
{
    size_t start = out->len;
    struct piece piece;

    while ((piece = next_piece(&text)).kind != PIECE_END) {
        const json_t *value;

        if (piece.kind == PIECE_TEXT) {
            buf_add(out, piece.text, piece.len);
            continue;
        }
        if (piece.kind == PIECE_FAULT)
            return err_set(e, ERR_VALIDATION, "%s", piece.text);
        value = arg_of(args, piece);
        if (!fills(value))
            return err_set(e, ERR_VALIDATION, "args has no usable member %.*s", (int)piece.len,
                           piece.text);
        if (json_is_string(value))
            buf_add(out, json_string_value(value), json_string_length(value));
        else
            json_text_add(out, value);
    }
    if (out->len - start > JOB_ARG_MAX_BYTES)
        return err_set(e, ERR_VALIDATION, "an argument has more than %d bytes",
                       JOB_ARG_MAX_BYTES);
    return 0;
}

/* ---- the table --------------------------------------------------------------------- */

const struct function *function_find(const struct function_table *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (text_equal(t->items[i].name, name))
            return &t->items[i];
    return NULL;
}

const char *function_pool(const struct function *fn)
{
    return fn->kind == FUNCTION_PROGRAM ? fn->name : "";
}

const struct limits *function_ceiling(const struct function_table *t, const struct function *fn)
{
    return fn ? &fn->limits : &t->command_limits;
}

void function_fini(struct function *fn)
{
    free(fn->name);
    free(fn->description);
    for (size_t i = 0; i < fn->argc; i++)
        free(fn->argv[i]);
    free(fn->argv);
    fn->args_schema = args_schema_free(fn->args_schema);
    *fn = (struct function){ 0 };
}

void function_table_fini(struct function_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        function_fini(&t->items[i]);
    free(t->items);
    *t = (struct function_table){ 0 };
}
