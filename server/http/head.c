/* The header lines of a request that the chain looks at, gathered in one pass. */
#include <string.h>
#include <strings.h>

#include "server/http/request.h"

static void see_once(struct seen_headers *seen, const char **slot, const char *value)
{
    if (*slot)
        seen->conflicting = true;
    *slot = value;
}

static bool is_header(const char *name, const char *wanted)
{
    return strcasecmp(name, wanted) == 0;
}

/* libmicrohttpd 0.9.75 adds what a folded line continues to the name of the header, and ends a
 * value at a NUL: "Transfer-Encoding:\r\n chunked" would be no Transfer-Encoding here, and one
 * for a gateway that unfolds it. In its buffer both leave a gap between what should adjoin:
 *     name NUL blanks value NUL [NUL] next name ... */
static bool adjoins(const struct seen_headers *seen, const char *name, size_t name_len,
                    const char *value)
{
    uintptr_t name_at = (uintptr_t)name, value_at = (uintptr_t)value;
    uintptr_t before = (uintptr_t)seen->line_end;

    if (before != 0 && name_at != before + 1 && name_at != before + 2)
        return false;
    return value_at > name_at + name_len &&
           value_at - name_at - name_len <= 1 + strspn(name + name_len + 1, " \t");
}

static void check_line(struct seen_headers *seen, const char *name, size_t name_len,
                       const char *value, size_t value_len)
{
    if (!value || !adjoins(seen, name, name_len, value))
        seen->torn = true;
    seen->line_end = value ? value + value_len : NULL;
}

/* Called for every line of every request: the length is the cheap half of the comparison. */
static enum MHD_Result see_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                  size_t name_len, const char *value, size_t value_len)
{
    struct seen_headers *seen = cls;

    (void)kind;
    check_line(seen, name, name_len, value, value_len);
    seen->bytes += name_len + value_len + sizeof ": \r\n" - 1;
    if (name_len == 0 || memchr(name, ' ', name_len) || memchr(name, '\t', name_len))
        seen->bad_name = true;
    if (!value)
        return MHD_YES;
    switch (name_len) {
    case 4:
        if (is_header(name, "Host"))
            see_once(seen, &seen->host, value);
        break;
    case 6:
        if (is_header(name, "Accept"))
            accept_feed_json(&seen->accept, value);
        else if (is_header(name, "Prefer"))
            prefer_feed(&seen->prefer, value);
        else if (is_header(name, "Origin"))
            seen->origin = value;
        else if (is_header(name, "Expect"))
            seen->expects_continue = strcasecmp(value, "100-continue") == 0;
        break;
    case 11:
        if (is_header(name, "traceparent")) {
            seen->traceparent_twice = seen->traceparent != NULL;
            seen->traceparent = value;
        }
        break;
    case 12:
        if (is_header(name, "Content-Type"))
            see_once(seen, &seen->content_type, value);
        else if (is_header(name, "X-Request-Id"))
            seen->request_id = value;
        break;
    case 13:
        if (is_header(name, "Authorization"))
            see_once(seen, &seen->authorization, value);
        break;
    case 14:
        if (is_header(name, "Content-Length"))
            see_once(seen, &seen->content_length, value);
        else if (is_header(name, "Sec-Fetch-Site"))
            seen->fetch_site = value;
        break;
    case 15:
        if (is_header(name, "Idempotency-Key"))
            see_once(seen, &seen->idempotency_key, value);
        break;
    case 16:
        if (is_header(name, "Content-Encoding"))
            see_once(seen, &seen->content_encoding, value);
        break;
    case 17:
        if (is_header(name, "Transfer-Encoding"))
            see_once(seen, &seen->transfer_encoding, value);
        break;
    default:
        break;
    }
    return MHD_YES;
}

void request_scan_headers(struct request *r)
{
    struct seen_headers *seen = &r->seen;

    (void)MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, see_header, seen);
    if (seen->line_end && seen->line_end[1] != 0) /* the empty line behind all has become NUL */
        seen->torn = true;
    if (!r->thread->sees_torn_lines)
        seen->torn = false;
}
