/* server/http/admission.h - whether there is room for a request: what its sender may still ask
 * for, and what the server can take. A link of the chain, before the body is read, so that a
 * refusal costs little. Private to server/http.
 *
 *   429  the sender has asked more than the rate allows (quota-exceeded)
 *   503  more submits wait for the ledger than it gets done soon (temporary-reduced-capacity):
 *        those that have been taken are finished at the rate of an unloaded server. Reads,
 * probes and cancellations are not refused.
 *   429  as many jobs wait as may (queue-full), which the engine would say as well
 */
#ifndef JOBD_SERVER_HTTP_ADMISSION_H
#define JOBD_SERVER_HTTP_ADMISSION_H

#include "server/http/request.h"

/* After auth_check(). Returns 0 or the refusal. Sets RateLimit and RateLimit-Policy where there
 * is a rate, and Retry-After for who is over it. */
int admission_check(struct request *r);

/* The rate alone, for who was not let in: by the address, where it is not known who it is. */
int admission_check_rate(struct request *r);

#endif
