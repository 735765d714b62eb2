/* engine/discard.h - the files that the attempts of a removed job have left: output and
 * artifacts.
 *
 * They go to the trash, from where the workers remove them bit by bit (pool/workdir.h): a step
 * for each, however large they are. Engine thread.
 */
#ifndef JOBD_ENGINE_DISCARD_H
#define JOBD_ENGINE_DISCARD_H

#include <stdbool.h>

#include "base/err.h"
#include "base/uuid7.h"

/* Whether one of the attempts 1..attempts has left artifacts, which the ledger does not know
 * of. */
bool discard_has_artifacts(const char *data_dir, struct uuid7 job_id, int attempts);

/* Throw away all files of the attempts 1..attempts. What is not there is fine: it may have been
 * done before. ERR_SYS: some are still there. */
int discard_files(const char *data_dir, struct uuid7 job_id, int attempts, struct errinfo *e);

/* What discard_files() has done so far survives power loss. */
int discard_sync(const char *data_dir, struct errinfo *e);

#endif
