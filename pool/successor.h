/* pool/successor.h - the program that is to take our place: tried out first, then executed.
 *
 * SIGHUP (reload) and SIGUSR2 (upgrade) are the same: the program at our own path is executed
 * with our own arguments. Whether it may is asked of itself first: a child runs it with
 * check_argv, and what it prints is the reason when it says no. One thread; the child is the
 * caller's to reap.
 */
#ifndef JOBD_POOL_SUCCESSOR_H
#define JOBD_POOL_SUCCESSOR_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "pool/handover.h"

#define SUCCESSOR_REASON_SIZE 1024

struct successor_conf {
    const char *path;
    char *const *argv;
    char *const *check_argv; /* ends with 0 when a successor would start */
    const struct handover_listener *listeners;
    size_t listener_count;
};

struct successor_check {
    pid_t pid; /* 0: none is running */
    int fd;    /* what it prints, non-blocking; -1: closed */
    char reason[SUCCESSOR_REASON_SIZE];
    size_t reason_len;
};

/* Run the check. ERR_SYS: out of processes or descriptors. */
int successor_check_start(const struct successor_conf *conf, const struct handover *h,
                          struct successor_check *c, struct errinfo *e);
/* Take in what it prints. */
void successor_check_read(struct successor_check *c);
/* It has been reaped. Its reason is complete: one line. */
void successor_check_ended(struct successor_check *c);

/* Become it. Returns only on failure, with everything as it was. */
int successor_exec(const struct successor_conf *conf, const struct handover *h,
                   struct errinfo *e);

#endif
