#include "domain/api_key_json.h"

static const char *const via_names[PRINCIPAL_VIA_MAX_] = {
    [PRINCIPAL_NONE] = "none", [PRINCIPAL_KEY] = "key",   [PRINCIPAL_GATEWAY] = "gateway",
    [PRINCIPAL_MTLS] = "mtls", [PRINCIPAL_UNIX] = "unix",
};

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static json_t *time_or_null(usec_t at_us)
{
    char room[CLOCK_TEXT_SIZE];

    return at_us == 0 ? json_null() : json_string(clock_format(at_us, room));
}

static json_t *encode_scopes(uint32_t scopes)
{
    json_t *list = json_array();

    for (int i = 0; i < SCOPE_MAX_; i++)
        if ((scopes & GRANT_SCOPE(i)) != 0)
            (void)json_array_append_new(list, json_string(scope_name((enum scope)i)));
    return list;
}

/* null: all. */
static json_t *encode_names(const struct name_set *names)
{
    json_t *list;

    if (names->count == 0)
        return json_null();
    list = json_array();
    for (size_t i = 0; i < names->count; i++)
        (void)json_array_append_new(list, json_string(names->items[i]));
    return list;
}

static json_t *encode_rate(int64_t rate, int64_t seconds)
{
    if (rate == 0)
        return json_null();
    return json_pack("{s:I, s:I}", "limit", (json_int_t)rate, "window_seconds",
                     (json_int_t)seconds);
}

const char *api_key_state(const struct api_key *key, usec_t now_us)
{
    if (key->revoked_at_us != 0)
        return "revoked";
    return api_key_is_good(key, now_us) ? "active" : "expired";
}

json_t *api_key_encode(const struct api_key *key, usec_t now_us)
{
    const struct grant *g = &key->grant;

    return json_pack(
        "{s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", key->id, "name",
        text_or_null(key->name), "state", api_key_state(key, now_us), "tenant",
        g->tenant ? g->tenant : "", "scopes", encode_scopes(g->scopes), "functions",
        encode_names(&g->functions), "queues", encode_names(&g->queues), "rate",
        encode_rate(g->rate, g->rate_seconds), "created_at", time_or_null(key->created_at_us),
        "expires_at", time_or_null(key->expires_at_us), "revoked_at",
        time_or_null(key->revoked_at_us), "last_used_at", time_or_null(key->last_used_at_us));
}

static int add_to_buf(const char *text, size_t len, void *ctx)
{
    buf_add(ctx, text, len);
    return 0;
}

static void print(json_t *take_json, struct buf *out)
{
    (void)json_dump_callback(take_json, add_to_buf, out, JSON_INDENT(2)); /* cannot fail */
    buf_add_char(out, '\n');
    json_decref(take_json);
}

void api_key_print_json(const struct api_key *key, const char *token, usec_t now_us,
                        struct buf *out)
{
    json_t *json = api_key_encode(key, now_us);

    if (token)
        (void)json_object_set_new(json, "token", json_string(token));
    print(json, out);
}

void api_keys_print_json(const struct api_keys *keys, usec_t now_us, struct buf *out)
{
    json_t *list = json_array();

    for (size_t i = 0; i < keys->count; i++)
        (void)json_array_append_new(list, api_key_encode(&keys->items[i], now_us));
    print(list, out);
}

json_t *principal_encode(const struct principal *p)
{
    uint32_t scopes = principal_may(p, SCOPE_ADMIN) ? GRANT_ALL_SCOPES : p->scopes;

    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "via", via_names[p->via],
                     "tenant", p->tenant, "key_id", text_or_null(p->key_id), "name",
                     text_or_null(p->name), "scopes", encode_scopes(scopes), "functions",
                     encode_names(&p->functions), "queues", encode_names(&p->queues), "rate",
                     encode_rate(p->rate, p->rate_seconds), "expires_at",
                     time_or_null(p->expires_at_us));
}
