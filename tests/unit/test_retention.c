/* The walk over old jobs, through weeks of simulated time on a real store. */
#include "tests/support/test.h"

#include "engine/removal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "engine/turn.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

#define JOBS        600
#define MAKING_S    4000 /* jobs are made for so long */
#define RETENTION_S 1000
#define SLACK_S     (RETENTION_S / 64 + 1)
#define LONG_JOB_S  2500 /* a few take longer than the retention */
#define PORTION     16
#define CALLS_MAX   400 /* of a sweeper, before it says that it is done for now */
#define SECOND(n)   (FIXTURE_NOW + (usec_t)(n)*USEC_PER_SEC)
#define END_S       (MAKING_S + LONG_JOB_S + RETENTION_S + 3 * SLACK_S)

struct simulated {
    struct uuid7 id;
    int made_s;
    int ends_s;    /* 0: never */
    int ttl_s;     /* 0: the server's */
    int removed_s; /* 0: not yet */
};

struct world {
    struct store_fixture *f;
    struct engine en;
    struct simulated jobs[JOBS];
    uint64_t random;
};

static unsigned pick(struct world *w, unsigned below)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->random >> 33) % below;
}

static void plan(struct world *w)
{
    for (int i = 0; i < JOBS; i++) {
        struct simulated *job = &w->jobs[i];

        job->made_s = 1 + i * MAKING_S / JOBS;
        job->ends_s = job->made_s + (int)(pick(w, 10) ? pick(w, 5) : pick(w, LONG_JOB_S));
        if (pick(w, 20) == 0)
            job->ttl_s = 1 + (int)pick(w, 2 * RETENTION_S);
        if (pick(w, 50) == 0)
            job->ends_s = 0;
    }
}

static void make(struct world *w, struct simulated *job)
{
    struct job new = store_fixture_job(w->f);

    new.id = uuid7_new(&w->f->gen, SECOND(job->made_s));
    new.created_at_us = SECOND(job->made_s);
    new.ttl_us = (usec_t)job->ttl_s *USEC_PER_SEC;
    job->id = store_fixture_insert(w->f, &new);
}

static void end(struct world *w, const struct simulated *job)
{
    store_fixture_begin(w->f);
    assert_int_equal(
        store_job_cancel_waiting(w->f->st, job->id, NULL, SECOND(job->ends_s), &w->f->e), 0);
    store_fixture_commit(w->f);
}

/* As housekeeping_apply() does, but for the pauses: until there is nothing to do for now. */
static void sweep(struct world *w, int now_s)
{
    usec_t *due_us = &w->en.keeping.due_us[SWEEP_RETENTION];
    int calls = 0;
    usec_t own_us;

    store_fixture_begin(w->f);
    assert_int_equal(store_next_expiry(w->f->st, &own_us, &w->f->e), 0);
    store_fixture_commit(w->f);
    if (own_us != 0 && (*due_us == 0 || own_us < *due_us))
        *due_us = own_us;
    while (*due_us != 0 && *due_us <= SECOND(now_s)) {
        struct turn t = { .en = &w->en, .now_us = SECOND(now_s), .keeping = w->en.keeping };
        usec_t next_us = 0;

        assert_true(++calls < CALLS_MAX);
        store_fixture_begin(w->f);
        if (retention_sweep(&t, PORTION, &next_us) < 0)
            fail_msg("retention_sweep: %s", t.err.text);
        store_fixture_commit(w->f);
        effects_fini(&t.effects);
        w->en.keeping = t.keeping;
        *due_us = next_us;
    }
}

static bool is_there(struct world *w, const struct simulated *job)
{
    AUTO_FINI(job) struct job seen = { 0 };
    int r;

    store_fixture_begin(w->f);
    r = store_job_get(w->f->st, job->id, &seen, &w->f->e);
    store_fixture_commit(w->f);
    assert_true(r == 0 || r == ERR_JOB_EXPIRED);
    return r == 0;
}

/* Not before its time, and not long after. */
static void check(struct world *w, struct simulated *job, int now_s)
{
    int due_s = job->ends_s + (job->ttl_s ? job->ttl_s : RETENTION_S);
    int late_s = due_s + (job->ttl_s ? 1 : 2 * SLACK_S);
    bool there = is_there(w, job);

    if (!there)
        job->removed_s = now_s;
    if (!there && (job->ends_s == 0 || now_s < due_s))
        fail_msg("made at %d, ended at %d, removed at %d", job->made_s, job->ends_s, now_s);
    if (there && job->ends_s != 0 && now_s > late_s)
        fail_msg("made at %d, ended at %d, still there at %d", job->made_s, job->ends_s, now_s);
}

static void tick(struct world *w, int now_s)
{
    for (int i = 0; i < JOBS; i++) {
        struct simulated *job = &w->jobs[i];

        if (job->made_s == now_s)
            make(w, job);
        if (job->ends_s == now_s)
            end(w, job);
    }
    sweep(w, now_s);
    for (int i = now_s % 7; i < JOBS; i += 7) /* each now and then */
        if (w->jobs[i].made_s <= now_s && w->jobs[i].removed_s == 0)
            check(w, &w->jobs[i], now_s);
}

static void start(struct world *w, struct store_fixture *f, uint64_t seed)
{
    *w = (struct world){ .f = f, .random = seed };
    w->en.conf.store = f->st;
    w->en.conf.data_dir = f->dir;
    w->en.conf.retention_us = RETENTION_S * USEC_PER_SEC;
    w->en.keeping.due_us[SWEEP_RETENTION] = 1;
    plan(w);
}

static void every_job_goes_in_its_time_and_none_before(void **state)
{
    struct world *w = mem_new0(sizeof *w);

    start(w, *state, 1);
    for (int now_s = 1; now_s <= END_S; now_s++) {
        if (now_s == END_S / 2) /* another front begins without knowing anything */
            w->en.keeping = (struct housekeeping){ .due_us[SWEEP_RETENTION] = 1 };
        tick(w, now_s);
    }
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(is_there(w, &w->jobs[i]), w->jobs[i].ends_s == 0);
    free(w);
}

static void without_retention_only_jobs_with_a_time_of_their_own_go(void **state)
{
    struct world *w = mem_new0(sizeof *w);

    start(w, *state, 2);
    w->en.conf.retention_us = 0;
    for (int i = 0; i < 100; i++) {
        make(w, &w->jobs[i]);
        if (w->jobs[i].ends_s != 0)
            end(w, &w->jobs[i]);
    }
    sweep(w, END_S);
    for (int i = 0; i < 100; i++)
        assert_int_equal(is_there(w, &w->jobs[i]),
                         w->jobs[i].ttl_s == 0 || w->jobs[i].ends_s == 0);
    assert_int_equal(w->en.keeping.due_us[SWEEP_RETENTION], 0);
    free(w);
}

/* A clock that was a year ahead for a while must not keep the jobs of all that year. */
static void jobs_made_by_a_clock_that_was_ahead_are_in_nobodys_way(void **state)
{
    struct world *w = mem_new0(sizeof *w);
    struct simulated ahead = { .made_s = 365 * 86400, .ends_s = 365 * 86400 + 1 };
    struct simulated after = { .made_s = 5, .ends_s = 6 };

    start(w, *state, 3);
    make(w, &ahead);
    end(w, &ahead);
    make(w, &after); /* its id is behind the other one */
    end(w, &after);
    assert_true(uuid7_key(after.id) > uuid7_key(ahead.id));
    sweep(w, 7);
    assert_true(is_there(w, &after));
    for (int now_s = RETENTION_S; now_s <= RETENTION_S + 3 * SLACK_S; now_s++)
        sweep(w, now_s);
    assert_false(is_there(w, &after));
    assert_true(is_there(w, &ahead));
    sweep(w, 365 * 86400 + RETENTION_S + 2 * SLACK_S);
    assert_false(is_there(w, &ahead));
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_job_goes_in_its_time_and_none_before),
        TEST(without_retention_only_jobs_with_a_time_of_their_own_go),
        TEST(jobs_made_by_a_clock_that_was_ahead_are_in_nobodys_way),
    };

    store_fixture_use(store_fixture_backends[0]);
    return cmocka_run_group_tests_name("engine/retention", tests, NULL, NULL);
}
