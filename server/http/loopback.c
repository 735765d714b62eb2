#include "server/http/loopback.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* ":" and digits, or nothing. */
static bool is_port(const char *text, size_t len)
{
    if (len == 0)
        return true;
    if (text[0] != ':' || len > 6)
        return false;
    for (size_t i = 1; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return true;
}

static bool is_loopback_v4(const char *host, size_t len)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;

    if (len >= sizeof text)
        return false;
    memcpy(text, host, len);
    text[len] = 0;
    return inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

bool loopback_authority(const char *authority, size_t len)
{
    static const char v6[] = "[::1]";
    const char *colon;
    size_t host_len;

    if (len >= sizeof v6 - 1 && memcmp(authority, v6, sizeof v6 - 1) == 0)
        return is_port(authority + sizeof v6 - 1, len - (sizeof v6 - 1));
    colon = memchr(authority, ':', len);
    host_len = colon ? (size_t)(colon - authority) : len;
    if (!is_port(authority + host_len, len - host_len))
        return false;
    if (host_len == strlen("localhost") && strncasecmp(authority, "localhost", host_len) == 0)
        return true;
    return is_loopback_v4(authority, host_len);
}

bool loopback_origin(const char *origin)
{
    const char *at = strstr(origin, "://");

    return at && loopback_authority(at + 3, strlen(at + 3));
}
