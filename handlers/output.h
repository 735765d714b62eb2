/* handlers/output.h - what an attempt wrote to a stream, wherever it is kept: in the ledger, in
 * a file, or in a file that still grows. HTTP threads. */
#ifndef JOBD_HANDLERS_OUTPUT_H
#define JOBD_HANDLERS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/err.h"
#include "domain/job.h"
#include "handlers/service.h"
#include "server/http/http.h"
#include "store/store.h"

struct kept_output {
    char *data; /* `bytes` bytes, when they are not in a file */
    int fd;     /* else; -1: none */
    uint64_t bytes;
    bool complete;  /* nothing more will come */
    bool truncated; /* the program wrote more than this */
};

/* Of the job's last attempt; job as read by rd before this call. Ended by kept_output_fini()
 * whatever this returns. ERR_NOT_FOUND: the file that should hold it is gone. */
int kept_output_read(const struct service *sv, struct store_reader *rd, const struct job *job,
                     enum stream stream, struct kept_output *ret_output, struct errinfo *e);
void kept_output_fini(struct kept_output *o);
DEFINE_AUTO_FINI(kept_output, struct kept_output)

/* Whether all of it is UTF-8 text. */
int kept_output_is_utf8(const struct kept_output *o, bool *ret_is, struct errinfo *e);

/* Answer with a part of it. Data or descriptor go to the answer. */
int kept_output_reply(struct kept_output *o, struct http_resp *rs, int status,
                      const char *content_type, uint64_t offset, uint64_t len);

#endif
