/* domain/merge_patch.h - JSON merge patches (RFC 7396). Pure, any thread. */
#ifndef JOBD_DOMAIN_MERGE_PATCH_H
#define JOBD_DOMAIN_MERGE_PATCH_H

#include <jansson.h>

/* What the patch makes of target (NULL: of nothing): a new value, which shares parts with both.
 * Neither is changed. The depth is bounded by that of what was parsed. */
json_t *merge_patch(const json_t *target, const json_t *patch);

#endif
