/* pool/recorder.h - one output stream of an attempt: the first bytes are kept, the rest is
 * counted.
 *
 * In memory up to RECORDER_INLINE_MAX; beyond it, or when the owner asks (recorder_spill()), in
 * a file of the data directory, where it can be read while the attempt runs. When the disk
 * fails the attempt goes on: what could not be written is not kept, and is logged. One thread.
 */
#ifndef JOBD_POOL_RECORDER_H
#define JOBD_POOL_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "domain/outcome.h"

#define RECORDER_INLINE_MAX 65536

struct recorder {
    const char *data_dir; /* borrowed */
    struct uuid7 job_id;
    int attempt;
    enum stream stream;
    int64_t max_bytes;

    struct buf head; /* what is kept, while it is not in the file */
    int64_t total_bytes;
    int64_t kept_bytes;
    int file_fd;
    bool to_file; /* asked to spill */
    bool broken;  /* the disk failed: nothing more is kept */
};

/* data_dir stays the caller's; max_bytes >= 0. */
void recorder_init(struct recorder *r, const char *data_dir, struct uuid7 job_id, int attempt,
                   enum stream stream, int64_t max_bytes);
void recorder_add(struct recorder *r, const void *block, size_t len);
/* From now on in the file. */
void recorder_spill(struct recorder *r);
/* The end: a file is synced. What was kept moves to *ret_capture. */
void recorder_finish(struct recorder *r, struct capture *ret_capture);
/* Release everything; a file that was not finished is removed. A zeroed recorder is not fine
 * (file_fd). */
void recorder_fini(struct recorder *r);

#endif
