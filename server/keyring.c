#include "server/keyring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"

struct entry {
    struct api_key key;
    struct caller *caller;
    bool fixed;
};

/* By id. */
struct set {
    struct entry *items;
    size_t count;
};

struct keyring {
    struct keyring_conf conf;
    _Atomic usec_t refresh_at_us; /* monotonic */
    atomic_bool has_keys;
    /* Guards what follows. A leaf: nothing blocks while it is held. */
    pthread_mutex_t mutex;
    int64_t version;
    struct set set;
};

/* -- a set -------------------------------------------------------------------------------- */

static void set_fini(struct set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        api_key_fini(&set->items[i].key);
        (void)caller_unref(set->items[i].caller);
    }
    free(set->items);
    *set = (struct set){ 0 };
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->key.id, ((const struct entry *)b)->key.id);
}

static struct entry *set_find(const struct set *set, const char *id)
{
    struct entry wanted = { 0 };

    memcpy(wanted.key.id, id, sizeof wanted.key.id);
    if (set->count == 0)
        return NULL;
    return bsearch(&wanted, set->items, set->count, sizeof wanted, compare);
}

/* Takes the keys out of the list. */
static void set_add(struct set *set, struct api_keys *keys, bool fixed)
{
    set->items = mem_resize(set->items, set->count + keys->count + 1, sizeof *set->items);
    for (size_t i = 0; i < keys->count; i++) {
        struct api_key *key = &keys->items[i];

        set->items[set->count++] = (struct entry){
            .key = *key,
            .caller =
                caller_new(PRINCIPAL_KEY, key->id, key->name, &key->grant, key->expires_at_us),
            .fixed = fixed,
        };
        *key = (struct api_key){ 0 };
    }
}

static void copy_keys(const struct api_keys *from, struct api_keys *to)
{
    to->items = mem_array0(from->count + 1, sizeof *to->items);
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        to->items[i] = from->items[i];
        to->items[i].name = mem_str_or_null(from->items[i].name);
        grant_copy(&to->items[i].grant, &from->items[i].grant);
    }
}

/* Who uses a key that has gone, was revoked or has another secret now is to be told. Callers
 * that stay the same stay: what is kept by them goes on. */
static void withdraw_changed(struct set *old, struct set *now)
{
    for (size_t i = 0; i < old->count; i++) {
        struct entry *was = &old->items[i];
        struct entry *is = set_find(now, was->key.id);

        if (!is || is->key.revoked_at_us != 0 ||
            memcmp(is->key.secret_hash, was->key.secret_hash, SHA256_BYTES) != 0) {
            caller_withdraw(was->caller);
            continue;
        }
        (void)caller_unref(is->caller);
        is->caller = caller_ref(was->caller);
        if (is->key.last_used_at_us < was->key.last_used_at_us)
            is->key.last_used_at_us = was->key.last_used_at_us;
    }
}

/* -- reading ------------------------------------------------------------------------------ */

/* Take the keys of this version of the set in use. */
static void replace_set(struct keyring *k, struct api_keys *take_keys, int64_t version)
{
    AUTO_FINI(api_keys) struct api_keys fixed = { 0 };
    struct set set = { 0 };
    struct set old;

    copy_keys(&k->conf.fixed, &fixed);
    set_add(&set, take_keys, false);
    set_add(&set, &fixed, true);
    qsort(set.items, set.count, sizeof *set.items, compare);
    (void)pthread_mutex_lock(&k->mutex); /* fails only for a mutex that is none */
    withdraw_changed(&k->set, &set);
    old = k->set;
    k->set = set;
    k->version = version;
    (void)pthread_mutex_unlock(&k->mutex);
    atomic_store(&k->has_keys, set.count > 0);
    set_fini(&old);
}

static int read_set(struct keyring *k, struct store_reader *rd, struct errinfo *e)
{
    AUTO_FINI(api_keys) struct api_keys keys = { 0 };
    int64_t version;
    int r;

    r = store_read_api_keys(rd, &keys, &version, e);
    if (r < 0)
        return r;
    replace_set(k, &keys, version);
    return 0;
}

/* By the writer, as long as nobody else uses it: a front that has just started then has no
 * reader that is idle. */
static int read_first_set(struct keyring *k, struct errinfo *e)
{
    AUTO_FINI(api_keys) struct api_keys keys = { 0 };
    int64_t version;
    int r;

    r = store_begin(k->conf.store, e);
    if (r < 0)
        return r;
    r = store_api_keys(k->conf.store, &keys, &version, e);
    store_rollback(k->conf.store);
    if (r < 0)
        return r;
    replace_set(k, &keys, version);
    return 0;
}

/* Returns 1 when there is another set now. */
static int read_if_changed(struct keyring *k, struct errinfo *e)
{
    struct store_reader *rd = NULL;
    int64_t version, known;
    int r;

    (void)pthread_mutex_lock(&k->mutex);
    known = k->version;
    (void)pthread_mutex_unlock(&k->mutex);
    r = store_reader_get(k->conf.store, &rd, e);
    if (r < 0)
        return r;
    r = store_read_api_key_version(rd, &version, e);
    if (r == 0 && version != known) {
        r = read_set(k, rd, e);
        r = r == 0 ? 1 : r;
    }
    store_reader_put(k->conf.store, rd);
    return r;
}

void keyring_look(struct keyring *k)
{
    struct errinfo e = { 0 };

    if (read_if_changed(k, &e) < 0)
        log_warn("auth.keys_unread", LSTR("reason", e.text));
}

/* One request at a time looks; the others go on with what is there. */
static void refresh(struct keyring *k)
{
    usec_t now_us = clock_mono_coarse_us();
    usec_t due_us = atomic_load_explicit(&k->refresh_at_us, memory_order_relaxed);

    if (now_us < due_us || !atomic_compare_exchange_strong(&k->refresh_at_us, &due_us,
                                                           now_us + KEYRING_REFRESH_US))
        return;
    keyring_look(k); /* when that fails, the old set is better than none */
}

int keyring_new(const struct keyring_conf *conf, struct keyring **ret_keyring,
                struct errinfo *e)
{
    AUTO(keyring) struct keyring *k = mem_new0(sizeof *k);
    int r;

    (void)pthread_mutex_init(&k->mutex, NULL); /* cannot fail with glibc */
    k->conf = *conf;
    r = read_first_set(k, e);
    if (r < 0) {
        k->conf.fixed = (struct api_keys){ 0 }; /* stays the caller's */
        return r;
    }
    *ret_keyring = TAKE(k);
    return 0;
}

struct keyring *keyring_free(struct keyring *k)
{
    if (!k)
        return NULL;
    set_fini(&k->set);
    api_keys_fini(&k->conf.fixed);
    (void)pthread_mutex_destroy(&k->mutex);
    free(k);
    return NULL;
}

/* -- asking ------------------------------------------------------------------------------- */

bool keyring_has_keys(struct keyring *k)
{
    refresh(k);
    return atomic_load_explicit(&k->has_keys, memory_order_relaxed);
}

/* Under the mutex. */
static struct caller *find_locked(struct keyring *k, const char *id, const unsigned char *hash,
                                  usec_t now_us, bool *ret_note)
{
    struct entry *entry = set_find(&k->set, id);

    if (!entry || !secret_equal(entry->key.secret_hash, hash, SHA256_BYTES) ||
        !api_key_is_good(&entry->key, now_us))
        return NULL;
    *ret_note = !entry->fixed && now_us - entry->key.last_used_at_us >= KEYRING_USE_US;
    if (*ret_note)
        entry->key.last_used_at_us = now_us;
    return caller_ref(entry->caller);
}

static struct caller *find(struct keyring *k, const char *id, const unsigned char *hash,
                           usec_t now_us, bool *ret_note)
{
    struct caller *caller;

    (void)pthread_mutex_lock(&k->mutex);
    caller = find_locked(k, id, hash, now_us, ret_note);
    (void)pthread_mutex_unlock(&k->mutex);
    return caller;
}

struct caller *keyring_find(struct keyring *k, const char *token, usec_t now_wall_us)
{
    unsigned char hash[SHA256_BYTES];
    char id[API_KEY_ID_SIZE];
    struct caller *caller;
    bool note = false;

    if (!api_key_parse(token, id, hash))
        return NULL;
    refresh(k);
    caller = find(k, id, hash, now_wall_us, &note);
    /* One that was made a moment ago is good at once. */
    if (!caller && read_if_changed(k, NULL) > 0)
        caller = find(k, id, hash, now_wall_us, &note);
    if (note && k->conf.note_use)
        k->conf.note_use(k->conf.ctx, id, now_wall_us);
    return caller;
}
