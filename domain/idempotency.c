#include "domain/idempotency.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Both ends of what may be in a key. */
#define FIRST_VISIBLE 0x21
#define LAST_VISIBLE  0x7E

void idempotency_record_fini(struct idempotency_record *r)
{
    free(r->location);
    free(r->etag);
    free(r->answer);
    *r = (struct idempotency_record){ 0 };
}

static int refuse(struct errinfo *e, const char *why)
{
    return err_set(e, ERR_IDEMPOTENCY_KEY, "Idempotency-Key: %s", why);
}

static bool is_visible(char c)
{
    return c >= FIRST_VISIBLE && c <= LAST_VISIBLE;
}

/* The next character of a string of RFC 8941, with its escape undone; *at moves on. -1: this is
 * none. */
static int next_quoted(const char **at)
{
    const char *p = *at;

    if (*p == '\\') {
        p++;
        if (*p != '"' && *p != '\\')
            return -1;
    }
    *at = p + 1;
    return is_visible(*p) ? *p : -1;
}

static int parse_quoted(const char *value, char *key, struct errinfo *e)
{
    const char *at = value + 1;
    size_t len = 0;

    while (*at != '"') {
        int c = next_quoted(&at);

        if (c < 0)
            return refuse(e,
                          "a quoted key is visible ASCII characters between two quotes, "
                          "with \\ before each \" and \\ in it");
        if (len == IDEMPOTENCY_KEY_MAX)
            return refuse(e, "a key has at most 255 characters");
        key[len++] = (char)c;
    }
    if (at[1] != '\0')
        return refuse(e, "nothing may follow the quoted key");
    key[len] = '\0';
    return len > 0 ? 0 : refuse(e, "the key is empty");
}

static int parse_bare(const char *value, char *key, struct errinfo *e)
{
    size_t len = strlen(value);

    if (len == 0)
        return refuse(e, "the key is empty");
    if (len > IDEMPOTENCY_KEY_MAX)
        return refuse(e, "a key has at most 255 characters");
    for (const char *p = value; *p; p++)
        if (!is_visible(*p) || *p == '"' || *p == '\\' || *p == ',' || *p == ';')
            return refuse(e,
                          "a key without quotes is visible ASCII characters but for "
                          "\" \\ , ;");
    (void)memcpy(key, value, len + 1);
    return 0;
}

int idempotency_key_parse(const char *value, char ret_key[IDEMPOTENCY_KEY_MAX + 1],
                          struct errinfo *e)
{
    char key[IDEMPOTENCY_KEY_MAX + 1];
    int r = value[0] == '"' ? parse_quoted(value, key, e) : parse_bare(value, key, e);

    if (r == 0)
        (void)memcpy(ret_key, key, strlen(key) + 1);
    return r;
}
