/* engine/output.h - the files in which the output of attempts is kept, for reading.
 *
 * Output that is large, or of an attempt that has lasted a while, is in a file from then on: as
 * long as the attempt runs it grows, and afterwards it stays as it is. Any thread.
 */
#ifndef JOBD_ENGINE_OUTPUT_H
#define JOBD_ENGINE_OUTPUT_H

#include <stdint.h>

#include "base/err.h"
#include "base/uuid7.h"
#include "domain/outcome.h"

/* On success *ret_fd is the caller's, and *ret_bytes what the file holds now. ERR_NOT_FOUND:
 * there is no such file (yet). */
int output_open(const char *data_dir, struct uuid7 id, int attempt, enum stream stream,
                int *ret_fd, int64_t *ret_bytes, struct errinfo *e);

#endif
