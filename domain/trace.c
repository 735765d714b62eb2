#include "domain/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/sha256.h"

/* version "-" trace-id "-" parent-id "-" flags */
#define AT_TRACE_ID  3
#define AT_PARENT_ID 36
#define AT_FLAGS     53
#define LEN          55

#define BLANKS " \t"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGIT  "0123456789"

static bool is_hex(const char *text, size_t len)
{
    return strspn(text, DIGIT "abcdef") >= len;
}

static bool is_zero(const char *text, size_t len)
{
    return strspn(text, "0") >= len;
}

/* Up to the flags, which all versions have in the same place. */
static bool is_parent(const char *text)
{
    return strlen(text) >= LEN && is_hex(text, 2) && strncmp(text, "ff", 2) != 0 &&
           text[AT_TRACE_ID - 1] == '-' && is_hex(text + AT_TRACE_ID, 32) &&
           !is_zero(text + AT_TRACE_ID, 32) && text[AT_PARENT_ID - 1] == '-' &&
           is_hex(text + AT_PARENT_ID, 16) && !is_zero(text + AT_PARENT_ID, 16) &&
           text[AT_FLAGS - 1] == '-' && is_hex(text + AT_FLAGS, 2);
}

bool trace_parse(const char *traceparent, struct trace *ret_trace)
{
    char rest;

    if (!is_parent(traceparent))
        return false;
    rest = traceparent[LEN];
    if (rest && (rest != '-' || strncmp(traceparent, "00", 2) == 0))
        return false;
    memcpy(ret_trace->parent, traceparent, LEN);
    ret_trace->parent[LEN] = 0;
    if (strncmp(traceparent, "00", 2) != 0) { /* of later flags only `sampled` is known */
        memcpy(ret_trace->parent, "00", 2);
        ret_trace->parent[AT_FLAGS] = '0';
        ret_trace->parent[AT_FLAGS + 1] =
            strchr("13579bdf", traceparent[AT_FLAGS + 1]) ? '1' : '0';
    }
    ret_trace->state[0] = 0;
    ret_trace->state_lost = false;
    return true;
}

/* -- tracestate -----------------------------------------------------------------------------
 */

/* key, or tenant@system. */
static bool is_key(const char *text, size_t len)
{
    return len >= 1 && len <= 256 && strchr(LOWER DIGIT, text[0]) &&
           strspn(text, LOWER DIGIT "_-*/@") >= len;
}

static bool is_value(const char *text, size_t len)
{
    if (len < 1 || len > 256 || text[len - 1] == ' ')
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] > '~' || text[i] == ',' || text[i] == '=')
            return false;
    return true;
}

/* One item, with blanks around it; nothing at all is fine, too. */
static bool is_item(const char *text, size_t len, bool *ret_empty)
{
    size_t key_len;

    while (len > 0 && strchr(BLANKS, text[len - 1]))
        len--;
    for (; len > 0 && strchr(BLANKS, *text); text++)
        len--;
    *ret_empty = len == 0;
    key_len = strcspn(text, "=");
    return len == 0 || (key_len < len && is_key(text, key_len) &&
                        is_value(text + key_len + 1, len - key_len - 1));
}

static bool is_state(const char *text)
{
    size_t items = 0;
    bool empty;

    for (;; text++) {
        size_t len = strcspn(text, ",");

        if (!is_item(text, len, &empty))
            return false;
        items += !empty;
        text += len;
        if (*text == 0)
            return items <= TRACE_STATE_MAX_ITEMS;
    }
}

void trace_add_state(struct trace *t, const char *line)
{
    size_t used = strlen(t->state), len;

    line += strspn(line, BLANKS);
    len = strlen(line);
    if (len == 0 || t->state_lost)
        return;
    if (used + (used > 0) + len <= TRACE_STATE_MAX_BYTES) {
        if (used > 0)
            t->state[used++] = ',';
        memcpy(t->state + used, line, len + 1);
        if (is_state(t->state))
            return;
    }
    t->state_lost = true;
    t->state[0] = 0;
}

/* -- of a job -------------------------------------------------------------------------------
 */

char *trace_id(const char *parent, char room[TRACE_ID_SIZE])
{
    memcpy(room, parent + AT_TRACE_ID, TRACE_ID_SIZE - 1);
    room[TRACE_ID_SIZE - 1] = 0;
    return room;
}

json_t *trace_encode(const struct trace *t)
{
    json_t *member = json_pack("{s:s}", "parent", t->parent);

    if (t->state[0])
        (void)json_object_set_new(member, "state", json_string(t->state));
    return member;
}

void trace_of_job(const json_t *payload, struct uuid7 id, char ret_parent[TRACE_PARENT_SIZE],
                  const char **ret_state)
{
    const json_t *member = json_object_get(payload, TRACE_MEMBER);
    const char *parent = json_string_value(json_object_get(member, "parent"));
    char text[UUID7_TEXT_SIZE];
    unsigned char digest[SHA256_BYTES];
    uint64_t span = 0;

    ret_parent[0] = 0;
    *ret_state = NULL;
    if (!parent || strlen(parent) != LEN)
        return;
    /* Not the id itself: whoever has its random bits might ask for the job. */
    sha256_block(uuid7_format(id, text), UUID7_TEXT_SIZE - 1, digest);
    for (size_t i = 0; i < sizeof span; i++)
        span = span << 8 | digest[i];
    (void)snprintf(ret_parent, TRACE_PARENT_SIZE, "%.36s%016" PRIx64 "%s", parent,
                   span ? span : 1, parent + AT_FLAGS - 1);
    *ret_state = json_string_value(json_object_get(member, "state"));
}
