/* domain/leftover.h - what becomes of processes that outlive their job's main process. Pure. */
#ifndef JOBD_DOMAIN_LEFTOVER_H
#define JOBD_DOMAIN_LEFTOVER_H

enum leftover {
    LEFTOVER_KILL,   /* killed at once (default) */
    LEFTOVER_WAIT,   /* belong to the attempt: it ends when the last of them has */
    LEFTOVER_DETACH, /* left alone: the attempt ends, they live on */
    LEFTOVER_MAX_
};

/* "kill", "wait", "detach". */
const char *leftover_name(enum leftover leftover);
/* The policy of that name, or -1. */
int leftover_parse(const char *name);

#endif
