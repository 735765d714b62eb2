/* handlers/output.h - what an attempt wrote to a stream, wherever it is kept: in the ledger, in
 * a file, or in a file that still grows. HTTP threads.
 *
 * Of a stream that is longer than what is kept, the bytes [head, tail_at) are left out, and
 * perhaps (the disk failed) what came after `written`. In what is served a line says so in
 * each of these places, so there are two ways of counting: positions count the bytes that
 * the program wrote, offsets those that are served. They are the same where nothing is left
 * out.
 */
#ifndef JOBD_HANDLERS_OUTPUT_H
#define JOBD_HANDLERS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/sha256.h"
#include "domain/job.h"
#include "engine/output.h"
#include "handlers/service.h"
#include "server/http/http.h"
#include "store/store.h"

#define GAP_LINE_SIZE 64

struct kept_output {
    char *data;              /* what is kept, when it is not in a file */
    struct output_file file; /* else; fd -1: none */
    bool complete;           /* nothing more will come */
    uint64_t head;           /* positions, see above: head <= tail_at <= written <= total */
    uint64_t tail_at;
    uint64_t written;
    uint64_t total; /* what the program wrote, as far as is known */
    uint64_t bytes; /* how many are served */
};

/* Of this attempt; job as read by rd before this call. Ended by kept_output_fini() whatever
 * this returns. ERR_NOT_FOUND: the file that should hold it is gone. */
int kept_output_read(const struct service *sv, struct store_reader *rd, const struct job *job,
                     int attempt, enum stream stream, struct kept_output *ret_output,
                     struct errinfo *e);
/* Of one that is in a file: see how far it has got. */
int kept_output_refresh(struct kept_output *o, struct errinfo *e);
/* Of one that is not complete: the same, or see whether there is a file by now. */
int kept_output_follow(const struct service *sv, struct uuid7 id, int attempt,
                       enum stream stream, struct kept_output *o, struct errinfo *e);
void kept_output_fini(struct kept_output *o);
DEFINE_AUTO_FINI(kept_output, struct kept_output)

static inline bool kept_output_truncated(const struct kept_output *o)
{
    return o->tail_at > o->head || o->total > o->written;
}

/* The line that stands for n bytes; returns its length. */
size_t kept_output_gap_line(uint64_t n, char room[GAP_LINE_SIZE]);

/* Up to room bytes from this position, which is kept. 0: they are overwritten by now. */
ssize_t kept_output_at(const struct kept_output *o, uint64_t pos, char *block, size_t room,
                       struct errinfo *e);
/* The position from which on there are `lines` lines; 0 is the whole. Looks at the last 16 MiB
 * at most. */
int kept_output_last_lines(const struct kept_output *o, uint64_t lines, uint64_t *ret_pos,
                           struct errinfo *e);

/* Whether all that is served is UTF-8 text. */
int kept_output_is_utf8(const struct kept_output *o, bool *ret_is, struct errinfo *e);

/* The digest of all that is served, as the value of Repr-Digest. */
int kept_output_digest(const struct kept_output *o, char ret_field[SHA256_FIELD_SIZE],
                       struct errinfo *e);

/* Answer with a part of what is served. Data or descriptor go to the answer. While the attempt
 * runs offsets are positions, and the part must not reach over what is left out. */
int kept_output_reply(struct kept_output *o, struct http_resp *rs, int status,
                      const char *content_type, uint64_t offset, uint64_t len);

#endif
