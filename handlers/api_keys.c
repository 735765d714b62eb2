/* /v1/api-keys: bearer keys of the caller's tenant. A token is answered when it is made, and
 * never again. */
#include "handlers/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"
#include "domain/api_key_json.h"
#include "domain/api_key_spec.h"
#include "domain/json_text.h"
#include "engine/requests.h"
#include "handlers/common.h"
#include "handlers/listing.h"

/* -- reading --------------------------------------------------------------------------------
 */

static int read_keys(const struct http_req *rq, struct api_keys *ret_keys, struct errinfo *e)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    int64_t version;
    int r;

    r = borrow_get(&b, common_service(rq), rq->principal->tenant, e);
    if (r < 0)
        return r;
    return store_read_api_keys(b.reader, ret_keys, &version, e);
}

static bool is_mine(const struct http_req *rq, const struct api_key *key)
{
    return text_equal(key->grant.tenant ? key->grant.tenant : "", rq->principal->tenant);
}

/* Of the caller's tenant; borrowed from the list. */
static int find_key(const struct http_req *rq, const char *id, struct api_keys *keys,
                    const struct api_key **ret_key, struct errinfo *e)
{
    int r;

    r = read_keys(rq, keys, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < keys->count; i++)
        if (text_equal(keys->items[i].id, id) && is_mine(rq, &keys->items[i])) {
            *ret_key = &keys->items[i];
            return 0;
        }
    return err_set(e, ERR_KEY_NOT_FOUND, "there is no key of this id");
}

int h_list_api_keys(struct http_req *rq, struct http_resp *rs)
{
    AUTO_FINI(api_keys) struct api_keys keys = { 0 };
    usec_t now_us = clock_wall_us();
    json_t *all;
    int r;

    r = read_keys(rq, &keys, &rs->err);
    if (r < 0)
        return r;
    all = json_array();
    for (size_t i = 0; i < keys.count; i++)
        if (is_mine(rq, &keys.items[i]))
            (void)json_array_append_new(all, api_key_encode(&keys.items[i], now_us));
    return listing_simple("/v1/api-keys", FIELDS_API_KEY, rq, rs, all);
}

int h_get_api_key(struct http_req *rq, struct http_resp *rs)
{
    AUTO_FINI(api_keys) struct api_keys keys = { 0 };
    const struct api_key *key = NULL;
    int r;

    r = common_no_query(rq, rs);
    if (r < 0)
        return r;
    r = find_key(rq, http_param(rq, "id"), &keys, &key, &rs->err);
    if (r < 0)
        return r;
    return http_reply_json(rs, 200, api_key_encode(key, clock_wall_us()));
}

/* -- changing -------------------------------------------------------------------------------
 */

struct changing {
    struct key_request request;
    char token[API_KEY_TOKEN_SIZE]; /* "" for a revocation */
};

static void changing_free(void *state)
{
    struct changing *c = state;

    api_key_fini(&c->request.key);
    secret_wipe(c, sizeof *c);
    free(c);
}

static struct changing *changing_new(struct http_req *rq, enum key_change change)
{
    struct changing *c = mem_new0(sizeof *c);

    rq->state = c;
    rq->state_free = changing_free;
    c->request.change = change;
    return c;
}

static int send(struct http_req *rq, struct changing *c, http_handler next)
{
    return common_ask(rq, ENGINE_KEY, &c->request.rq, next);
}

static int reply_with_token(struct http_resp *rs, int status, const struct api_key *key,
                            const char *token)
{
    json_t *json = api_key_encode(key, clock_wall_us());

    (void)json_object_set_new(json, "token", json_string(token));
    return http_reply_json(rs, status, json);
}

/* On disk: what comes from now on is judged by it. */
static void tell_keys_changed(const struct http_req *rq)
{
    const struct service *sv = common_service(rq);

    if (sv->keys_changed)
        sv->keys_changed(sv->keys_ctx);
}

static int created(struct http_req *rq, struct http_resp *rs)
{
    const struct changing *c = rq->state;
    int r = common_outcome(rs, &c->request.rq);

    if (r < 0)
        return r;
    http_set_header(rs, "Location", "/v1/api-keys/%s", c->request.key.id);
    return reply_with_token(rs, 201, &c->request.key, c->token);
}

int h_create_api_key(struct http_req *rq, struct http_resp *rs)
{
    struct changing *c = changing_new(rq, KEY_INSERT);
    AUTO(json) json_t *body = NULL;
    int r;

    r = common_no_query(rq, rs);
    if (r < 0)
        return r;
    r = http_body_json(rq, &body, &rs->err);
    if (r < 0)
        return r;
    c->request.key.created_at_us = clock_wall_us();
    api_key_spec_decode(body, rq->principal, c->request.key.created_at_us, &c->request.key,
                        &rs->faults);
    r = faults_judge(&rs->faults, 0, &rs->err);
    if (r < 0)
        return r;
    api_key_draw(&c->request.key, c->token);
    return send(rq, c, created);
}

static int rotated(struct http_req *rq, struct http_resp *rs)
{
    const struct changing *c = rq->state;
    AUTO_FINI(api_keys) struct api_keys keys = { 0 };
    const struct api_key *key = NULL;
    int r = common_outcome(rs, &c->request.rq);

    if (r < 0)
        return r;
    tell_keys_changed(rq);
    r = find_key(rq, c->request.key.id, &keys, &key, &rs->err);
    return r < 0 || !key ? r : reply_with_token(rs, 200, key, c->token);
}

static int take_id(const struct http_req *rq, struct api_key *key, struct errinfo *e)
{
    const char *id = http_param(rq, "id");

    if (!api_key_is_id(id))
        return err_set(e, ERR_KEY_NOT_FOUND, "there is no key of this id");
    memcpy(key->id, id, sizeof key->id);
    return 0;
}

/* Its token would be a way to more than the caller has. */
static int check_within(const struct http_req *rq, const char *id, struct errinfo *e)
{
    AUTO_FINI(api_keys) struct api_keys keys = { 0 };
    const struct api_key *key = NULL;
    int r;

    r = find_key(rq, id, &keys, &key, e);
    if (r < 0 || !key || api_key_is_within(&key->grant, rq->principal))
        return r;
    return err_set(e, ERR_INSUFFICIENT_SCOPE, "this key allows what your credential does not");
}

int h_rotate_api_key(struct http_req *rq, struct http_resp *rs)
{
    struct changing *c = changing_new(rq, KEY_ROTATE);
    int r;

    r = common_no_query(rq, rs);
    if (r == 0)
        r = take_id(rq, &c->request.key, &rs->err);
    if (r == 0)
        r = check_within(rq, c->request.key.id, &rs->err);
    if (r < 0)
        return r;
    api_key_draw_secret(&c->request.key, c->token);
    return send(rq, c, rotated);
}

static int revoked(struct http_req *rq, struct http_resp *rs)
{
    const struct changing *c = rq->state;
    int r = common_outcome(rs, &c->request.rq);

    if (r < 0)
        return r;
    tell_keys_changed(rq);
    return http_reply_empty(rs, 204);
}

int h_revoke_api_key(struct http_req *rq, struct http_resp *rs)
{
    struct changing *c = changing_new(rq, KEY_REVOKE);
    int r;

    r = common_no_query(rq, rs);
    if (r == 0)
        r = take_id(rq, &c->request.key, &rs->err);
    return r < 0 ? r : send(rq, c, revoked);
}
