/* ENGINE_KEY: a change of the bearer keys. */
#include "engine/turn.h"

static int change(struct store *st, const struct key_request *k, usec_t now_us,
                  struct errinfo *e)
{
    switch (k->change) {
    case KEY_INSERT:
        return store_api_key_insert(st, &k->key, e);
    case KEY_ROTATE:
        return store_api_key_rotate(st, k->rq.tenant, &k->key, e);
    case KEY_REVOKE:
        return store_api_key_revoke(st, k->rq.tenant, k->key.id, now_us, e);
    case KEY_USED:
        return store_api_key_used(st, k->key.id, k->key.last_used_at_us, e);
    }
    return err_set(e, ERR_INTERNAL, "an unknown change of a key");
}

int key_apply(struct turn *t, struct engine_request *rq)
{
    int r = change(t->en->conf.store, (const struct key_request *)rq, t->now_us, &t->err);

    if (r != ERR_KEY_NOT_FOUND)
        return r;
    rq->err = t->err;
    t->err = (struct errinfo){ 0 };
    rq->result = r;
    return 0;
}
