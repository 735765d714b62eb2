/* pool/workdir.h - the directories of an attempt: where it runs, and where it leaves files for
 * others.
 *
 *   work/<job>.<attempt>/cwd/         its working directory; holds its inputs
 *   work/<job>.<attempt>/artifacts/   $JOBD_ARTIFACTS
 *   artifacts/<job>.<attempt>/        what it has left there, once it has ended
 *   trash/                            all the rest, until it is removed
 *
 * Making a directory is dear on a journaling file system, so one that an attempt has left as it
 * got it is used again under a new name. What is not empty goes to the trash in one step, and
 * is removed from there in small portions while the worker has nothing better to do. All
 * workers share the trash: a worker looks there when it starts, when it has put something in,
 * and when it is told that others have; else hardly ever, so that an idle one sleeps. One
 * thread.
 */
#ifndef JOBD_POOL_WORKDIR_H
#define JOBD_POOL_WORKDIR_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"
#include "base/uuid7.h"
#include "domain/inputs.h"
#include "pool/artifacts.h"
#include "pool/loop.h"
#include "pool/paths.h"

enum workdir_part { WORKDIR_ITSELF, WORKDIR_CWD, WORKDIR_ARTIFACTS, WORKDIR_PARTS };

/* The directories that are used again, as they were made. */
struct workdir_set {
    int fds[WORKDIR_PARTS]; /* -1: not open */
    dev_t devices[WORKDIR_PARTS];
    ino_t inodes[WORKDIR_PARTS];
    struct timespec changed[WORKDIR_PARTS]; /* when they were, as of when they were empty */
    ssize_t attributes[WORKDIR_PARTS];      /* how long the list of their names is */
    bool settled; /* so long ago that a change of theirs would show in the time */
};

/* Of a worker; stays in place. */
struct workdirs {
    struct loop *loop;
    /* Files are to be brought to the disk, which may take long; NULL: nobody wants to know. */
    void (*on_slow)(void *ctx);
    void *ctx; /* of it */
    struct artifacts_bounds bounds;
    char root[PATHS_SIZE]; /* the data directory, absolute: jobs see it */
    int root_fd;           /* -1: not open */
    int work_fd;
    int trash_fd;
    bool has_spare;         /* work/spare.<pid> is there, with empty cwd and artifacts */
    struct workdir_set set; /* of that one, or of the attempt that has got it */
    struct timer sweep;
};

/* Of an attempt. */
struct workdir {
    struct workdirs *dirs; /* NULL: it has none */
    struct uuid7 job_id;
    int attempt;
    char cwd[PATHS_SIZE];
    char artifacts[PATHS_SIZE];
};

/* data_dir is prepared (pool/paths.h). w is closed by workdirs_close() whatever this returns.
 */
int workdirs_open(struct workdirs *w, struct loop *loop, const char *data_dir,
                  const struct artifacts_bounds *bounds, struct errinfo *e);
void workdirs_close(struct workdirs *w);
/* There may be something in the trash. One that is not open is fine. */
void workdirs_tidy(struct workdirs *w);

/* Fresh directories for an attempt, with its inputs. On failure *ret_stage is "directory" or
 * "inputs", and there is nothing to be finished. */
int workdir_make(struct workdirs *w, struct uuid7 job_id, int attempt,
                 const struct inputs *inputs, struct workdir *ret_dir, const char **ret_stage,
                 struct errinfo *e);
/* The attempt has ended. keep: its artifacts are taken over; abandoned: somebody may still be
 * in there. One without directories is fine. */
void workdir_finish(struct workdir *d, bool keep, bool abandoned);

/* The directories of an attempt whose worker has died go to the trash. Any process. */
void workdir_discard(const char *data_dir, struct uuid7 job_id, int attempt);

#endif
