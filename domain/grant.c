#include "domain/grant.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/suggest.h"

/* -- one part ----------------------------------------------------------------------------- */

static int set_tenant(struct grant *g, const char *text, struct errinfo *e)
{
    if (*text != '\0' && !text_is_token(text, GRANT_TENANT_MAX))
        return err_set(e, ERR_VALIDATION,
                       "a tenant is named with 1 to %d characters out of A-Z a-z 0-9 . _ -",
                       GRANT_TENANT_MAX);
    free(g->tenant);
    g->tenant = mem_str(text);
    return 0;
}

static int add_scope(struct grant *g, const char *name, struct errinfo *e)
{
    struct suggestion s = { .word = name };
    int scope = scope_parse(name);

    if (text_equal(name, "*")) {
        g->scopes = GRANT_ALL_SCOPES;
        return 0;
    }
    if (scope >= 0) {
        g->scopes |= GRANT_SCOPE(scope);
        return 0;
    }
    for (int i = 0; i < SCOPE_MAX_; i++)
        suggest_consider(&s, scope_name((enum scope)i));
    if (s.nearest)
        return err_set(e, ERR_VALIDATION, "there is no scope \"%.40s\"; did you mean %s?", name,
                       s.nearest);
    return err_set(e, ERR_VALIDATION, "there is no scope \"%.40s\"", name);
}

/* Each of the words that are separated by commas, as a heap string; NULL behind the last. */
static char *next_name(const char **text)
{
    size_t n;
    char *name;

    *text += strspn(*text, ",");
    if (**text == '\0')
        return NULL;
    n = strcspn(*text, ",");
    name = mem_dup(*text, n);
    *text += n;
    return name;
}

static int add_scopes(struct grant *g, const char *text, struct errinfo *e)
{
    char *name;
    int r = 0;

    while (r == 0 && (name = next_name(&text)) != NULL) {
        r = add_scope(g, name, e);
        free(name);
    }
    return r;
}

static int add_name(struct name_set *names, const char *name, struct errinfo *e)
{
    if (!text_is_token(name, GRANT_NAME_MAX))
        return err_set(e, ERR_VALIDATION, "\"%.40s\" is not a name", name);
    if (names->count == GRANT_NAMES_MAX)
        return err_set(e, ERR_VALIDATION, "more than %d names", GRANT_NAMES_MAX);
    names->items = mem_resize(names->items, names->count + 1, sizeof *names->items);
    names->items[names->count++] = mem_str(name);
    return 0;
}

static int add_names(struct name_set *names, const char *text, struct errinfo *e)
{
    char *name;
    int r = 0;

    if (text_equal(text, "*"))
        return 0;
    while (r == 0 && (name = next_name(&text)) != NULL) {
        r = add_name(names, name, e);
        free(name);
    }
    return r;
}

static int set_rate(struct grant *g, const char *text, struct errinfo *e)
{
    size_t n = strcspn(text, "/");
    AUTO(mem) char *rate = mem_dup(text, n);
    int64_t seconds = 1;

    if (!text_to_i64(rate, 1, GRANT_RATE_MAX, &g->rate) ||
        (text[n] == '/' && !text_to_i64(text + n + 1, 1, GRANT_SECONDS_MAX, &seconds)))
        return err_set(e, ERR_VALIDATION,
                       "a rate is a number of requests and of seconds: 100/60, not \"%.40s\"",
                       text);
    g->rate_seconds = seconds;
    return 0;
}

int grant_set(struct grant *g, const char *part, const char *text, struct errinfo *e)
{
    if (text_equal(part, "tenant"))
        return set_tenant(g, text, e);
    if (text_equal(part, "scopes"))
        return add_scopes(g, text, e);
    if (text_equal(part, "functions"))
        return add_names(&g->functions, text, e);
    if (text_equal(part, "queues"))
        return add_names(&g->queues, text, e);
    if (text_equal(part, "rate"))
        return set_rate(g, text, e);
    return err_set(e, ERR_VALIDATION,
                   "\"%.40s\" is none of tenant, scopes, functions, queues, rate", part);
}

/* -- several ------------------------------------------------------------------------------ */

static int parse_word(struct grant *g, const char *word, size_t len, struct errinfo *e)
{
    const char *equals = memchr(word, '=', len);
    AUTO(mem) char *part = mem_dup(word, equals ? (size_t)(equals - word) : len);
    AUTO(mem) char *text = equals ? mem_dup(equals + 1, len - strlen(part) - 1) : NULL;

    if (!text)
        return err_set(e, ERR_VALIDATION, "\"%.40s\" has no value: write tenant=acme", part);
    return grant_set(g, part, text, e);
}

int grant_parse(struct grant *g, const char *text, struct errinfo *e)
{
    for (;;) {
        size_t n;
        int r;

        text += strspn(text, " \t");
        if (*text == '\0')
            return 0;
        n = strcspn(text, " \t");
        r = parse_word(g, text, n, e);
        if (r < 0)
            return r;
        text += n;
    }
}

/* -- the whole ---------------------------------------------------------------------------- */

void grant_format_scopes(uint32_t scopes, char separator, struct buf *out)
{
    bool first = true;

    for (int i = 0; i < SCOPE_MAX_; i++) {
        if ((scopes & GRANT_SCOPE(i)) == 0)
            continue;
        if (!first)
            buf_add_char(out, separator);
        buf_add_str(out, scope_name((enum scope)i));
        first = false;
    }
}

void grant_format_names(const struct name_set *names, struct buf *out)
{
    for (size_t i = 0; i < names->count; i++)
        buf_printf(out, "%s%s", i > 0 ? "," : "", names->items[i]);
}

static void copy_names(struct name_set *to, const struct name_set *from)
{
    to->items = mem_array0(from->count + 1, sizeof *to->items);
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++)
        to->items[i] = mem_str(from->items[i]);
}

void grant_copy(struct grant *to, const struct grant *from)
{
    *to = *from;
    to->tenant = mem_str_or_null(from->tenant);
    copy_names(&to->functions, &from->functions);
    copy_names(&to->queues, &from->queues);
}

static void names_fini(struct name_set *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

void grant_fini(struct grant *g)
{
    free(g->tenant);
    names_fini(&g->functions);
    names_fini(&g->queues);
    *g = (struct grant){ 0 };
}
