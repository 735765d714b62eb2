/* server/front.h - the front process: the store, the engine, the HTTP server and their order.
 *
 * Forked by the supervisor; its engine runs in this process's first thread, HTTP in threads of
 * its own. Crash-only: what it knows is in the store and in the workers.
 */
#ifndef JOBD_SERVER_FRONT_H
#define JOBD_SERVER_FRONT_H

#include "pool/supervisor.h"
#include "server/listen.h"
#include "server/options.h"

/* Made before the fork, read after it. */
struct front_conf {
    const struct settings *settings;
    const struct listeners *listeners;
};

/* The front_main of struct supervisor_conf; ctx is a struct front_conf. Returns the exit code:
 * 0 it has drained and stopped; EX_CONFIG: no later try would do better, and the log says why.
 */
int front_main(void *ctx, const struct front_start *start);

#endif
