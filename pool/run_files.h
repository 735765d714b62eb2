/* pool/run_files.h - what a running jobd shows of itself below <data>/run: its pid, its socket.
 *
 * Called by the supervisor, which holds the lock of the directory: what is there is stale.
 */
#ifndef JOBD_POOL_RUN_FILES_H
#define JOBD_POOL_RUN_FILES_H

#include "base/err.h"

/* Write run/jobd.pid and listen on run/front.sock; a stale run/listen goes. *ret_listen_fd is
 * non-blocking. */
int run_files_open(const char *data_dir, int *ret_listen_fd, struct errinfo *e);
/* Remove all three. Nothing to remove is fine. */
void run_files_remove(const char *data_dir);

#endif
