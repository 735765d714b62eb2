#include "engine/effects.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/batches.h"
#include "engine/removal.h"
#include "engine/state.h"

struct effect *effects_add(struct effects *fs, enum effect_kind kind, struct uuid7 id)
{
    struct effect *f;

    if (fs->count == fs->capacity) {
        fs->capacity = fs->capacity ? fs->capacity * 2 : 64;
        fs->items = mem_resize(fs->items, fs->capacity, sizeof *fs->items);
    }
    f = &fs->items[fs->count++];
    *f = (struct effect){ .kind = kind, .id = id };
    return f;
}

static void publish_run(struct engine *en, const struct effect *f)
{
    struct link *link = links_find(en->links, f->worker_id);

    owned_add(&en->owned, f->id, f->attempt, f->worker_id, f->started_at_us)->worker_pid =
        f->worker_pid;
    if (link) /* else it has just gone: its next HELLO, or its exit, settles this attempt */
        proto_put_run(&link->out, f->order);
}

static void publish_cancel(struct engine *en, const struct effect *f)
{
    struct link *link = links_find(en->links, f->worker_id);
    struct proto_cancel cancel = {
        .job_id = f->id, .attempt = f->attempt, .mode = f->cancel_mode, .grace_us = f->grace_us
    };
    struct owned *owned = owned_find_attempt(&en->owned, f->id, f->attempt);

    if (owned)
        owned->canceling = true;
    if (link)
        proto_put_cancel(&link->out, &cancel);
}

static void publish_settled(struct engine *en, const struct effect *f)
{
    struct link *link = links_find(en->links, f->worker_id);
    struct proto_attempt ack = { .job_id = f->id, .attempt = f->attempt };

    owned_remove(&en->owned, f->id, f->attempt);
    if (link)
        proto_put_ack(&link->out, &ack);
}

static void log_ending(const struct effect *f)
{
    char id[UUID7_TEXT_SIZE];

    (void)uuid7_format(f->id, id);
    if (f->kind == EFFECT_QUARANTINED)
        log_warn("job.quarantined", LSTR("job_id", id), LI64("attempt", f->attempt));
    else
        log_info("job.retry", LSTR("job_id", id), LI64("attempt", f->attempt),
                 LI64("delay_us", f->delay_us), LSTR("reason", cause_meta(f->cause)->slug));
}

static void publish_effect(struct engine *en, const struct effect *f)
{
    switch (f->kind) {
    case EFFECT_CHANGED:
    case EFFECT_ENDED:
        break; /* told later */
    case EFFECT_RUN:
        publish_run(en, f);
        break;
    case EFFECT_CANCEL:
        publish_cancel(en, f);
        break;
    case EFFECT_SETTLED:
        publish_settled(en, f);
        break;
    case EFFECT_REMOVED:
        removal_publish(en, f->id, f->attempt);
        break;
    case EFFECT_BATCH_IDLE:
        batches_note_idle(en, f->id);
        break;
    case EFFECT_RETRIED:
    case EFFECT_QUARANTINED:
        log_ending(f);
        break;
    }
}

void effects_publish(const struct effects *fs, struct engine *en)
{
    for (size_t i = 0; i < fs->count; i++)
        publish_effect(en, &fs->items[i]);
}

void effects_tell(const struct effects *fs, struct engine *en)
{
    for (size_t i = 0; i < fs->count; i++) {
        const struct effect *f = &fs->items[i];

        if (f->kind == EFFECT_CHANGED)
            (void)waiters_changed(en->waiters, f->id, f->state);
        else if (f->kind == EFFECT_ENDED)
            (void)waiters_ended(en->waiters, f->id, &f->end);
    }
}

void effects_fini(struct effects *fs)
{
    for (size_t i = 0; i < fs->count; i++)
        if (fs->items[i].order) {
            order_fini(fs->items[i].order);
            free(fs->items[i].order);
        }
    free(fs->items);
    *fs = (struct effects){ 0 };
}
