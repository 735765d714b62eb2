/* domain/inputs.h - files that a job brings along: written into the working directory of each
 * attempt before it starts. Plain data; pure.
 */
#ifndef JOBD_DOMAIN_INPUTS_H
#define JOBD_DOMAIN_INPUTS_H

#include <stddef.h>

#include "base/clean.h"

#define INPUTS_MAX              64
#define INPUT_PATH_MAX_BYTES    1024
#define INPUT_SEGMENT_MAX_BYTES 255

struct input {
    char *path; /* relative, of plain segments: no "", "." or ".." among them */
    char *data; /* len bytes and a NUL */
    size_t len;
};

struct inputs {
    struct input *items; /* no path twice, and none that is a folder of another */
    size_t count;
};

void inputs_fini(struct inputs *in);
DEFINE_AUTO_FINI(inputs, struct inputs)

#endif
