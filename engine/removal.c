#include "engine/removal.h"

#include <assert.h>

#include "base/crash.h"
#include "base/log.h"
#include "engine/discard.h"
#include "engine/turn.h"

int removal_apply(struct turn *t, struct uuid7 id, enum job_state state, int attempts)
{
    const struct engine_conf *conf = &t->en->conf;
    bool has_files = discard_has_artifacts(conf->data_dir, id, attempts);
    int r;

    assert(job_next(state, JOB_EV_PURGE) == (int)state);
    r = store_job_remove(conf->store, id, has_files, t->now_us, &attempts, &t->err);
    if (r < 0)
        return r;
    effects_add(&t->effects, EFFECT_REMOVED, id)->attempt = attempts;
    turn_job_changed(t, id, state); /* whoever waits for it is told that it is gone */
    housekeeping_note(t, SWEEP_TOMBSTONES, t->now_us + HOUSEKEEPING_TOMBSTONE_US);
    return attempts > 0;
}

void removal_publish(struct engine *en, struct uuid7 id, int attempts)
{
    struct errinfo e = { 0 };

    if (attempts == 0)
        return;
    crash_point("files.before_discard");
    if (discard_files(en->conf.data_dir, id, attempts, &e) < 0)
        log_warn("job.files_stay", LSTR("error", e.text)); /* until the next start */
    else
        housekeeping_files_gone(en, id);
}
