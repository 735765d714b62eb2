/* tests/support/store_fixture.h - an open store in a temporary directory, for the contract
 * suite.
 *
 * Knows store/store.h only: a suite that uses it runs unchanged against every backend in the
 * table. Each helper fails the test when a call fails that must not.
 */
#ifndef JOBD_TESTS_SUPPORT_STORE_FIXTURE_H
#define JOBD_TESTS_SUPPORT_STORE_FIXTURE_H

#include "store/store.h"

#define FIXTURE_NOW ((usec_t)1764000000 * USEC_PER_SEC)

struct store_fixture {
    const char *backend;
    char dir[64];
    struct store *st;
    struct uuid7_gen gen;
    usec_t now_us; /* moved on by each helper that changes something */
    struct errinfo e;
};

/* The backends that the suites run against. */
extern const char *const store_fixture_backends[];
extern const size_t store_fixture_backend_count;
/* Which of them the next set-up opens. */
void store_fixture_use(const char *backend);

/* For cmocka_unit_test_setup_teardown(): *state is a struct store_fixture. */
int store_fixture_setup(void **state);
int store_fixture_teardown(void **state);
/* Close and open again. */
void store_fixture_reopen(struct store_fixture *f);

void store_fixture_begin(struct store_fixture *f);
void store_fixture_commit(struct store_fixture *f);

/* A new job, not inserted, of the command pool and with a small payload. The caller sets what
 * matters to him with store_fixture_set(), inserts it and ends it with job_fini(). */
struct job store_fixture_job(struct store_fixture *f);
/* Replace a text of a job. */
void store_fixture_set(char **text, const char *to);
/* Insert it in a transaction of its own; ends the job. */
struct uuid7 store_fixture_insert(struct store_fixture *f, struct job *take_job);
/* The outcome of a success without output, for this attempt. */
struct outcome store_fixture_outcome(struct uuid7 id, int attempt);

/* Insert a job and move it to this state, by committed steps; ends take_job. */
struct uuid7 store_fixture_make(struct store_fixture *f, struct job *take_job,
                                enum job_state state);
/* What a reader sees; the caller ends it with job_fini(). */
struct job store_fixture_read(struct store_fixture *f, struct uuid7 id);
enum job_state store_fixture_state(struct store_fixture *f, struct uuid7 id);

#endif
