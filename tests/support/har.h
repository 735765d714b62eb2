/* tests/support/har.h - the traffic of the API tests, recorded for tests/conformance/drift. */
#ifndef JOBD_TESTS_SUPPORT_HAR_H
#define JOBD_TESTS_SUPPORT_HAR_H

#include "tests/support/api.h"

/* Append an exchange to the file $JOBD_API_TRAFFIC, one HAR entry a line; without that variable
 * do nothing. Bodies that are not text are left out. Any thread. */
void har_record(const char *url, const struct api_request *q, const struct api_reply *r);

#endif
