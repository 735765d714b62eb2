#include "pool/slots.h"

#include <string.h>

#include "base/text.h"

static int add(struct slots *t, const struct function *program, unsigned workers,
               struct errinfo *e)
{
    if (workers > SUPERVISOR_WORKERS_MAX - t->count)
        return err_set(e, ERR_CONFIG, "more than %d workers in all", SUPERVISOR_WORKERS_MAX);
    for (unsigned i = 0; i < workers; i++)
        t->items[t->count++] = (struct slot){ .program = program, .life_fd = -1 };
    return 0;
}

int slots_init(struct slots *t, const struct function_table *functions,
               unsigned command_workers, struct errinfo *e)
{
    int r;

    t->count = 0;
    r = add(t, NULL, command_workers, e);
    for (size_t i = 0; r == 0 && i < functions->count; i++)
        if (functions->items[i].kind == FUNCTION_PROGRAM)
            r = add(t, &functions->items[i], functions->items[i].workers, e);
    return r;
}

struct slot *slots_find(struct slots *t, pid_t pid)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->items[i].process.pid == pid)
            return &t->items[i];
    return NULL;
}

size_t slots_alive(const struct slots *t, struct worker_info *list)
{
    size_t alive = 0;

    for (size_t i = 0; i < t->count; i++) {
        const struct slot *slot = &t->items[i];

        if (slot->process.pid == 0)
            continue;
        if (list) {
            list[alive].worker_id = slot->worker_id;
            list[alive].pid = (int)slot->process.pid;
            (void)text_copy(list[alive].pool, sizeof list[alive].pool, slot_pool(slot));
        }
        alive++;
    }
    return alive;
}

void slots_forget_exits(struct slots *t)
{
    for (size_t i = 0; i < t->count; i++)
        t->items[i].exit_untold = false;
}

const char *slot_pool(const struct slot *slot)
{
    return slot->program ? slot->program->name : "";
}

bool slot_is_due(const struct slot *slot, usec_t now_us)
{
    return !slot->exit_untold && child_is_due(&slot->process, now_us);
}

void slot_ended(struct slot *slot, int wait_status, usec_t now_us)
{
    slot->exit_untold = true;
    slot->exit_pid = slot->process.pid;
    slot->exit_status = wait_status;
    child_ended(&slot->process, now_us - slot->process.started_us < SLOT_EARLY_US, now_us);
}
