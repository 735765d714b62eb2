/* pool/recorder.h - one output stream of an attempt: its beginning and its end are kept, what
 * lies between them is counted.
 *
 * In memory up to RECORDER_INLINE_MAX; beyond it, or when the owner asks (recorder_spill()), in
 * a file of the data directory (pool/output_file.h), where it can be read while the attempt
 * runs. Neither is ever larger than max_bytes: half of that is for the beginning, half a ring
 * for the end. When the disk fails the attempt goes on: memory does for as long as it
 * suffices, what comes then is not kept, and that is logged. One thread.
 */
#ifndef JOBD_POOL_RECORDER_H
#define JOBD_POOL_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "domain/kept.h"
#include "domain/outcome.h"
#include "pool/output_file.h"

#define RECORDER_INLINE_MAX 65536

struct recorder {
    const char *data_dir; /* borrowed */
    struct uuid7 job_id;
    int attempt;
    enum stream stream;
    struct kept kept;

    struct buf memory; /* what is kept, while it is not in the file; laid out in the same way */
    struct output_file file;
    int64_t total_bytes;
    int64_t written; /* of these, recorded: kept, or left out of the middle */
    bool to_file;
    bool broken; /* the disk failed: nothing more is recorded */
};

/* data_dir stays the caller's; max_bytes >= 0. */
void recorder_init(struct recorder *r, const char *data_dir, struct uuid7 job_id, int attempt,
                   enum stream stream, int64_t max_bytes);
void recorder_add(struct recorder *r, const void *block, size_t len);
/* From now on in the file, if the disk takes it. */
void recorder_spill(struct recorder *r);
/* The end: a file is synced. What was kept moves to *ret_capture. */
void recorder_finish(struct recorder *r, struct capture *ret_capture);
/* Release everything; a file that was not finished is removed. A zeroed recorder is not fine
 * (file.fd). */
void recorder_fini(struct recorder *r);

#endif
