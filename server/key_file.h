/* server/key_file.h - keys from a file, as an orchestrator mounts its secrets: one a line,
 *
 *     jobd_<id>_<secret> [tenant=acme] [scopes=jobs:read,jobs:write] ...
 *
 * A token alone grants everything. Empty lines and those that begin with "#" are skipped. One
 * thread, at the start.
 */
#ifndef JOBD_SERVER_KEY_FILE_H
#define JOBD_SERVER_KEY_FILE_H

#include "base/err.h"
#include "domain/api_key.h"

/* ERR_CONFIG: names the file and the line, never what it holds. */
int key_file_read(const char *path, struct api_keys *ret_keys, struct errinfo *e);

#endif
