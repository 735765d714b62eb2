/* pool/paths.h - the files below the data directory, named in one place.
 *
 *   jobd.lock                           held by the supervisor and the front of a running jobd
 *   instance                            the name of the directory (pool/instance.h)
 *   token.key                           the secret behind page cursors (base/token.h)
 *   run/jobd.pid  run/listen            the supervisor's pid; the bound addresses, one a line
 *   run/front.sock                      where workers connect
 *   run/workers/<worker_id>             locked by that worker while it lives
 *   run/begun/<worker_id>               which attempts it has begun (pool/begun.h)
 *   run/outcomes/<job>.<attempt>        an outcome that the front has not acknowledged
 *   run/detached                        processes to spare (pool/detached.h)
 *   output/<job>.<attempt>.<stream>     output too large or too slow to be kept inline
 *   work/  trash/                       where attempts run, and what they leave
 *   artifacts/<job>.<attempt>/          files that an attempt has left for others
 *
 * Each function writes a path into room of PATHS_SIZE bytes and returns it. data_dir is at most
 * PATHS_DIR_MAX bytes (checked at start).
 */
#ifndef JOBD_POOL_PATHS_H
#define JOBD_POOL_PATHS_H

#include <stdint.h>

#include "base/err.h"
#include "base/uuid7.h"
#include "domain/outcome.h"

#define PATHS_DIR_MAX 1024
#define PATHS_SIZE    (PATHS_DIR_MAX + 128)

char *paths_lock(const char *data_dir, char room[PATHS_SIZE]);
char *paths_instance(const char *data_dir, char room[PATHS_SIZE]);
char *paths_token_key(const char *data_dir, char room[PATHS_SIZE]);
char *paths_pid(const char *data_dir, char room[PATHS_SIZE]);
char *paths_listen(const char *data_dir, char room[PATHS_SIZE]);
char *paths_detached(const char *data_dir, char room[PATHS_SIZE]);
char *paths_front_socket(const char *data_dir, char room[PATHS_SIZE]);
char *paths_worker_dir(const char *data_dir, char room[PATHS_SIZE]);
char *paths_worker(const char *data_dir, int64_t worker_id, char room[PATHS_SIZE]);
char *paths_begun_dir(const char *data_dir, char room[PATHS_SIZE]);
char *paths_begun(const char *data_dir, int64_t worker_id, char room[PATHS_SIZE]);
char *paths_outcome_dir(const char *data_dir, char room[PATHS_SIZE]);
char *paths_outcome(const char *data_dir, struct uuid7 id, int attempt, char room[PATHS_SIZE]);
char *paths_output_dir(const char *data_dir, char room[PATHS_SIZE]);
char *paths_output(const char *data_dir, struct uuid7 id, int attempt, enum stream stream,
                   char room[PATHS_SIZE]);
char *paths_work_dir(const char *data_dir, char room[PATHS_SIZE]);
char *paths_trash_dir(const char *data_dir, char room[PATHS_SIZE]);
char *paths_artifacts_dir(const char *data_dir, char room[PATHS_SIZE]);
/* The job, attempt and stream that an output file's base name stands for; -1 for other names.
 */
int paths_output_parse(const char *base_name, struct uuid7 *ret_id, int *ret_attempt,
                       enum stream *ret_stream);

/* Make the directories (0700) and check the length. ERR_CONFIG, ERR_SYS. */
int paths_prepare(const char *data_dir, struct errinfo *e);

#endif
