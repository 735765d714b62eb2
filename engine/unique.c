#include "engine/unique.h"

#include "domain/unique.h"

/* Jobs of two tenants are never alike. */
static void find_digest(const struct job *job, unsigned char digest[SHA256_BYTES])
{
    struct sha256 h;

    sha256_init(&h);
    sha256_add_text(&h, job_tenant(job));
    sha256_add(&h, job->unique->digest, SHA256_BYTES);
    sha256_end(&h, digest);
}

int unique_find(struct turn *t, const struct job *job, struct alike *ret_alike)
{
    find_digest(job, ret_alike->digest);
    ret_alike->count = store_unique_find(t->en->conf.store, ret_alike->digest, ret_alike->items,
                                         ALIKE_MAX, &t->err);
    return ret_alike->count < 0 ? ret_alike->count : 0;
}

const struct store_alike *unique_conflict_of(const struct alike *alike, const struct job *job,
                                             usec_t now_us)
{
    for (int i = 0; i < alike->count; i++)
        if (unique_counts(job->unique, alike->items[i].state, alike->items[i].created_at_us,
                          now_us))
            return &alike->items[i];
    return NULL;
}

static int replace_one(struct turn *t, struct uuid7 id)
{
    char reason[] = "replaced";
    const struct cancel_way way = { .grace_us = -1, .reason = reason };
    AUTO_FINI(job) struct job other = { 0 };
    int r;

    r = store_job_get(t->en->conf.store, id, &other, &t->err);
    if (r < 0)
        return r;
    r = cancel_job(t, &other, &way);
    return r < 0 ? r : 0;
}

int unique_replace(struct turn *t, const struct alike *alike, const struct job *job)
{
    int r;

    for (int i = 0; i < alike->count; i++) {
        const struct store_alike *other = &alike->items[i];

        if (job_state_is_final(other->state) ||
            !unique_counts(job->unique, other->state, other->created_at_us, t->now_us))
            continue;
        r = replace_one(t, other->id);
        if (r < 0)
            return r;
    }
    return 0;
}

int unique_note(struct turn *t, const struct alike *alike, const struct job *job)
{
    static const struct uuid7 none;
    struct uuid7 oldest = alike->count == ALIKE_MAX ? alike->items[ALIKE_MAX - 2].id : none;

    return store_unique_insert(t->en->conf.store, job->id, alike->digest, oldest, &t->err);
}

int unique_refuse(struct engine_request *rq, struct uuid7 other, enum job_state state)
{
    char id[UUID7_TEXT_SIZE];

    (void)uuid7_format(other, id);
    rq->result =
        err_set(&rq->err, ERR_DUPLICATE_JOB, "the job %s is %s", id, job_state_name(state));
    (void)err_fact(&rq->err, rq->result, "existing_job_id", id);
    return 0;
}

int unique_refuses_retry(struct turn *t, struct engine_request *rq, struct uuid7 id)
{
    struct store *st = t->en->conf.store;
    struct alike alike;
    int r;

    r = store_unique_of(st, id, alike.digest, &t->err);
    if (r == ERR_NOT_FOUND)
        return 0;
    if (r < 0)
        return r;
    alike.count = store_unique_find(st, alike.digest, alike.items, ALIKE_MAX, &t->err);
    for (int i = 0; i < alike.count; i++) {
        const struct store_alike *other = &alike.items[i];

        if (uuid7_equal(other->id, id) || job_state_is_final(other->state))
            continue;
        (void)unique_refuse(rq, other->id, other->state);
        return 1;
    }
    return alike.count < 0 ? alike.count : 0;
}
