/* pool/output_file.h - the file in which one output stream of an attempt is kept, and which can
 * be read by other processes while it is written.
 *
 *   header | head | ring of the tail      (domain/kept.h)
 *
 * It is never larger than the header and what is to be kept, and nothing is moved at the end.
 * The header has the sizes, `written`, the length of the stream so far, and `reserved`, how far
 * the bytes reach that are being written just now. As long as the ring is not full the size of
 * the file says it all, so that the common write is one system call, and a file whose writer
 * was killed is in order. From then on a block is written as: reserved, bytes, written; a
 * reader looks at `reserved` after it has read, and knows whether the bytes were overwritten
 * meanwhile.
 *
 * Writing: one thread of one process. Reading: any number of others, each with its own struct.
 */
#ifndef JOBD_POOL_OUTPUT_FILE_H
#define JOBD_POOL_OUTPUT_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clean.h"
#include "base/err.h"
#include "domain/kept.h"

#define OUTPUT_FILE_HEADER_BYTES 64

struct output_file {
    int fd; /* -1: none */
    struct kept kept;
    int64_t written; /* of the stream, as far as it is known here */
    int64_t tail_at; /* reading: bytes [head end, tail_at) are not there */
};

/* A new, empty one in place of any other. On failure there is no file of that name. */
int output_file_create(const char *path, struct kept kept, struct output_file *ret_file,
                       struct errinfo *e);
/* The beginning of the stream, `written` bytes of it, of which those that are kept have been
 * laid out in memory already. f is new. */
int output_file_take(struct output_file *f, const char *laid_out, size_t len, int64_t written,
                     struct errinfo *e);
/* Append to the stream. On failure f->written says how much of it got in. */
int output_file_append(struct output_file *f, const char *block, size_t len, struct errinfo *e);

/* For reading; written is what is there now. ERR_NOT_FOUND: there is no such file (yet).
 * ERR_INTERNAL: it is none of ours. */
int output_file_open(const char *path, struct output_file *ret_file, struct errinfo *e);
/* See how far it has got. */
int output_file_refresh(struct output_file *f, struct errinfo *e);
/* Up to room bytes from position pos, which is in the head or in [tail_at, written). Returns
 * how many, or 0: they are overwritten by now (refresh). */
ssize_t output_file_read(const struct output_file *f, int64_t pos, char *block, size_t room,
                         struct errinfo *e);

void output_file_fini(struct output_file *f);
DEFINE_AUTO_FINI(output_file, struct output_file)

#endif
