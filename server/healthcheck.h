/* server/healthcheck.h - `jobd healthcheck`: ask a running jobd whether it takes jobs. */
#ifndef JOBD_SERVER_HEALTHCHECK_H
#define JOBD_SERVER_HEALTHCHECK_H

#include "base/clock.h"
#include "base/err.h"

/* GET /readyz at target ("http://127.0.0.1:8080", "127.0.0.1:8080", "unix:PATH"); NULL: the
 * first address in run/listen of the data directory. 0: it takes jobs. ERR_NOT_READY: it does
 * not, or it is not there; the text says what came. ERR_CONFIG: target is no address. */
int healthcheck(const char *target, const char *data_dir, usec_t timeout_us, struct errinfo *e);

#endif
