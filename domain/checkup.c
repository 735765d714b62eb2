#include "domain/checkup.h"

#include <assert.h>
#include <stdlib.h>

#include "domain/json_text.h"

static const char *const state_names[CHECK_STATE_MAX_] = {
    [CHECK_OK] = "ok",
    [CHECK_DEGRADED] = "degraded",
    [CHECK_FAILED] = "failed",
};

static const char *const scope_names[SCOPE_MAX_] = {
    [SCOPE_NONE] = "none",
    [SCOPE_PROCESS] = "process",
    [SCOPE_USER] = "user",
    [SCOPE_ATTEMPT] = "attempt",
};

static const char *const scope_texts[SCOPE_MAX_] = {
    [SCOPE_NONE] = "not enforced",
    [SCOPE_PROCESS] = "of each process",
    [SCOPE_USER] = "of the user's processes together",
    [SCOPE_ATTEMPT] = "of the attempt as a whole",
};

void checkup_add(struct checkup *c, const char *name, enum check_state state, char *take_found,
                 char *take_follows, char *take_remedy)
{
    struct check *k = &c->items[c->count];

    assert(c->count < CHECKUP_MAX);
    c->count++;
    k->name = name;
    k->state = state;
    k->found = take_found;
    k->follows = take_follows;
    k->remedy = take_remedy;
}

enum check_state checkup_state(const struct checkup *c)
{
    enum check_state worst = CHECK_OK;

    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].state > worst)
            worst = c->items[i].state;
    return worst;
}

static void add_line(struct buf *out, const char *label, const char *text)
{
    if (text)
        buf_printf(out, "%-10s%-16s%s\n", "", label, text);
}

void checkup_print(const struct checkup *c, struct buf *out)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct check *k = &c->items[i];

        buf_printf(out, "%-10s%-16s%s\n", state_names[k->state], k->name, k->found);
        add_line(out, "  it follows", k->follows);
        add_line(out, "  remedy", k->remedy);
    }
    buf_printf(out, "\nprocesses are held by: %s\n", containment_name(c->containment));
    for (int i = 0; i < LIMIT_MAX_; i++)
        buf_printf(out, "  limit %-18s%s\n", limit_meta((enum limit)i)->name,
                   scope_texts[c->scopes[i]]);
    buf_printf(out, "\n%s\n",
               checkup_state(c) == CHECK_OK ? "All works here."
                                            : "Not all works here as well as it could.");
}

static void set_text(json_t *object, const char *name, const char *text)
{
    if (text)
        (void)json_object_set_new(object, name, json_string(text));
}

void checkup_print_json(const struct checkup *c, struct buf *out)
{
    AUTO(json) json_t *root = json_object();
    json_t *limits = json_object();
    json_t *checks = json_array();

    for (int i = 0; i < LIMIT_MAX_; i++)
        set_text(limits, limit_meta((enum limit)i)->name, scope_names[c->scopes[i]]);
    for (size_t i = 0; i < c->count; i++) {
        json_t *check = json_object();

        set_text(check, "name", c->items[i].name);
        set_text(check, "state", state_names[c->items[i].state]);
        set_text(check, "found", c->items[i].found);
        set_text(check, "follows", c->items[i].follows);
        set_text(check, "remedy", c->items[i].remedy);
        (void)json_array_append_new(checks, check);
    }
    set_text(root, "state", state_names[checkup_state(c)]);
    set_text(root, "containment", containment_name(c->containment));
    (void)json_object_set_new(root, "limits", limits);
    (void)json_object_set_new(root, "checks", checks);
    json_text_add(out, root);
    buf_add_char(out, '\n');
}

void checkup_fini(struct checkup *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->items[i].found);
        free(c->items[i].follows);
        free(c->items[i].remedy);
    }
    *c = (struct checkup){ 0 };
}
