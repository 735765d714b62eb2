/* domain/json_digest.h - the SHA-256 of what a JSON value says, however it is written: members
 * sorted by their names, no blanks. Any thread.
 */
#ifndef JOBD_DOMAIN_JSON_DIGEST_H
#define JOBD_DOMAIN_JSON_DIGEST_H

#include <jansson.h>

#include "base/sha256.h"

/* Add the value to what is being digested, so that values in a row cannot be taken for others.
 * NULL adds the absence of a value, which no value equals. */
void json_digest_add(struct sha256 *h, const json_t *json);

#endif
