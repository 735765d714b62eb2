/* engine/artifact_files.h - the files that an attempt has left for others, for reading: taken
 * over by its worker (pool/artifacts.h), unchanged since. Any thread. */
#ifndef JOBD_ENGINE_ARTIFACT_FILES_H
#define JOBD_ENGINE_ARTIFACT_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/uuid7.h"

struct artifact {
    char *path; /* below the attempt's directory */
    int64_t size_bytes;
};

struct artifact_list {
    struct artifact *items; /* by path */
    size_t count;
    int64_t left_out; /* names that were not kept */
};

/* Empty when there are none (yet). */
int artifact_files_list(const char *data_dir, struct uuid7 job_id, int attempt,
                        struct artifact_list *ret_list, struct errinfo *e);
void artifact_list_fini(struct artifact_list *list);
DEFINE_AUTO_FINI(artifact_list, struct artifact_list)

struct artifact_file {
    int fd;
    int64_t size_bytes;
    int64_t changed_ns; /* with the size, names its content */
};

/* ERR_ARTIFACT_NOT_FOUND: there is no such file; whatever the path is, nothing else than a file
 * of this attempt is opened. On success the descriptor is the caller's. */
int artifact_files_open(const char *data_dir, struct uuid7 job_id, int attempt,
                        const char *path, struct artifact_file *ret_file, struct errinfo *e);

#endif
