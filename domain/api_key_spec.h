/* domain/api_key_spec.h - a key as a client asks for it. Pure, any thread. */
#ifndef JOBD_DOMAIN_API_KEY_SPEC_H
#define JOBD_DOMAIN_API_KEY_SPEC_H

#include <jansson.h>

#include "domain/api_key.h"
#include "domain/faults.h"
#include "domain/principal.h"

/* Fill name, grant and expires_at_us of a zeroed key; adds a fault for all that is wrong.
 * Nobody can give away what he has not: maker is who asks, and whose tenant the key gets. */
void api_key_spec_decode(const json_t *body, const struct principal *maker, usec_t now_us,
                         struct api_key *key, struct faults *f);

/* Whether p may do all that the grant allows: else he must not get hold of its token. */
bool api_key_is_within(const struct grant *g, const struct principal *p);

#endif
