#include "tests/support/store_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/support/test.h"

const char *const store_fixture_backends[] = { "sqlite" };
const size_t store_fixture_backend_count = COUNT_OF(store_fixture_backends);

static const char *backend_in_use = "sqlite";

void store_fixture_use(const char *backend)
{
    backend_in_use = backend;
}

static void open_store(struct store_fixture *f)
{
    struct store_conf conf = { .data_dir = f->dir, .durability = STORE_RELAXED };

    if (store_open(f->backend, &conf, &f->st, &f->e) < 0)
        fail_msg("store_open: %s", f->e.text);
}

int store_fixture_setup(void **state)
{
    struct store_fixture *f = mem_new0(sizeof *f);

    f->backend = backend_in_use;
    f->now_us = FIXTURE_NOW;
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/jobd-store.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    open_store(f);
    *state = f;
    return 0;
}

static void remove_directory(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    char path[512];

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        assert_int_equal(unlink(path), 0);
    }
    (void)closedir(d);
    assert_int_equal(rmdir(dir), 0);
}

int store_fixture_teardown(void **state)
{
    struct store_fixture *f = *state;

    (void)store_free(f->st);
    remove_directory(f->dir);
    free(f);
    return 0;
}

void store_fixture_reopen(struct store_fixture *f)
{
    f->st = store_free(f->st);
    open_store(f);
}

void store_fixture_begin(struct store_fixture *f)
{
    if (store_begin(f->st, &f->e) < 0)
        fail_msg("store_begin: %s", f->e.text);
    f->now_us += USEC_PER_MS;
}

void store_fixture_commit(struct store_fixture *f)
{
    if (store_commit(f->st, &f->e) < 0)
        fail_msg("store_commit: %s", f->e.text);
}

void store_fixture_set(char **text, const char *to)
{
    free(*text);
    *text = mem_str_or_null(to);
}

struct job store_fixture_job(struct store_fixture *f)
{
    static const char payload[] = "{\"command\":[\"true\"]}";

    return (struct job){
        .id = uuid7_new(&f->gen, f->now_us),
        .state = JOB_QUEUED,
        .version = 1,
        .pool = mem_str(""),
        .queue = mem_str("default"),
        .grace_us = JOB_GRACE_DEFAULT_US,
        .payload = mem_str(payload),
        .payload_len = strlen(payload),
        .created_at_us = f->now_us,
        .queued_at_us = f->now_us,
        .updated_at_us = f->now_us,
        .progress_ppm = -1,
    };
}

struct uuid7 store_fixture_insert(struct store_fixture *f, struct job *take_job)
{
    struct uuid7 id = take_job->id;

    store_fixture_begin(f);
    if (store_job_insert(f->st, take_job, &f->e) < 0)
        fail_msg("store_job_insert: %s", f->e.text);
    store_fixture_commit(f);
    job_fini(take_job);
    return id;
}

struct outcome store_fixture_outcome(struct uuid7 id, int attempt)
{
    return (struct outcome){ .job_id = id,
                             .attempt = attempt,
                             .cause = CAUSE_NONE,
                             .started_at_us = FIXTURE_NOW + 1,
                             .finished_at_us = FIXTURE_NOW + 2 };
}

/* From queued to a later state. Other jobs of the pool that are before it would be claimed. */
static int move_on(struct store_fixture *f, struct uuid7 id, const char *pool,
                   enum job_state state)
{
    struct outcome o = store_fixture_outcome(id, 1);
    struct job job = { 0 };
    int r;

    r = store_job_claim(f->st, pool, 1, 100, f->now_us, &job, &f->e);
    if (r < 0)
        return r;
    assert_true(uuid7_equal(job.id, id));
    job_fini(&job);
    if (state == JOB_CANCELING || state == JOB_CANCELED)
        r = store_job_cancel_running(f->st, id, NULL, f->now_us, &f->e);
    if (r == 0 && job_state_is_final(state)) {
        o.cause = state == JOB_SUCCEEDED ? CAUSE_NONE : CAUSE_EXIT_CODE;
        r = store_job_finish(f->st, &o, state, f->now_us, &f->e);
    }
    return r;
}

struct uuid7 store_fixture_make(struct store_fixture *f, struct job *take_job,
                                enum job_state state)
{
    char *pool = mem_str(take_job->pool);
    struct uuid7 id = take_job->id;
    int r = 0;

    if (state == JOB_SCHEDULED) {
        take_job->state = JOB_SCHEDULED;
        take_job->scheduled_at_us = f->now_us + 1;
        take_job->queued_at_us = 0;
    }
    (void)store_fixture_insert(f, take_job);
    if (state > JOB_QUEUED) {
        store_fixture_begin(f);
        r = move_on(f, id, pool, state);
        if (r < 0)
            fail_msg("to %s: %d %s", job_state_name(state), r, f->e.text);
        store_fixture_commit(f);
    }
    free(pool);
    return id;
}

struct job store_fixture_read(struct store_fixture *f, struct uuid7 id)
{
    struct store_reader *rd = NULL;
    struct job job = { 0 };

    if (store_reader_get(f->st, &rd, &f->e) < 0)
        fail_msg("store_reader_get: %s", f->e.text);
    if (store_read_job(rd, id, SIZE_MAX, &job, &f->e) < 0)
        fail_msg("store_read_job: %s", f->e.text);
    store_reader_put(f->st, rd);
    return job;
}

enum job_state store_fixture_state(struct store_fixture *f, struct uuid7 id)
{
    struct job job = store_fixture_read(f, id);
    enum job_state state = job.state;

    job_fini(&job);
    return state;
}
