/* server/http/loopback.h - is a request meant for this machine, as far as its headers tell?
 *
 * A server on loopback has no keys, so the browser of the same user must not be a way in: a
 * name that an attacker lets point to 127.0.0.1 (DNS rebinding) is refused by its Host, a page
 * that posts across sites by its Origin. Any thread.
 */
#ifndef JOBD_SERVER_HTTP_LOOPBACK_H
#define JOBD_SERVER_HTTP_LOOPBACK_H

#include <stdbool.h>
#include <stddef.h>

/* "localhost", 127.0.0.0/8 or [::1], with or without a port. */
bool loopback_authority(const char *authority, size_t len);
/* "http://localhost:3000": a serialized origin of such a host; "null" is not. */
bool loopback_origin(const char *origin);

#endif
