#include "domain/api_key_spec.h"

#include "base/mem.h"
#include "base/text.h"
#include "domain/suggest.h"

struct draft {
    const struct principal *maker;
    usec_t now_us;
    struct api_key *key;
    struct faults *faults;
};

static void decode_name(struct draft *d, const json_t *value, const char *pointer)
{
    const char *text = json_string_value(value);

    if (!text)
        faults_add(d->faults, pointer, "wrong-type", "must be a text");
    else if (strlen(text) > API_KEY_NAME_MAX)
        faults_add(d->faults, pointer, "too-long", "has at most %d bytes", API_KEY_NAME_MAX);
    else
        d->key->name = mem_str(text);
}

/* -- lists -------------------------------------------------------------------------------- */

static void add_scope(struct draft *d, const char *text, const char *pointer)
{
    struct errinfo why = { 0 };
    uint32_t before = d->key->grant.scopes;

    if (strchr(text, ',') || text_equal(text, "*") ||
        grant_set(&d->key->grant, "scopes", text, &why) < 0) {
        faults_add(d->faults, pointer, "unknown-scope", "%s",
                   why.text[0] ? why.text : "there is no such scope");
        return;
    }
    if (!principal_may(d->maker, (enum scope)scope_parse(text))) {
        d->key->grant.scopes = before;
        faults_add(d->faults, pointer, "not-yours", "your credential does not have this scope");
    }
}

static void add_name(struct draft *d, const char *part, const struct name_set *own,
                     const char *text, const char *pointer)
{
    struct errinfo why = { 0 };

    if (strchr(text, ',') || !text_is_token(text, GRANT_NAME_MAX))
        faults_add(d->faults, pointer, "invalid", "is not a name");
    else if (!name_set_has(own, text))
        faults_add(d->faults, pointer, "not-yours", "your credential does not allow this");
    else if (grant_set(&d->key->grant, part, text, &why) < 0)
        faults_add(d->faults, pointer, "too-many", "%s", why.text);
}

/* own: NULL for scopes. */
static void decode_list(struct draft *d, const json_t *value, const char *pointer,
                        const char *part, const struct name_set *own)
{
    size_t i;
    json_t *item;

    if (own && json_is_null(value))
        return;
    if (!json_is_array(value)) {
        faults_add(d->faults, pointer, "wrong-type", "must be a list of texts");
        return;
    }
    json_array_foreach (value, i, item) {
        AUTO(mem) char *place = mem_printf("%s/%zu", pointer, i);
        const char *text = json_string_value(item);

        if (!text)
            faults_add(d->faults, place, "wrong-type", "must be a text");
        else if (own)
            add_name(d, part, own, text, place);
        else
            add_scope(d, text, place);
    }
}

static void decode_scopes(struct draft *d, const json_t *value, const char *pointer)
{
    decode_list(d, value, pointer, "scopes", NULL);
}

static void decode_functions(struct draft *d, const json_t *value, const char *pointer)
{
    decode_list(d, value, pointer, "functions", &d->maker->functions);
}

static void decode_queues(struct draft *d, const json_t *value, const char *pointer)
{
    decode_list(d, value, pointer, "queues", &d->maker->queues);
}

/* -- the rest ----------------------------------------------------------------------------- */

static void decode_rate(struct draft *d, const json_t *value, const char *pointer)
{
    json_int_t limit = json_integer_value(json_object_get(value, "limit"));
    json_int_t seconds = json_integer_value(json_object_get(value, "window_seconds"));

    if (json_is_null(value))
        return;
    if (limit < 1 || limit > GRANT_RATE_MAX || seconds < 1 || seconds > GRANT_SECONDS_MAX ||
        json_object_size(value) != 2) {
        faults_add(d->faults, pointer, "invalid",
                   "must be {\"limit\": requests, \"window_seconds\": 1 to %d}",
                   GRANT_SECONDS_MAX);
        return;
    }
    if (d->maker->rate > 0 && limit * d->maker->rate_seconds > d->maker->rate * seconds) {
        faults_add(d->faults, pointer, "not-yours",
                   "your credential allows %lld in %lld seconds", (long long)d->maker->rate,
                   (long long)d->maker->rate_seconds);
        return;
    }
    d->key->grant.rate = limit;
    d->key->grant.rate_seconds = seconds;
}

static void decode_expires(struct draft *d, const json_t *value, const char *pointer)
{
    const char *text = json_string_value(value);

    if (json_is_null(value))
        return;
    if (!text || !clock_parse(text, &d->key->expires_at_us))
        faults_add(d->faults, pointer, "invalid", "must be a date-time (RFC 3339)");
    else if (d->key->expires_at_us <= d->now_us)
        faults_add(d->faults, pointer, "out-of-range", "must be in the future");
}

static const struct {
    const char *name;
    void (*decode)(struct draft *d, const json_t *value, const char *pointer);
} members[] = {
    { "name", decode_name },     { "scopes", decode_scopes }, { "functions", decode_functions },
    { "queues", decode_queues }, { "rate", decode_rate },     { "expires_at", decode_expires },
};

static void decode_member(struct draft *d, const char *name, const json_t *value)
{
    AUTO(mem) char *pointer = faults_pointer("#", name);
    struct suggestion s = { .word = name };

    for (size_t i = 0; i < COUNT_OF(members); i++) {
        if (text_equal(members[i].name, name)) {
            members[i].decode(d, value, pointer);
            return;
        }
        suggest_consider(&s, members[i].name);
    }
    if (s.nearest)
        faults_add(d->faults, pointer, "unknown-field",
                   "there is no such field; did you mean %s?", s.nearest);
    else
        faults_add(d->faults, pointer, "unknown-field", "there is no such field");
}

static void copy_names(struct name_set *to, const struct name_set *from)
{
    to->items = mem_array0(from->count + 1, sizeof *to->items);
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++)
        to->items[i] = mem_str(from->items[i]);
}

/* What was not said is not more than the maker has. */
static void limit_to_maker(struct draft *d)
{
    struct api_key *key = d->key;
    const struct principal *p = d->maker;

    if (key->grant.functions.count == 0 && p->functions.count > 0)
        copy_names(&key->grant.functions, &p->functions);
    if (key->grant.queues.count == 0 && p->queues.count > 0)
        copy_names(&key->grant.queues, &p->queues);
    if (p->expires_at_us != 0 &&
        (key->expires_at_us == 0 || key->expires_at_us > p->expires_at_us))
        key->expires_at_us = p->expires_at_us;
    if (key->grant.rate == 0) {
        key->grant.rate = p->rate;
        key->grant.rate_seconds = p->rate_seconds;
    }
    key->grant.tenant = mem_str(p->tenant);
    if (!key->name)
        key->name = mem_str("");
}

void api_key_spec_decode(const json_t *body, const struct principal *maker, usec_t now_us,
                         struct api_key *key, struct faults *f)
{
    struct draft d = { .maker = maker, .now_us = now_us, .key = key, .faults = f };
    const char *name;
    json_t *value;

    if (!json_is_object(body)) {
        faults_add(f, "#", "wrong-type", "must be an object");
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)body, name, value)
        decode_member(&d, name, value);
    if (!json_object_get(body, "scopes"))
        faults_add(f, "#/scopes", "missing", "say what the key is good for");
    limit_to_maker(&d);
}

static bool names_are_within(const struct name_set *names, const struct name_set *own)
{
    if (own->count > 0 && names->count == 0)
        return false;
    for (size_t i = 0; i < names->count; i++)
        if (!name_set_has(own, names->items[i]))
            return false;
    return true;
}

bool api_key_is_within(const struct grant *g, const struct principal *p)
{
    if (!principal_may(p, SCOPE_ADMIN) && (g->scopes & ~p->scopes) != 0)
        return false;
    return names_are_within(&g->functions, &p->functions) &&
           names_are_within(&g->queues, &p->queues);
}
