#include "base/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/text.h"

#define IPV4_PREFIX_BITS 96 /* of the IPv6 form */

static const unsigned char ipv4_prefix[12] = { [10] = 0xff, [11] = 0xff };

static bool is_ipv4(const struct ip_address *ip)
{
    return memcmp(ip->bytes, ipv4_prefix, sizeof ipv4_prefix) == 0;
}

static struct ip_address from_ipv4(const void *four_bytes)
{
    struct ip_address ip;

    memcpy(ip.bytes, ipv4_prefix, sizeof ipv4_prefix);
    memcpy(ip.bytes + sizeof ipv4_prefix, four_bytes, 4);
    return ip;
}

bool ip_parse(const char *text, size_t len, struct ip_address *ret_ip)
{
    char copy[IP_TEXT_SIZE];
    unsigned char four_bytes[4];

    if (len == 0 || len >= sizeof copy || memchr(text, 0, len))
        return false;
    memcpy(copy, text, len);
    copy[len] = 0;
    if (inet_pton(AF_INET, copy, four_bytes) == 1) {
        *ret_ip = from_ipv4(four_bytes);
        return true;
    }
    return inet_pton(AF_INET6, copy, ret_ip->bytes) == 1;
}

bool ip_from_socket(const struct sockaddr *address, struct ip_address *ret_ip)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, address, sizeof in);
        *ret_ip = from_ipv4(&in.sin_addr);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, address, sizeof in6);
        memcpy(ret_ip->bytes, &in6.sin6_addr, sizeof ret_ip->bytes);
        return true;
    }
    return false;
}

char *ip_format(const struct ip_address *ip, char room[IP_TEXT_SIZE])
{
    /* Neither can fail: the family is known and the room is large enough. */
    if (is_ipv4(ip))
        (void)inet_ntop(AF_INET, ip->bytes + sizeof ipv4_prefix, room, IP_TEXT_SIZE);
    else
        (void)inet_ntop(AF_INET6, ip->bytes, room, IP_TEXT_SIZE);
    return room;
}

bool ip_equal(const struct ip_address *a, const struct ip_address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* -- ranges ---------------------------------------------------------------------------------
 */

static unsigned char mask_of(unsigned prefix_bits, size_t byte)
{
    unsigned before = (unsigned)byte * 8;

    unsigned bits = prefix_bits > before ? prefix_bits - before : 0; /* set, from the left */

    return (unsigned char)(bits >= 8 ? 0xffu : ~(0xffu >> bits) & 0xffu);
}

static bool cidr_has(const struct cidr *c, const struct ip_address *ip)
{
    for (size_t i = 0; i < sizeof ip->bytes; i++)
        if ((ip->bytes[i] ^ c->base.bytes[i]) & mask_of(c->prefix_bits, i))
            return false;
    return true;
}

static bool has_bits_beyond(const struct cidr *c)
{
    for (size_t i = 0; i < sizeof c->base.bytes; i++)
        if ((c->base.bytes[i] & mask_of(c->prefix_bits, i)) != c->base.bytes[i])
            return true;
    return false;
}

int cidr_parse(const char *text, struct cidr *ret_cidr, struct errinfo *e)
{
    struct cidr c;
    size_t len = strcspn(text, "/");
    unsigned above;
    int64_t bits = 128;

    if (!ip_parse(text, len, &c.base))
        return err_set(e, ERR_CONFIG, "\"%.60s\" is not an IP address or ADDRESS/BITS", text);
    above = memchr(text, ':', len) ? 0 : IPV4_PREFIX_BITS;
    if (text[len] == '/' && !text_to_i64(text + len + 1, 0, 128 - above, &bits))
        return err_set(e, ERR_CONFIG, "\"%.60s\": after the / is a number from 0 to %u", text,
                       128 - above);
    c.prefix_bits = text[len] == '/' ? above + (unsigned)bits : 128;
    if (has_bits_beyond(&c))
        return err_set(e, ERR_CONFIG, "\"%.60s\": the address has bits beyond its prefix",
                       text);
    *ret_cidr = c;
    return 0;
}

int cidr_list_add(struct cidr_list *list, const char *text, struct errinfo *e)
{
    struct cidr c;
    int r = cidr_parse(text, &c, e);

    if (r < 0)
        return r;
    list->items = mem_resize(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = c;
    return 0;
}

bool cidr_list_has(const struct cidr_list *list, const struct ip_address *ip)
{
    for (size_t i = 0; i < list->count; i++)
        if (cidr_has(&list->items[i], ip))
            return true;
    return false;
}

void cidr_list_fini(struct cidr_list *list)
{
    free(list->items);
    *list = (struct cidr_list){ 0 };
}
