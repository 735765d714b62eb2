/* domain/channel.h - what one line of the job channel (descriptor 3 of a job) says.
 *
 *   {"ready": true, "concurrency": 8}              a warm program is set up, for so many jobs
 * at once (1 when it does not say)
 *   {"id": "..", "progress": 0.4, "message": ".."} how far it is; either member alone is fine
 *   {"id": "..", "result": <any JSON>}             the result
 *   {"id": "..", "error": {"message": ".."}}       it failed; a plain string is fine too
 *
 * A warm program names the job with "id"; a command has one job and needs none. Members that
 * are not known are ignored. Pure; any thread.
 */
#ifndef JOBD_DOMAIN_CHANNEL_H
#define JOBD_DOMAIN_CHANNEL_H

#include <stddef.h>

#include "base/clean.h"

#define CHANNEL_CONCURRENCY_MAX 1000000 /* more is not meant */

enum channel_kind {
    CHANNEL_INVALID, /* message says why */
    CHANNEL_READY,
    CHANNEL_PROGRESS,
    CHANNEL_RESULT,
    CHANNEL_ERROR,
    CHANNEL_KIND_MAX_
};

struct channel_line {
    enum channel_kind kind;
    char *id;             /* NULL: not given */
    double fraction;      /* PROGRESS: 0..1; < 0: not given */
    unsigned concurrency; /* READY: 1 or more */
    char *message;        /* PROGRESS: may be NULL; ERROR and INVALID: never */
    char *result;         /* RESULT: compact JSON text of result_len bytes */
    size_t result_len;
};

/* The line without its end. *ret_line is the caller's. */
void channel_decode(const char *line, size_t len, struct channel_line *ret_line);
void channel_line_fini(struct channel_line *l);
DEFINE_AUTO_FINI(channel_line, struct channel_line)

#endif
