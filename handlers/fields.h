/* handlers/fields.h - `fields`: only the members that a client asks for, of an item of a
 * collection.
 *
 * What can be asked for is what openapi.yaml names (handlers/fields.def). One thread.
 */
#ifndef JOBD_HANDLERS_FIELDS_H
#define JOBD_HANDLERS_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/clean.h"
#include "server/http/http.h"

#define FIELDS_MAX 100 /* names in one request */

/* The schema of the items: FIELDS_JOB, ... */
enum fields_of {
#define FIELDS_BEGIN(schema) FIELDS_##schema,
#define FIELD(name)
#define FIELDS_END(schema)
#include "handlers/fields.def"
#undef FIELDS_BEGIN
#undef FIELD
#undef FIELDS_END
    FIELDS_MAX_
};

/* Zeroed: all members. */
struct fields {
    const char *names[FIELDS_MAX]; /* dotted: "failure.reason" */
    size_t count;
    char *text; /* the values of the parameter, cut into names */
};

/* Whether there is such a member, by what the contract says. */
bool fields_known(enum fields_of of, const char *name);
/* The values of the parameter `fields`: names with commas between them. ERR_INVALID_PARAMETER.
 */
int fields_decode(struct fields *fields, enum fields_of of, const struct http_req *rq,
                  struct http_resp *rs);
/* The object with these members only; what it does not have is left out. Takes and returns. */
json_t *fields_project(const struct fields *fields, json_t *take_object);
void fields_fini(struct fields *fields);
DEFINE_AUTO_FINI(fields, struct fields)

#endif
