/* server/http/problem.h - an error as application/problem+json (RFC 9457). */
#ifndef JOBD_SERVER_HTTP_PROBLEM_H
#define JOBD_SERVER_HTTP_PROBLEM_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "domain/faults.h"

struct problem {
    int code;           /* ERR_* */
    const char *detail; /* for people; "" or NULL: none. Need not be UTF-8 */
    const char *request_id;
    const json_t *members;       /* an object of extension members; may be NULL */
    const struct faults *faults; /* becomes errors[]; may be NULL */
};

/* Append it as a JSON object, for an answer that has several. */
void problem_add(struct buf *out, const struct problem *p);

/* The text; the caller frees it. A problem of the server itself (500, or a store that fails)
 * does not show its detail: it is for the log, which request_id leads to. */
char *problem_encode(const struct problem *p, size_t *ret_len);

#endif
