#include "server/http/forwarded.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

#define BLANKS       " \t"
#define NODE_MAX     64 /* "[IPv6]:port" and some */
#define WORD_CHARS   "!#$%&'*+-.^_`|~"
#define PORT_MAX_LEN 16 /* also an obfuscated one */

/* -- one node -------------------------------------------------------------------------------
 */

static bool is_word_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr(WORD_CHARS, c) != NULL);
}

/* ":8080", ":_hidden", or nothing. */
static bool is_port(const char *text)
{
    size_t len = strlen(text);

    if (len == 0)
        return true;
    if (*text != ':' || len == 1 || len > PORT_MAX_LEN)
        return false;
    for (const char *p = text + 1; *p; p++)
        if (!is_word_char(*p))
            return false;
    return true;
}

/* 192.0.2.1, 192.0.2.1:80, [2001:db8::1], [2001:db8::1]:80, and 2001:db8::1 as X-Forwarded-For
 * has it. */
static bool node_ip(const char *node, struct ip_address *ret_ip)
{
    size_t len;

    if (*node == '[') {
        len = strcspn(node, "]");
        return node[len] == ']' && is_port(node + len + 1) && memchr(node, ':', len) &&
               ip_parse(node + 1, len - 1, ret_ip);
    }
    len = strcspn(node, ":");
    if (node[len] == ':' && !strchr(node + len + 1, ':'))
        return is_port(node + len) && ip_parse(node, len, ret_ip);
    return ip_parse(node, strlen(node), ret_ip);
}

/* The oldest goes: it is the least to be believed. */
static struct forwarded_hop *add_hop(struct forwarded *f)
{
    if (f->count == FORWARDED_HOPS_MAX) {
        memmove(f->hops, f->hops + 1, sizeof f->hops - sizeof f->hops[0]);
        f->count--;
    }
    f->hops[f->count] = (struct forwarded_hop){ 0 };
    return &f->hops[f->count++];
}

/* -- Forwarded ------------------------------------------------------------------------------
 */

/* A token or a quoted string; one that is too long reads as empty. NULL: neither. Returns what
 * follows it. */
static const char *scan_word(const char *at, char word[NODE_MAX])
{
    bool quoted = *at == '"';
    size_t n = 0;

    if (quoted)
        at++;
    for (; quoted ? *at && *at != '"' : is_word_char(*at); at++, n++) {
        if (quoted && *at == '\\' && *++at == 0)
            return NULL;
        if (n < NODE_MAX)
            word[n] = *at;
    }
    word[n < NODE_MAX ? n : 0] = 0;
    if (quoted)
        return *at == '"' ? at + 1 : NULL;
    return n > 0 ? at : NULL;
}

/* `name=value`. Returns what follows it; NULL: malformed. */
static const char *scan_pair(const char *at, struct forwarded_hop *hop, bool *has_for)
{
    char name[NODE_MAX], value[NODE_MAX];

    if (*at == '"')
        return NULL;
    at = scan_word(at, name);
    if (!at || *at != '=')
        return NULL;
    at = scan_word(at + 1, value);
    if (!at)
        return NULL;
    if (strcasecmp(name, "for") == 0) {
        if (*has_for)
            return NULL;
        *has_for = true;
        hop->known = node_ip(value, &hop->ip);
    } else if (strcasecmp(name, "proto") == 0) {
        hop->https = strcasecmp(value, "https") == 0;
    }
    return at;
}

/* An element: pairs between ";". Returns its end, a "," or the NUL. */
static const char *scan_element(const char *at, struct forwarded_hop *hop)
{
    bool has_for = false;

    for (;;) {
        at += strspn(at, BLANKS);
        if (*at != ';' && *at != ',' && *at) {
            at = scan_pair(at, hop, &has_for);
            if (!at)
                return NULL;
            at += strspn(at, BLANKS);
        }
        if (*at != ';')
            break;
        at++;
    }
    return *at == ',' || *at == 0 ? at : NULL;
}

void forwarded_feed(struct forwarded *f, const char *line)
{
    f->present = true;
    for (const char *at = line;;) {
        at += strspn(at, BLANKS ",");
        if (*at == 0)
            return;
        at = scan_element(at, add_hop(f));
        if (!at) {
            f->malformed = true;
            return;
        }
    }
}

/* -- X-Forwarded-For ------------------------------------------------------------------------
 */

void forwarded_feed_x(struct forwarded *f, const char *line)
{
    f->present = true;
    for (const char *at = line;;) {
        struct forwarded_hop *hop;
        char node[NODE_MAX];
        size_t len;

        at += strspn(at, BLANKS ",");
        if (*at == 0)
            return;
        len = strcspn(at, BLANKS ",");
        hop = add_hop(f);
        if (len < sizeof node) {
            memcpy(node, at, len);
            node[len] = 0;
            hop->known = node_ip(node, &hop->ip);
        }
        at += len;
    }
}

bool forwarded_x_proto_is_https(const char *line)
{
    const char *last = strrchr(line, ',');

    last = last ? last + 1 : line;
    last += strspn(last, BLANKS);
    return strncasecmp(last, "https", 5) == 0 && last[5 + strspn(last + 5, BLANKS)] == 0;
}

/* -- reading it -----------------------------------------------------------------------------
 */

bool forwarded_client(const struct forwarded *f, const struct ip_address *nearest,
                      const struct cidr_list *trusted, struct ip_address *ret_client)
{
    const struct ip_address *client = nearest;

    for (size_t i = f->malformed ? 0 : f->count; i > 0; i--) {
        if (!f->hops[i - 1].known || (client != nearest && !cidr_list_has(trusted, client)))
            break;
        client = &f->hops[i - 1].ip;
    }
    if (client)
        *ret_client = *client;
    return client != NULL;
}

bool forwarded_is_https(const struct forwarded *f)
{
    return !f->malformed && f->count > 0 && f->hops[f->count - 1].https;
}
