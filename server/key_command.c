#include "server/key_command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"
#include "domain/api_key_json.h"
#include "pool/lock.h"
#include "pool/paths.h"
#include "server/value.h"
#include "store/store.h"

/* ---- the flags -------------------------------------------------------------------------- */

static const struct {
    const char *flag;
    const char *part;
} parts[] = {
    { "scope", "scopes" },  { "function", "functions" }, { "queue", "queues" },
    { "tenant", "tenant" }, { "rate", "rate" },
};

const char *key_flag_part(const char *flag, size_t len)
{
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (strlen(parts[i].flag) == len && memcmp(parts[i].flag, flag, len) == 0)
            return parts[i].part;
    return NULL;
}

static int parse_expires(const char *text, usec_t now_us, usec_t *ret_at_us, struct errinfo *e)
{
    usec_t in_us;

    if (clock_parse(text, ret_at_us)) {
        if (*ret_at_us > now_us)
            return 0;
        return err_set(e, ERR_CONFIG, "--expires: %s is over", text);
    }
    if (!value_duration(text, &in_us) || in_us == 0)
        return err_set(
            e, ERR_CONFIG,
            "--expires: write a time from now, such as 30d, or 2030-01-31T00:00:00Z");
    *ret_at_us = now_us + in_us;
    return 0;
}

/* The key of the flags, without id and secret. */
static int describe(const struct key_order *order, struct api_key *key, struct errinfo *e)
{
    usec_t now_us = clock_wall_us();
    struct errinfo why = { 0 };

    for (size_t i = 0; i < order->parts.count; i++) {
        const char *text = order->parts.items[i];
        size_t n = strcspn(text, "=");
        AUTO(mem) char *part = mem_dup(text, n);

        if (grant_set(&key->grant, part, text + n + 1, &why) < 0)
            return err_set(e, ERR_CONFIG, "%s", why.text);
    }
    if (key->grant.scopes == 0)
        return err_set(
            e, ERR_CONFIG,
            "say what the key is good for: --scope jobs:read,jobs:write; '*' is all");
    if (order->name && strlen(order->name) > API_KEY_NAME_MAX)
        return err_set(e, ERR_CONFIG, "--name has at most %d characters", API_KEY_NAME_MAX);
    key->name = mem_str(order->name ? order->name : "");
    key->created_at_us = now_us;
    if (order->expires)
        return parse_expires(order->expires, now_us, &key->expires_at_us, e);
    return 0;
}

/* ---- the ledger ------------------------------------------------------------------------- */

/* Files that root makes would be in the way of the user who owns the directory. */
static void become_owner(const char *data_dir)
{
    struct stat st;

    if (geteuid() != 0 || stat(data_dir, &st) < 0 || st.st_uid == 0)
        return;
    (void)!setegid(st.st_gid); /* root may; else the next line tells */
    (void)!seteuid(st.st_uid);
}

/* A jobd that runs has the ledger open; else this is the only one, and holds the lock. */
static int open_store(const char *data_dir, struct store **ret_store, int *ret_lock_fd,
                      struct errinfo *e)
{
    struct store_conf conf = { .data_dir = data_dir, .durability = STORE_FULL };
    int r;

    r = paths_prepare(data_dir, e);
    if (r < 0)
        return r;
    r = lock_take(data_dir, 0, ret_lock_fd, e);
    if (r < 0 && r != ERR_LOCKED)
        return r;
    conf.beside_another = r == ERR_LOCKED;
    return store_open("sqlite", &conf, ret_store, e);
}

static int in_transaction(struct store *st,
                          int (*change)(struct store *, struct api_key *, struct errinfo *),
                          struct api_key *key, struct errinfo *e)
{
    int r;

    r = store_begin(st, e);
    if (r < 0)
        return r;
    r = change(st, key, e);
    if (r < 0) {
        store_rollback(st);
        return r;
    }
    return store_commit(st, e);
}

static int write_new(struct store *st, struct api_key *key, struct errinfo *e)
{
    return store_api_key_insert(st, key, e);
}

static int write_secret(struct store *st, struct api_key *key, struct errinfo *e)
{
    return store_api_key_rotate(st, NULL, key, e);
}

static int write_end(struct store *st, struct api_key *key, struct errinfo *e)
{
    return store_api_key_revoke(st, NULL, key->id, key->revoked_at_us, e);
}

static int read_keys(struct store *st, struct api_keys *ret_keys, struct errinfo *e)
{
    struct store_reader *rd = NULL;
    int64_t version;
    int r;

    r = store_reader_get(st, &rd, e);
    if (r < 0)
        return r;
    r = store_read_api_keys(rd, ret_keys, &version, e);
    store_reader_put(st, rd);
    return r;
}

/* ---- what is printed -------------------------------------------------------------------- */

static int print(const char *text)
{
    return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? EX_IOERR : 0;
}

/* The token is on stdout, alone, and nowhere else. */
static int print_new(const struct key_order *order, const struct api_key *key,
                     const char *token)
{
    AUTO_FINI(buf) struct buf out = { 0 };
    int r;

    if (order->json) {
        api_key_print_json(key, token, clock_wall_us(), &out);
    } else {
        (void)fprintf(stderr, "jobd: the key %s; its token is shown this once\n", key->id);
        buf_printf(&out, "%s\n", token);
    }
    r = print(out.data);
    secret_wipe(out.data, out.len);
    return r;
}

static const char *date_or(usec_t at_us, const char *otherwise, char room[CLOCK_TEXT_SIZE])
{
    return at_us == 0 ? otherwise : clock_format(at_us, room);
}

static void add_row(const struct api_key *key, usec_t now_us, struct buf *out)
{
    AUTO_FINI(buf) struct buf scopes = { 0 };
    char expires[CLOCK_TEXT_SIZE], used[CLOCK_TEXT_SIZE];

    grant_format_scopes(key->grant.scopes, ',', &scopes);
    buf_printf(out, "%s  %-8s %-24s  %-24s  %-12s %-16s %s\n", key->id,
               api_key_state(key, now_us), date_or(key->expires_at_us, "never", expires),
               date_or(key->last_used_at_us, "never", used),
               key->grant.tenant && *key->grant.tenant ? key->grant.tenant : "-",
               *key->name ? key->name : "-", scopes.data ? scopes.data : "-");
}

static int print_list(const struct key_order *order, const struct api_keys *keys)
{
    AUTO_FINI(buf) struct buf out = { 0 };
    usec_t now_us = clock_wall_us();

    if (order->json) {
        api_keys_print_json(keys, now_us, &out);
        return print(out.data);
    }
    buf_printf(&out, "%-12s  %-8s %-24s  %-24s  %-12s %-16s %s\n", "ID", "STATE", "EXPIRES",
               "LAST USED", "TENANT", "NAME", "SCOPES");
    for (size_t i = 0; i < keys->count; i++)
        add_row(&keys->items[i], now_us, &out);
    return print(out.data);
}

/* ---- the verbs: each returns the exit code, or an ERR_* ---------------------------------- */

static int create(const struct key_order *order, struct store *st, struct errinfo *e)
{
    AUTO_FINI(api_key) struct api_key key = { 0 };
    char token[API_KEY_TOKEN_SIZE];
    int r;

    r = describe(order, &key, e);
    if (r < 0)
        return r;
    api_key_draw(&key, token);
    r = in_transaction(st, write_new, &key, e);
    if (r == 0)
        r = print_new(order, &key, token);
    secret_wipe(token, sizeof token);
    return r;
}

static int list(const struct key_order *order, struct store *st, struct errinfo *e)
{
    AUTO_FINI(api_keys) struct api_keys keys = { 0 };
    int r = read_keys(st, &keys, e);

    return r < 0 ? r : print_list(order, &keys);
}

static int take_id(const struct key_order *order, struct api_key *key, struct errinfo *e)
{
    if (!order->id || !api_key_is_id(order->id))
        return err_set(e, ERR_CONFIG, "name the key by its id: see jobd key list");
    memcpy(key->id, order->id, sizeof key->id);
    return 0;
}

static int rotate_key(const struct key_order *order, struct store *st, struct errinfo *e)
{
    AUTO_FINI(api_key) struct api_key key = { 0 };
    char token[API_KEY_TOKEN_SIZE];
    int r;

    r = take_id(order, &key, e);
    if (r < 0)
        return r;
    key.name = mem_str("");
    api_key_draw_secret(&key, token);
    r = in_transaction(st, write_secret, &key, e);
    if (r == 0)
        r = print_new(order, &key, token);
    secret_wipe(token, sizeof token);
    return r;
}

static int revoke_key(const struct key_order *order, struct store *st, struct errinfo *e)
{
    struct api_key key = { .revoked_at_us = clock_wall_us() };
    int r;

    r = take_id(order, &key, e);
    if (r < 0)
        return r;
    r = in_transaction(st, write_end, &key, e);
    if (r == 0)
        (void)fprintf(stderr, "jobd: the key %s is revoked\n", key.id);
    return r;
}

static const struct {
    const char *verb;
    int (*run)(const struct key_order *, struct store *, struct errinfo *);
} verbs[] = {
    { "create", create },
    { "list", list },
    { "rotate", rotate_key },
    { "revoke", revoke_key },
};

static int run(const struct key_order *order, const char *data_dir, struct errinfo *e)
{
    AUTO(store) struct store *st = NULL;
    AUTO_FINI(fd) int lock_fd = -1;
    int r;

    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        if (!order->verb || !text_equal(order->verb, verbs[i].verb))
            continue;
        become_owner(data_dir);
        r = open_store(data_dir, &st, &lock_fd, e);
        return r < 0 ? r : verbs[i].run(order, st, e);
    }
    return err_set(e, ERR_CONFIG,
                   "jobd key create, list, rotate ID or revoke ID; see jobd --help");
}

int key_command(const struct key_order *order, const struct settings *s)
{
    struct errinfo e = { 0 };
    int r = run(order, s->data_dir, &e);

    if (r >= 0)
        return r;
    (void)fprintf(stderr, "jobd: %s\n", e.text);
    return r == ERR_CONFIG ? EX_USAGE : EXIT_FAILURE;
}
