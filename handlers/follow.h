/* handlers/follow.h - a log that is sent while it is written, until the attempt ends.
 *
 * Positions count the bytes that the program wrote. What is no longer there when its turn comes
 * is left out, and a line says so. A follower that has nothing to send waits without a thread:
 * it is woken by a change of the job and looks for new bytes a few times a second. When jobd
 * stops the connection breaks, for the log has not ended; the client comes back with a Range.
 */
#ifndef JOBD_HANDLERS_FOLLOW_H
#define JOBD_HANDLERS_FOLLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "domain/job.h"
#include "handlers/output.h"
#include "handlers/service.h"
#include "server/http/http.h"

/* How many there are. Any thread. */
struct followers {
    atomic_uint count;
    unsigned max;
};

struct follow_start {
    const struct job *job; /* as it was when the output was read */
    int attempt;           /* 0: the first one, when it comes */
    enum stream stream;
    uint64_t from, until; /* positions; until UINT64_MAX: the end */
    bool wait;            /* for more; else what is there now is all */
};

/* Answer with what o holds and will hold, which goes to the answer. Content-Range and the like
 * are the caller's to set before. ERR_LONG_POLLS: there are too many already. */
int follow_reply(const struct service *sv, struct http_resp *rs, int status,
                 const char *content_type, struct kept_output *o,
                 const struct follow_start *start);

#endif
