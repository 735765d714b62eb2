/* server/http/problem.h - an error as application/problem+json (RFC 9457). */
#ifndef JOBD_SERVER_HTTP_PROBLEM_H
#define JOBD_SERVER_HTTP_PROBLEM_H

#include <stddef.h>

#include "base/err.h"
#include "domain/faults.h"

struct problem {
    int code;           /* ERR_* */
    const char *detail; /* for people; "" or NULL: none. Need not be UTF-8 */
    const char *request_id;
    const struct faults *faults; /* becomes errors[]; may be NULL */
};

/* The text; the caller frees it. A problem of the server itself (500, or a store that fails)
 * does not show its detail: it is for the log, which request_id leads to. */
char *problem_encode(const struct problem *p, size_t *ret_len);

#endif
