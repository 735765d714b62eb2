/* server/http/dispatch.h - call the handlers, suspend and resume, send the answer. */
#ifndef JOBD_SERVER_HTTP_DISPATCH_H
#define JOBD_SERVER_HTTP_DISPATCH_H

#include "server/http/request.h"

/* Go on with a request that is complete: call its handler, or rq.next after a resume. Returns
 * what the access handler returns to MHD. */
enum MHD_Result dispatch_run(struct request *r);

/* Answer with what r->rs holds, or, for a negative result, with a problem. */
enum MHD_Result dispatch_answer(struct request *r, int result);

#endif
