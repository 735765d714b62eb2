/* engine/output.h - the files in which the output of attempts is kept, for reading.
 *
 * Output that is large, or of an attempt that has lasted a while, is in a file from then on: as
 * long as the attempt runs it grows, and afterwards it stays as it is. Any thread.
 */
#ifndef JOBD_ENGINE_OUTPUT_H
#define JOBD_ENGINE_OUTPUT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/uuid7.h"
#include "domain/outcome.h"
#include "pool/output_file.h"

/* On success *ret_file is the caller's. ERR_NOT_FOUND: there is no such file (yet). */
int output_open(const char *data_dir, struct uuid7 id, int attempt, enum stream stream,
                struct output_file *ret_file, struct errinfo *e);

/* What a file that a dead worker has left holds, as a worker that ends well would have told.
 * False, and nothing is changed: there is none. */
bool output_find(const char *data_dir, struct uuid7 id, int attempt, enum stream stream,
                 struct capture *ret_capture);

#endif
