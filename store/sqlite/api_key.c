/* Bearer keys, and the version of their set. */
#include "base/mem.h"
#include "store/sqlite/sq.h"
#include "store/sqlite/stmt.h"

#include <stdlib.h>
#include <string.h>

static const char INSERT[] =
    "INSERT INTO api_key (id, secret_hash, name, tenant, scopes, functions, queues, rate,"
    " rate_seconds, created_at_us, expires_at_us, revoked_at_us, last_used_at_us)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
static const char REVOKE[] =
    "UPDATE api_key SET revoked_at_us = iif(revoked_at_us = 0, ?2, revoked_at_us)"
    " WHERE id = ?1 AND (?3 IS NULL OR tenant = ?3)";
static const char REHASH[] =
    "UPDATE api_key SET secret_hash = ?2"
    " WHERE id = ?1 AND (?3 IS NULL OR tenant = ?3)"
    " AND revoked_at_us = 0";
static const char USED[] =
    "UPDATE api_key SET last_used_at_us = ?2 WHERE id = ?1 AND last_used_at_us < ?2";
static const char RAISE[] = "UPDATE api_key_set SET version = version + 1 WHERE one = 1";
static const char VERSION[] = "SELECT version FROM api_key_set WHERE one = 1";
static const char ALL[] =
    "SELECT id, secret_hash, name, tenant, scopes, functions, queues, rate, rate_seconds,"
    " created_at_us, expires_at_us, revoked_at_us, last_used_at_us FROM api_key"
    " ORDER BY created_at_us, id";

/* -- writing ------------------------------------------------------------------------------ */

static int raise_version(struct store *st, struct errinfo *e)
{
    return stmt_run(sq_of(st)->db, RAISE, e);
}

/* The lists of a grant as texts. */
struct lists {
    struct buf scopes, functions, queues;
};

static void lists_fini(struct lists *l)
{
    buf_fini(&l->scopes);
    buf_fini(&l->functions);
    buf_fini(&l->queues);
}
DEFINE_AUTO_FINI(lists, struct lists)

static void bind_key(struct stmt *s, const struct api_key *key, struct lists *l)
{
    grant_format_scopes(key->grant.scopes, ',', &l->scopes);
    grant_format_names(&key->grant.functions, &l->functions);
    grant_format_names(&key->grant.queues, &l->queues);
    stmt_text(s, 1, key->id);
    stmt_blob(s, 2, key->secret_hash, sizeof key->secret_hash);
    stmt_text(s, 3, key->name ? key->name : "");
    stmt_text(s, 4, key->grant.tenant ? key->grant.tenant : "");
    stmt_text(s, 5, l->scopes.data ? l->scopes.data : "");
    stmt_text(s, 6, l->functions.data);
    stmt_text(s, 7, l->queues.data);
    stmt_i64(s, 8, key->grant.rate);
    stmt_i64(s, 9, key->grant.rate_seconds);
    stmt_i64(s, 10, key->created_at_us);
    stmt_i64(s, 11, key->expires_at_us);
    stmt_i64(s, 12, key->revoked_at_us);
    stmt_i64(s, 13, key->last_used_at_us);
}

int sq_api_key_insert(struct store *st, const struct api_key *key, struct errinfo *e)
{
    AUTO_FINI(lists) struct lists lists = { 0 };
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq_of(st)->db, INSERT, &s, e);
    if (r < 0)
        return r;
    bind_key(s, key, &lists);
    r = stmt_change(s, e);
    if (r < 0)
        return r;
    return raise_version(st, e);
}

int sq_api_key_revoke(struct store *st, const char *tenant, const char *id, usec_t now_us,
                      struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq_of(st)->db, REVOKE, &s, e);
    if (r < 0)
        return r;
    stmt_text(s, 1, id);
    stmt_i64(s, 2, now_us);
    stmt_text(s, 3, tenant);
    r = stmt_change(s, e);
    if (r == 0)
        return err_set(e, ERR_KEY_NOT_FOUND, "there is no key of this id");
    if (r < 0)
        return r;
    return raise_version(st, e);
}

int sq_api_key_rotate(struct store *st, const char *tenant, const struct api_key *key,
                      struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq_of(st)->db, REHASH, &s, e);
    if (r < 0)
        return r;
    stmt_text(s, 1, key->id);
    stmt_blob(s, 2, key->secret_hash, sizeof key->secret_hash);
    stmt_text(s, 3, tenant);
    r = stmt_change(s, e);
    if (r == 0)
        return err_set(e, ERR_KEY_NOT_FOUND, "there is no key of this id, or it is revoked");
    if (r < 0)
        return r;
    return raise_version(st, e);
}

int sq_api_key_used(struct store *st, const char *id, usec_t at_us, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq_of(st)->db, USED, &s, e);
    if (r < 0)
        return r;
    stmt_text(s, 1, id);
    stmt_i64(s, 2, at_us);
    r = stmt_change(s, e);
    return r < 0 ? r : 0;
}

/* -- reading ------------------------------------------------------------------------------ */

static int read_version(struct db *db, int64_t *ret_version, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, VERSION, &s, e);
    if (r < 0)
        return r;
    r = stmt_step(s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return err_set(e, ERR_DATABASE, "the table api_key_set is empty");
    *ret_version = stmt_col_i64(s, 0);
    return 0;
}

int sq_read_api_key_version(struct store_reader *rd, int64_t *ret_version, struct errinfo *e)
{
    return read_version(sq_reader_db(rd), ret_version, e);
}

static int read_list(struct stmt *s, int column, const char *part, struct grant *g,
                     struct errinfo *e)
{
    const char *text = stmt_col_text(s, column);
    struct errinfo why = { 0 };

    if (text && grant_set(g, part, text, &why) < 0)
        return err_set(e, ERR_DATABASE, "a key in the table api_key: %s", why.text);
    return 0;
}

static int read_grant(struct stmt *s, struct grant *g, struct errinfo *e)
{
    int r;

    g->tenant = stmt_col_copy(s, 3, NULL);
    g->rate = stmt_col_i64(s, 7);
    g->rate_seconds = stmt_col_i64(s, 8);
    r = read_list(s, 4, "scopes", g, e);
    if (r < 0)
        return r;
    r = read_list(s, 5, "functions", g, e);
    if (r < 0)
        return r;
    return read_list(s, 6, "queues", g, e);
}

/* key is whole enough for api_key_fini() in any case. */
static int read_key(struct stmt *s, struct api_key *key, struct errinfo *e)
{
    AUTO(mem) char *id = stmt_col_copy(s, 0, NULL);
    size_t hash_len;
    AUTO(mem) char *hash = stmt_col_copy(s, 1, &hash_len);

    *key = (struct api_key){
        .name = stmt_col_copy(s, 2, NULL),
        .created_at_us = stmt_col_i64(s, 9),
        .expires_at_us = stmt_col_i64(s, 10),
        .revoked_at_us = stmt_col_i64(s, 11),
        .last_used_at_us = stmt_col_i64(s, 12),
    };
    if (!id || !api_key_is_id(id) || !hash || hash_len != sizeof key->secret_hash)
        return err_set(e, ERR_DATABASE, "the table api_key has a row that is no key");
    memcpy(key->id, id, sizeof key->id);
    memcpy(key->secret_hash, hash, sizeof key->secret_hash);
    return read_grant(s, &key->grant, e);
}

static int read_all(struct db *db, struct api_keys *keys, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, ALL, &s, e);
    if (r < 0)
        return r;
    while ((r = stmt_step(s, e)) > 0) {
        keys->items = mem_resize(keys->items, keys->count + 1, sizeof *keys->items);
        r = read_key(s, &keys->items[keys->count++], e);
        if (r < 0)
            return r;
    }
    return r;
}

static int read_set(struct db *db, struct api_keys *ret_keys, int64_t *ret_version,
                    struct errinfo *e)
{
    AUTO_FINI(api_keys) struct api_keys keys = { 0 };
    int64_t version = 0;
    int r;

    r = read_version(db, &version, e);
    if (r < 0)
        return r;
    r = read_all(db, &keys, e);
    if (r < 0)
        return r;
    *ret_keys = keys;
    keys = (struct api_keys){ 0 };
    *ret_version = version;
    return 0;
}

int sq_api_keys(struct store *st, struct api_keys *ret_keys, int64_t *ret_version,
                struct errinfo *e)
{
    return read_set(sq_of(st)->db, ret_keys, ret_version, e);
}

int sq_read_api_keys(struct store_reader *rd, struct api_keys *ret_keys, int64_t *ret_version,
                     struct errinfo *e)
{
    AUTO(snapshot) struct db *snap = NULL;
    int r;

    r = snapshot_begin(sq_reader_db(rd), &snap, e);
    if (r < 0)
        return r;
    return read_set(snap, ret_keys, ret_version, e);
}
