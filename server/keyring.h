/* server/keyring.h - the bearer keys in memory: from a token to its caller without a read of
 * the database.
 *
 * The set is read again when its version in the ledger has changed. That is asked every 250 ms,
 * by the request that comes then, and for a token that is not known: so what `jobd key` does,
 * in another process, counts at once for a new key, and soon for one that was revoked. Any
 * thread.
 */
#ifndef JOBD_SERVER_KEYRING_H
#define JOBD_SERVER_KEYRING_H

#include <stdbool.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/err.h"
#include "domain/api_key.h"
#include "server/caller.h"
#include "store/store.h"

#define KEYRING_REFRESH_US (250 * USEC_PER_MS)
#define KEYRING_USE_US     (60 * USEC_PER_SEC) /* how exactly last_used_at is known */

struct keyring_conf {
    struct store *store;   /* borrowed */
    struct api_keys fixed; /* from a file; taken by a keyring_new() that succeeds */
    /* The key was used: called at most once in KEYRING_USE_US for each key of the store. Must
     * not block. NULL: nobody wants to know. */
    void (*note_use)(void *ctx, const char *id, usec_t at_us);
    void *ctx;
};

struct keyring;

/* Reads the keys with the store's writer, which nobody else may use at that time. The store's
 * errors. */
int keyring_new(const struct keyring_conf *conf, struct keyring **ret_keyring,
                struct errinfo *e);
struct keyring *keyring_free(struct keyring *k);
DEFINE_AUTO(keyring, struct keyring)

/* Look at the ledger now: it was changed. */
void keyring_look(struct keyring *k);
/* Whether there is, or has been, any key: one that was revoked counts, so that a server never
 * opens by a revocation. */
bool keyring_has_keys(struct keyring *k);
/* The caller of a token, to be given back by caller_unref(); NULL: it is none, or one that was
 * revoked or has expired. */
struct caller *keyring_find(struct keyring *k, const char *token, usec_t now_wall_us);

#endif
