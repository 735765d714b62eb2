/* domain/args_schema.h - the JSON Schema of a function's args: compiled when the configuration
 * is read, asked at each submit.
 *
 * A subset of JSON Schema 2020-12, all of it checked; whatever is not in it is refused, so that
 * nobody relies on a keyword that does nothing:
 *   any value   type (a name or several), enum, const
 *   numbers     minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf (whole)
 *   texts       minLength, maxLength (code points), pattern (domain/pattern.h)
 *   arrays      items, minItems, maxItems, uniqueItems
 *   objects     properties, required, additionalProperties, minProperties, maxProperties
 *   for people  title, description, default (which is not applied), examples, deprecated,
 *               $schema, $comment
 * A schema is an object, or true (anything) or false (nothing). There are no references, no
 * combinations (allOf, ...) and no format: a value is looked at once, at one place of the
 * schema, so that the time of a check grows with the size of the args alone. That of patterns
 * is bounded besides (ARGS_SCHEMA_STEPS_MAX).
 *
 * Numbers are equal when their values are: 1 is 1.0, and an integer.
 *
 * Compiled schemas are read-only: any thread.
 */
#ifndef JOBD_DOMAIN_ARGS_SCHEMA_H
#define JOBD_DOMAIN_ARGS_SCHEMA_H

#include <jansson.h>
#include <stddef.h>

#include "base/clean.h"
#include "base/err.h"
#include "domain/faults.h"

#define ARGS_SCHEMA_MAX_BYTES 262144
#define ARGS_SCHEMA_NODES_MAX 2000     /* schemas in a schema */
#define ARGS_SCHEMA_ENUM_MAX  1000     /* values of one enum */
#define ARGS_SCHEMA_STEPS_MAX 20000000 /* of all patterns of one check; about 0.1 s */

struct args_schema;

/* Told of each fault of a schema: where ("properties.size.minimum", "" for all of it) and what.
 */
typedef void (*args_schema_report)(void *ctx, const char *path, const char *text);

/* text is JSON. ERR_CONFIG after at least one report. */
int args_schema_compile(const char *text, size_t len, args_schema_report report, void *ctx,
                        struct args_schema **ret_schema);
struct args_schema *args_schema_free(struct args_schema *s);
DEFINE_AUTO(args_schema, struct args_schema)

/* As it was written. Borrowed. */
const json_t *args_schema_json(const struct args_schema *s);

/* Add a fault for all that is wrong with args, at "#/args...". args NULL (not sent) counts as
 * {}. */
void args_schema_check(const struct args_schema *s, const json_t *args, struct faults *f);

#endif
