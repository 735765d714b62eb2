/* base/cidr.h - IP addresses and ranges of them.
 *
 * IPv4 lies inside IPv6 (::ffff:a.b.c.d), so that one comparison serves both, and a client of a
 * dual-stack socket is the same as one of an IPv4 socket. Plain data; any thread.
 */
#ifndef JOBD_BASE_CIDR_H
#define JOBD_BASE_CIDR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clean.h"
#include "base/err.h"

#define IP_TEXT_SIZE 46

struct sockaddr;

struct ip_address {
    unsigned char bytes[16];
};

/* The address in these len bytes, without port, brackets or zone; false for anything else. */
bool ip_parse(const char *text, size_t len, struct ip_address *ret_ip);
/* Of a socket; false where it is neither IPv4 nor IPv6. */
bool ip_from_socket(const struct sockaddr *address, struct ip_address *ret_ip);
/* As people write it: IPv4 as "192.0.2.1". Returns room. */
char *ip_format(const struct ip_address *ip, char room[IP_TEXT_SIZE]);
bool ip_equal(const struct ip_address *a, const struct ip_address *b);

struct cidr {
    struct ip_address base;
    unsigned prefix_bits; /* 0..128, of the IPv6 form */
};

/* "192.0.2.0/24", "2001:db8::/32", or one address. ERR_CONFIG, also for bits beyond the prefix.
 */
int cidr_parse(const char *text, struct cidr *ret_cidr, struct errinfo *e);

struct cidr_list {
    struct cidr *items;
    size_t count;
};

/* ERR_CONFIG as cidr_parse(). */
int cidr_list_add(struct cidr_list *list, const char *text, struct errinfo *e);
bool cidr_list_has(const struct cidr_list *list, const struct ip_address *ip);
void cidr_list_fini(struct cidr_list *list);
DEFINE_AUTO_FINI(cidr_list, struct cidr_list)

#endif
