/* pool/elders.h - the supervisor's table of workers that another image of it has started: those
 * of a killed one, and those from before a reload or an upgrade.
 *
 * They finish what they hold and end; none is ever added after the start. One that is our child
 * is reaped by the supervisor, any other is known to have ended by its pidfd, and how it did is
 * not known. Like a slot's, an end is kept until the front has been told. One thread.
 */
#ifndef JOBD_POOL_ELDERS_H
#define JOBD_POOL_ELDERS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "pool/supervisor.h"

struct elder {
    struct worker_info info;
    int pid_fd; /* -1: it has ended, some time ago perhaps */
    bool is_child;

    bool exit_untold;
    int exit_status; /* as from waitpid(2); CONTROL_STATUS_UNKNOWN */
};

struct elders {
    struct elder *items;
    size_t count;
};

/* Room for all there will ever be. */
void elders_init(struct elders *t, size_t room);
void elders_fini(struct elders *t);
/* pid_fd is taken; -1: it has ended already, and left nothing undone. */
void elders_add(struct elders *t, const struct worker_info *info, int take_pid_fd,
                bool is_child);

/* The one alive with this pid that is our child; NULL when there is none. */
struct elder *elders_find_child(struct elders *t, pid_t pid);
/* How many have ended and left nothing undone; list has room for all. */
size_t elders_done(const struct elders *t, int64_t *list);
/* How many are alive; list has room for all, or is NULL. */
size_t elders_alive(const struct elders *t, struct worker_info *list);
void elder_ended(struct elder *elder, int wait_status);
/* Send it to all that are alive. */
void elders_signal(const struct elders *t, int signal_number);
/* A new front learns who is alive from its list: no end is left to tell. */
void elders_forget_exits(struct elders *t);

/* What to poll for the ends of those that are not our children: t->count entries. */
void elders_poll_prepare(const struct elders *t, struct pollfd *ret_polls);
/* After the poll: the next one that has ended, from *cursor (0 at first) on; NULL: no more. */
struct elder *elders_poll_next(struct elders *t, const struct pollfd *polls, size_t *cursor);

#endif
