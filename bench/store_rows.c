/* Durable jobs a second through the ledger alone, without HTTP, workers and turns: what
 * ceilings/sqlite_rows does with one plain table, done by store/store.h.
 *
 *     store_rows [-d | -c] [JOBS [PER_TRANSACTION [DIRECTORY]]]      100000 100 .
 *
 * Each transaction inserts, claims and finishes PER_TRANSACTION jobs: it finishes what the one
 * before it has claimed. With -d it only inserts delayed ones, with -c it inserts them as
 * claimed; without labels. Prints jobs a second. Instructions for a job: the difference of two
 * runs of other lengths under valgrind --tool=callgrind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/store.h"

#define LABELLED                                                                               \
    "{\"args\":{\"n\":1},\"labels\":{\"team\":\"bench\"},\"env\":{\"A\":\"a value of some "    \
    "length\"}}"
#define PLAIN "{\"args\":{\"n\":1}}"

enum way { WAY_QUEUED, WAY_DELAYED, WAY_CLAIMED };

static struct errinfo err;

static void check(int r, const char *what)
{
    if (r >= 0)
        return;
    (void)fprintf(stderr, "store_rows: %s: %s\n", what, err.text);
    exit(1);
}

static struct uuid7 insert(struct store *st, struct uuid7_gen *ids, enum way way)
{
    const char *payload = way == WAY_QUEUED ? LABELLED : PLAIN;
    usec_t now_us = clock_wall_us();
    struct uuid7 id;
    struct job job = { .id = uuid7_new(ids, now_us),
                       .state = JOB_QUEUED,
                       .version = 1,
                       .pool = mem_str("noop"),
                       .function = mem_str("noop"),
                       .queue = mem_str("default"),
                       .grace_us = JOB_GRACE_DEFAULT_US,
                       .payload = mem_str(payload),
                       .payload_len = strlen(payload),
                       .created_at_us = now_us,
                       .queued_at_us = now_us,
                       .updated_at_us = now_us,
                       .progress_ppm = -1 };

    if (way == WAY_DELAYED) {
        job.state = JOB_SCHEDULED;
        job.scheduled_at_us = now_us + 3600 * USEC_PER_SEC;
    }
    if (way == WAY_CLAIMED)
        check(store_job_insert_claimed(st, &job, 1, 100, &err), "insert");
    else
        check(store_job_insert(st, &job, &err), "insert");
    id = job.id;
    job_fini(&job);
    return id;
}

static struct uuid7 claim(struct store *st)
{
    struct job job = { 0 };
    struct uuid7 id;

    check(store_job_claim(st, "noop", 1, 100, clock_wall_us(), &job, &err), "claim");
    id = job.id;
    job_fini(&job);
    return id;
}

static void finish(struct store *st, struct uuid7 id)
{
    usec_t now_us = clock_wall_us();
    struct outcome o = { .job_id = id,
                         .attempt = 1,
                         .cause = CAUSE_NONE,
                         .started_at_us = now_us,
                         .finished_at_us = now_us,
                         .result_kind = RESULT_JSON,
                         .result = mem_str("{}"),
                         .result_len = 2 };

    check(store_job_finish(st, &o, JOB_SUCCEEDED, now_us, &err), "finish");
    outcome_fini(&o);
}

/* Returns microseconds. */
static usec_t measure(struct store *st, enum way way, size_t jobs, size_t per_transaction)
{
    struct uuid7 *running = mem_array0(per_transaction, sizeof *running);
    struct uuid7_gen ids = { 0 };
    size_t running_count = 0;
    size_t inserted = 0;
    usec_t began_us = clock_mono_us();

    while (inserted < jobs || running_count > 0) {
        size_t n = jobs - inserted < per_transaction ? jobs - inserted : per_transaction;

        check(store_begin(st, &err), "begin");
        for (size_t i = 0; i < running_count; i++)
            finish(st, running[i]);
        for (size_t i = 0; i < n; i++)
            running[i] = insert(st, &ids, way);
        for (size_t i = 0; i < n && way == WAY_QUEUED; i++)
            running[i] = claim(st);
        check(store_commit(st, &err), "commit");
        running_count = way == WAY_DELAYED ? 0 : n;
        inserted += n;
    }
    free(running);
    return clock_mono_us() - began_us;
}

static void remove_files(const char *dir)
{
    static const char *const names[] = { "jobd.db", "jobd.db-wal", "jobd.db-shm" };
    char path[4200];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

/* Takes the option away. */
static enum way read_way(int *argc, char ***argv)
{
    const char *option = *argc > 1 ? (*argv)[1] : "";
    enum way way = strcmp(option, "-d") == 0   ? WAY_DELAYED
                   : strcmp(option, "-c") == 0 ? WAY_CLAIMED
                                               : WAY_QUEUED;

    if (way != WAY_QUEUED) {
        (*argc)--;
        (*argv)++;
    }
    return way;
}

int main(int argc, char **argv)
{
    enum way way = read_way(&argc, &argv);
    long long jobs = argc > 1 ? strtoll(argv[1], NULL, 10) : 100000;
    long long per_transaction = argc > 2 ? strtoll(argv[2], NULL, 10) : 100;
    struct store_conf conf = { .durability = STORE_FULL };
    struct store *st = NULL;
    char dir[4096];
    usec_t took_us;

    (void)snprintf(dir, sizeof dir, "%s/store_rows.XXXXXX", argc > 3 ? argv[3] : ".");
    if (jobs < 1 || per_transaction < 1 || !mkdtemp(dir)) {
        (void)fprintf(stderr,
                      "usage: store_rows [-d | -c] [JOBS [PER_TRANSACTION [DIRECTORY]]]\n");
        return 64;
    }
    conf.data_dir = dir;
    check(store_open("sqlite", &conf, &st, &err), "open");
    took_us = measure(st, way, (size_t)jobs, (size_t)per_transaction);
    (void)store_free(st);
    remove_files(dir);
    printf("%.0f\n", (double)jobs * 1e6 / (double)took_us);
    return 0;
}
