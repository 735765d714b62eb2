/* domain/inputs.h - files that a job brings along: written into the working directory of each
 * attempt before it starts. Plain data; pure.
 */
#ifndef JOBD_DOMAIN_INPUTS_H
#define JOBD_DOMAIN_INPUTS_H

#include <jansson.h>
#include <stddef.h>

#include "base/clean.h"
#include "base/err.h"

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

/* NULL, or what is wrong with a path: a constant for people. len: it may hold NULs. */
const char *input_path_fault(const char *path, size_t len);

/* The inputs that a payload holds: [{"path", "content" | "base64"}]; NULL is none.
 * ERR_VALIDATION: it is damaged. */
int inputs_decode(const json_t *array, struct inputs *ret_inputs, struct errinfo *e);

void inputs_fini(struct inputs *in);
DEFINE_AUTO_FINI(inputs, struct inputs)

#endif
