#include "server/identities.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define NAME_MAX_LEN 256

struct identity {
    enum identity_kind kind;
    char *name;          /* NULL: everybody */
    bool tenant_is_name; /* grant.tenant is not set */
    struct grant grant;
};

static const struct {
    const char *prefix;
    enum principal_via via;
} kinds[IDENTITY_KIND_MAX_] = {
    [IDENTITY_HEADER] = { "header:", PRINCIPAL_GATEWAY },
    [IDENTITY_CERT] = { "cert:", PRINCIPAL_MTLS },
    [IDENTITY_UID] = { "uid:", PRINCIPAL_UNIX },
};

static void identity_fini(struct identity *id)
{
    free(id->name);
    grant_fini(&id->grant);
    *id = (struct identity){ 0 };
}
DEFINE_AUTO_FINI(identity, struct identity)

/* -- from the configuration --------------------------------------------------------------- */

static int parse_kind(const char **text, struct identity *id, struct errinfo *e)
{
    for (int kind = 0; kind < IDENTITY_KIND_MAX_; kind++)
        if (text_starts(*text, kinds[kind].prefix, text)) {
            id->kind = (enum identity_kind)kind;
            return 0;
        }
    return err_set(e, ERR_CONFIG,
                   "\"%.100s\" does not begin with header:, cert: or uid: and a name", *text);
}

static int parse_name(const char **text, struct identity *id, struct errinfo *e)
{
    size_t n = strcspn(*text, " \t");
    int64_t uid;

    if (n == 0 || n > NAME_MAX_LEN)
        return err_set(e, ERR_CONFIG, "the name has 1 to %d characters", NAME_MAX_LEN);
    if (n != 1 || **text != '*')
        id->name = mem_dup(*text, n);
    if (id->name && id->kind == IDENTITY_UID && !text_to_i64(id->name, 0, UINT32_MAX, &uid))
        return err_set(e, ERR_CONFIG, "uid:%.40s is not a number", id->name);
    *text += n;
    return 0;
}

/* " tenant=* scopes=..." */
static int parse_grant(const char *text, struct identity *id, struct errinfo *e)
{
    static const char wild[] = " tenant=*";
    const char *at = strstr(text, wild);
    AUTO(mem) char *rest = mem_str(text);
    struct errinfo why = { 0 };

    if (at && strcspn(at + 1, " \t") == sizeof wild - 2) {
        memset(rest + (at - text), ' ', sizeof wild - 1);
        id->tenant_is_name = true;
    }
    if (id->tenant_is_name && id->name)
        return err_set(e, ERR_CONFIG, "tenant=* goes with the name * only");
    if (grant_parse(&id->grant, rest, &why) < 0)
        return err_set(e, ERR_CONFIG, "%s", why.text);
    return 0;
}

int identities_add(struct identities *list, const char *text, struct errinfo *e)
{
    AUTO_FINI(identity) struct identity id = { 0 };
    int r;

    r = parse_kind(&text, &id, e);
    if (r < 0)
        return r;
    r = parse_name(&text, &id, e);
    if (r < 0)
        return r;
    r = parse_grant(text, &id, e);
    if (r < 0)
        return r;
    list->items = mem_resize(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = id;
    id = (struct identity){ 0 };
    return 0;
}

void identities_fini(struct identities *list)
{
    for (size_t i = 0; i < list->count; i++)
        identity_fini(&list->items[i]);
    free(list->items);
    *list = (struct identities){ 0 };
}

/* -- asking ------------------------------------------------------------------------------- */

bool identities_have(const struct identities *list, enum identity_kind kind)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].kind == kind)
            return true;
    return false;
}

static const struct identity *find(const struct identities *list, enum identity_kind kind,
                                   const char *name)
{
    const struct identity *everybody = NULL;

    for (size_t i = 0; i < list->count; i++) {
        const struct identity *id = &list->items[i];

        if (id->kind != kind)
            continue;
        if (!id->name)
            everybody = id;
        else if (text_equal(id->name, name))
            return id;
    }
    return everybody;
}

bool identities_know(const struct identities *list, enum identity_kind kind, const char *name)
{
    const struct identity *id = find(list, kind, name);

    return id && id->name;
}

struct caller *identities_find(const struct identities *list, enum identity_kind kind,
                               const char *name)
{
    const struct identity *id = find(list, kind, name);
    AUTO(mem) char *key_id = NULL;
    AUTO_FINI(grant) struct grant grant = { 0 };

    if (!id)
        return NULL;
    grant_copy(&grant, &id->grant);
    if (id->tenant_is_name && grant_set(&grant, "tenant", name, NULL) < 0)
        return NULL; /* what cannot be a tenant is nobody */
    key_id = mem_printf("%s%s", kinds[kind].prefix, name);
    return caller_new(kinds[kind].via, key_id, name, &grant, 0);
}
