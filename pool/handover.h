/* pool/handover.h - what one image of the supervisor leaves to the next, when it executes
 * itself.
 *
 * The process stays, with its number, its children and the descriptors named here. All else the
 * new image finds as one does that was started after a kill: workers by their files
 * (pool/worker_files.h), and the configuration by reading it. The text travels in the
 * environment (JOBD_HANDOVER); it says whose it is, so that one which got elsewhere means
 * nothing. One thread.
 */
#ifndef JOBD_POOL_HANDOVER_H
#define JOBD_POOL_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clean.h"
#include "base/err.h"

#define HANDOVER_VARIABLE      "JOBD_HANDOVER"
#define HANDOVER_LISTENERS_MAX 16

/* A socket of the HTTP server. */
struct handover_listener {
    int fd;
    char *address; /* as the configuration says it: "127.0.0.1:0" */
    char *name;    /* as bound: "127.0.0.1:43211" */
};

struct handover {
    int64_t pid;
    int64_t protocol; /* PROTO_VERSION: running workers will not speak another one */
    int64_t data_device, data_inode;
    int lock_fd;
    int front_socket_fd; /* run/front.sock; -1: it is to be made */
    struct handover_listener listeners[HANDOVER_LISTENERS_MAX];
    size_t listener_count;
};

/* ERR_CONFIG: an address that the text cannot hold. */
int handover_format(const struct handover *h, struct buf *b, struct errinfo *e);
/* The texts of *ret_handover are the caller's: handover_fini(). ERR_CONFIG: not such a text, or
 * of another version. */
int handover_parse(const char *text, struct handover *ret_handover, struct errinfo *e);
/* Closes nothing. */
void handover_fini(struct handover *h);
DEFINE_AUTO_FINI(handover, struct handover)

/* Whether the descriptors outlive an exec. */
void handover_keep(const struct handover *h, bool keep);

#endif
