#include "pool/elders.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/pidfd.h>

#include "base/fd.h"
#include "base/mem.h"

void elders_init(struct elders *t, size_t room)
{
    *t = (struct elders){ 0 };
    if (room > 0)
        t->items = mem_array0(room, sizeof *t->items);
}

void elders_fini(struct elders *t)
{
    for (size_t i = 0; i < t->count; i++)
        fd_fini(&t->items[i].pid_fd);
    free(t->items);
    *t = (struct elders){ 0 };
}

void elders_add(struct elders *t, const struct worker_info *info, int take_pid_fd,
                bool is_child)
{
    assert(t->items);
    t->items[t->count++] =
        (struct elder){ .info = *info, .pid_fd = take_pid_fd, .is_child = is_child };
}

struct elder *elders_find_child(struct elders *t, pid_t pid)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->items[i].pid_fd >= 0 && t->items[i].is_child && t->items[i].info.pid == pid)
            return &t->items[i];
    return NULL;
}

size_t elders_alive(const struct elders *t, struct worker_info *list)
{
    size_t alive = 0;

    for (size_t i = 0; i < t->count; i++) {
        if (t->items[i].pid_fd < 0)
            continue;
        if (list)
            list[alive] = t->items[i].info;
        alive++;
    }
    return alive;
}

size_t elders_done(const struct elders *t, int64_t *list)
{
    size_t done = 0;

    for (size_t i = 0; i < t->count; i++)
        if (t->items[i].pid_fd < 0 && t->items[i].exit_status == 0)
            list[done++] = t->items[i].info.worker_id;
    return done;
}

void elder_ended(struct elder *elder, int wait_status)
{
    fd_fini(&elder->pid_fd);
    elder->exit_untold = true;
    elder->exit_status = wait_status;
}

void elders_signal(const struct elders *t, int signal_number)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->items[i].pid_fd >= 0) /* it may have ended just now */
            (void)pidfd_send_signal(t->items[i].pid_fd, signal_number, NULL, 0);
}

void elders_forget_exits(struct elders *t)
{
    for (size_t i = 0; i < t->count; i++)
        t->items[i].exit_untold = false;
}

void elders_poll_prepare(const struct elders *t, struct pollfd *ret_polls)
{
    for (size_t i = 0; i < t->count; i++)
        ret_polls[i] = (struct pollfd){
            .fd = t->items[i].is_child ? -1 : t->items[i].pid_fd, /* -1 is passed over */
            .events = POLLIN,
        };
}

struct elder *elders_poll_next(struct elders *t, const struct pollfd *polls, size_t *cursor)
{
    while (*cursor < t->count) {
        size_t i = (*cursor)++;

        if (polls[i].revents && t->items[i].pid_fd >= 0 && !t->items[i].is_child)
            return &t->items[i];
    }
    return NULL;
}
