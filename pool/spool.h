/* pool/spool.h - outcomes that outlive the worker that found them.
 *
 * A worker that cannot hand an outcome over at once writes it to run/outcomes/ (temporary file,
 * fsync, rename) and removes it once the front has acknowledged it. The front reads what a dead
 * worker left. The file's content is one OUTCOME frame (pool/proto.h). Any process.
 */
#ifndef JOBD_POOL_SPOOL_H
#define JOBD_POOL_SPOOL_H

#include "base/err.h"
#include "domain/outcome.h"

int spool_write(const char *data_dir, const struct outcome *o, struct errinfo *e);
/* ERR_NOT_FOUND: there is none. ERR_PROTOCOL: it is torn or foreign. */
int spool_read(const char *data_dir, struct uuid7 job_id, int attempt,
               struct outcome *ret_outcome, struct errinfo *e);
/* Nothing to remove is fine. */
void spool_remove(const char *data_dir, struct uuid7 job_id, int attempt);

#endif
