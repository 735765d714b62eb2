/* handlers/service.h - what the handlers work on: made by server/, the same for all requests.
 */
#ifndef JOBD_HANDLERS_SERVICE_H
#define JOBD_HANDLERS_SERVICE_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/token.h"
#include "domain/function.h"
#include "engine/engine.h"
#include "store/store.h"

struct followers;    /* handlers/follow.h */
struct event_pieces; /* handlers/event_pieces.h */
struct flights;      /* handlers/idempotency.h */

/* Read-only after start, but for what the pointers lead to. Any thread. */
struct service {
    struct engine *engine;
    struct store *store; /* for store_reader_get() */
    const struct function_table *functions;
    const char *data_dir;
    bool allow_commands;
    usec_t long_poll_max_us;
    usec_t event_heartbeat_us; /* between two lines on a stream of events that is silent */
    bool require_if_match;     /* a change of a job must name its version */
    usec_t retention_us;       /* how long jobs are kept that have ended; 0: for ever */
    struct followers *followers;
    struct event_pieces *event_pieces;
    size_t max_body_bytes; /* of a request, and of each job of a batch */
    size_t max_batch_jobs;
    struct flights *flights;
    usec_t idempotency_ttl_us;
    bool require_idempotency_key;
    struct token_key
        cursor_key; /* token_key_load(paths_token_key()): cursors outlive the front */
    /* Keys were changed in the ledger: from now on that counts for requests. */
    void (*keys_changed)(void *ctx);
    void *keys_ctx;
};

#endif
