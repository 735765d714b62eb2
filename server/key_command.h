/* server/key_command.h - `jobd key`: bearer keys made, listed and revoked on the machine of the
 * server, whether it runs or not. One thread, instead of a server.
 */
#ifndef JOBD_SERVER_KEY_COMMAND_H
#define JOBD_SERVER_KEY_COMMAND_H

#include <stdbool.h>

#include "server/options.h"

/* What was asked for; texts are borrowed from argv. */
struct key_order {
    const char *verb; /* "create" ...; NULL: none was given */
    const char *id;   /* of revoke and rotate; NULL: none was given */
    const char *name;
    const char *expires;    /* a time from now ("30d") or a date-time (RFC 3339) */
    struct text_list parts; /* "scopes=jobs:read": see grant_set() */
    bool json;
};

/* The part of a grant that a flag of `jobd key create` sets ("scope" -> "scopes"), or NULL. */
const char *key_flag_part(const char *flag, size_t len);

/* Do it in the data directory. Prints to stdout, complains on stderr. Returns the exit code. */
int key_command(const struct key_order *order, const struct settings *s);

#endif
