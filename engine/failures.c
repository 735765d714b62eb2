#include "engine/failures.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "engine/batches.h"
#include "engine/output.h"

/* One kind in one batch, or among all jobs. */
struct failure_note {
    struct failure_group group;
    struct failure_note *next;
};

/* -- what has failed, and how ---------------------------------------------------------------
 */

static struct failure_note *find(struct turn *t, const struct uuid7 *batch, const char *tenant,
                                 int64_t fingerprint)
{
    for (struct failure_note *n = t->failures; n; n = n->next)
        if (n->group.fingerprint == fingerprint && uuid7_equal(n->group.batch, *batch) &&
            text_equal(n->group.tenant, tenant))
            return n;
    return NULL;
}

static void count(struct failure_group *g, struct uuid7 job, usec_t now_us)
{
    g->count++;
    g->last_job = job;
    g->last_seen_at_us = now_us;
    if (g->sample_count < FAILURE_SAMPLES_MAX)
        g->samples[g->sample_count++] = job;
}

static void note(struct turn *t, struct uuid7 batch, const struct job *job,
                 const struct failure_kind *kind)
{
    struct failure_note *n = find(t, &batch, job_tenant(job), kind->fingerprint);

    if (!n) {
        n = mem_new0(sizeof *n);
        n->group = (struct failure_group){ .batch = batch,
                                           .tenant = mem_str(job_tenant(job)),
                                           .fingerprint = kind->fingerprint,
                                           .cause = kind->cause,
                                           .exit_code = kind->exit_code,
                                           .signal = kind->signal,
                                           .first_seen_at_us = t->now_us,
                                           .queue = mem_str(job->queue),
                                           .function = mem_str_or_null(job->function),
                                           .message = mem_str(kind->message) };
        n->next = t->failures;
        t->failures = n;
    }
    count(&n->group, job->id, t->now_us);
}

/* The end of a stderr that is in a file; NULL: there is none, or it cannot be read. */
static char *read_tail(const struct engine *en, const struct outcome *o, int64_t *ret_len)
{
    AUTO_FINI(output_file) struct output_file f = { .fd = -1 };
    AUTO(mem) char *room = NULL;
    int64_t from;
    ssize_t n;

    if (output_open(en->conf.data_dir, o->job_id, o->attempt, STREAM_STDERR, &f, NULL) < 0)
        return NULL;
    from = f.written - (int64_t)FAILURE_TEXT_IN_MAX_BYTES;
    if (from < f.tail_at && f.tail_at < f.written)
        from = f.tail_at;
    if (from < 0)
        from = 0;
    room = mem_new0(FAILURE_TEXT_IN_MAX_BYTES);
    n = output_file_read(&f, from, room, FAILURE_TEXT_IN_MAX_BYTES, NULL);
    if (n <= 0)
        return NULL;
    *ret_len = n;
    return TAKE(room);
}

static void find_kind(struct turn *t, const struct outcome *o, const struct job *job,
                      struct failure_kind *ret_kind)
{
    AUTO(mem) char *tail = NULL;
    struct outcome seen = *o; /* borrows all that o owns */
    struct capture *err = &seen.captures[STREAM_STDERR];

    if (err->spilled && (o->cause == CAUSE_EXIT_CODE || o->cause == CAUSE_SIGNAL))
        tail = read_tail(t->en, o, &err->kept_bytes);
    if (tail)
        err->data = tail;
    failure_kind_of(&seen, job->function, job->queue, ret_kind);
}

int failures_finish(struct turn *t, const struct outcome *o)
{
    AUTO_FINI(job) struct job job = { 0 };
    struct failure_kind kind;
    struct outcome known = *o; /* the same */
    int r;

    r = store_job_get(t->en->conf.store, o->job_id, &job, &t->err);
    if (r < 0)
        return r;
    find_kind(t, o, &job, &kind);
    known.fingerprint = kind.fingerprint;
    r = store_job_finish(t->en->conf.store, &known, JOB_FAILED, t->now_us, &t->err);
    if (r < 0)
        return r;
    note(t, (struct uuid7){ 0 }, &job, &kind);
    if (uuid7_is_set(job.batch))
        note(t, job.batch, &job, &kind);
    return 0;
}

/* -- writing --------------------------------------------------------------------------------
 */

/* All kinds that a batch has beyond those that are told apart. */
static int store_as_other(struct turn *t, struct failure_group *g)
{
    struct store *st = t->en->conf.store;
    int r;

    g->fingerprint = FINGERPRINT_OTHER;
    g->cause = CAUSE_INTERNAL;
    g->exit_code = -1;
    g->signal = 0;
    free(g->function);
    g->function = NULL;
    free(g->message);
    g->message = mem_str("other kinds of failures");
    r = store_failure_add(st, g, &t->err);
    return r == ERR_NOT_FOUND ? store_failure_insert(st, g, &t->err) : r;
}

static int store_new_of_batch(struct turn *t, struct failure_group *g)
{
    struct batch_work *work;
    int r;

    r = batches_touch(t, g->batch, NULL, &work);
    if (r <= 0)
        return r;
    if (work->batch.error_groups >= BATCH_ERRORS_MAX)
        return store_as_other(t, g);
    work->batch.error_groups++;
    return store_failure_insert(t->en->conf.store, g, &t->err);
}

/* Among all jobs the kind that was not seen for the longest time makes room. */
static int store_new(struct turn *t, const struct failure_group *g)
{
    struct store *st = t->en->conf.store;
    int64_t groups = 0;
    int r;

    r = store_failure_count(st, g->tenant, &groups, &t->err);
    if (r == 0 && groups >= BATCH_ERRORS_MAX)
        r = store_failure_forget_oldest(st, g->tenant, &t->err);
    return r < 0 ? r : store_failure_insert(st, g, &t->err);
}

int failures_store(struct turn *t)
{
    int r = 0;

    for (struct failure_note *n = t->failures; n && r == 0; n = n->next) {
        r = store_failure_add(t->en->conf.store, &n->group, &t->err);
        if (r == ERR_NOT_FOUND)
            r = uuid7_is_set(n->group.batch) ? store_new_of_batch(t, &n->group)
                                             : store_new(t, &n->group);
    }
    return r;
}

void failures_drop(struct turn *t)
{
    struct failure_note *next;

    for (struct failure_note *n = t->failures; n; n = next) {
        next = n->next;
        failure_group_fini(&n->group);
        free(n);
    }
    t->failures = NULL;
}
