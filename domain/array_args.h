/* domain/array_args.h - the place of a member of an array among the args of its function.
 *
 * A function whose command has the placeholder {array_index} gets the index there, unless the
 * args say what stands for it. Pure, any thread.
 */
#ifndef JOBD_DOMAIN_ARRAY_ARGS_H
#define JOBD_DOMAIN_ARRAY_ARGS_H

#include <jansson.h>
#include <stdint.h>

#include "domain/function.h"

/* args (NULL: none) with the index, if fn has the placeholder; a new reference, NULL for NULL.
 */
json_t *array_args(const struct function *fn, const json_t *args, int64_t index);

#endif
