/* Fill a ledger with jobs as jobd itself would have written them, but much faster: through
 * store/store.h, a thousand in a transaction, without waiting for the disk.
 *
 *     fill DIRECTORY FINISHED QUEUED
 *
 * DIRECTORY has the ledger of a jobd that was started once and has ended. FINISHED jobs of the
 * function "noop" have succeeded, each with its attempt and events; QUEUED jobs of the function
 * "asleep", a command, lie between the newer ones. Of the events there are as many as a jobd
 * keeps by default. Prints a line for up to 1,000 finished jobs, evenly spread ("any ID"), and
 * for the 1,000 that have finished last ("new ID").
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/store.h"

#define PER_TRANSACTION 1000
#define EVENTS_MAX      10000000
#define IDS_MAX         1000
#define STEP_US         USEC_PER_MS /* between two jobs */
#define PAYLOAD         "{\"args\":{\"n\":1}}"

struct fill {
    struct store *st;
    struct uuid7_gen ids;
    usec_t at_us; /* the time of the job that is made */
    int64_t finished, finished_max;
    int64_t queued, queued_max;
};

static struct errinfo err;

static void check(int r, const char *what)
{
    if (r >= 0)
        return;
    (void)fprintf(stderr, "fill: %s: %s\n", what, err.text);
    exit(1);
}

/* The caller ends it with job_fini(). */
static struct job new_job(struct fill *f, const char *function, const char *pool)
{
    f->at_us += STEP_US;
    return (struct job){ .id = uuid7_new(&f->ids, f->at_us),
                         .state = JOB_QUEUED,
                         .version = 1,
                         .pool = mem_str(pool),
                         .function = mem_str(function),
                         .queue = mem_str("default"),
                         .grace_us = JOB_GRACE_DEFAULT_US,
                         .payload = mem_str(PAYLOAD),
                         .payload_len = strlen(PAYLOAD),
                         .created_at_us = f->at_us,
                         .queued_at_us = f->at_us,
                         .updated_at_us = f->at_us,
                         .progress_ppm = -1 };
}

static void add_finished(struct fill *f)
{
    struct job job = new_job(f, "noop", "noop");
    struct outcome o = { .job_id = job.id,
                         .attempt = 1,
                         .cause = CAUSE_NONE,
                         .exit_code = -1,
                         .started_at_us = f->at_us,
                         .finished_at_us = f->at_us + STEP_US / 2,
                         .user_cpu_us = 20,
                         .system_cpu_us = 20,
                         .max_rss_bytes = 1 << 20,
                         .pid = 1000,
                         .result_kind = RESULT_JSON,
                         .result = mem_str("1"),
                         .result_len = 1 };
    char id[UUID7_TEXT_SIZE];
    int64_t every = f->finished_max / IDS_MAX + 1;

    check(store_job_insert_claimed(f->st, &job, 1, 1000, &err), "insert");
    check(store_job_finish(f->st, &o, JOB_SUCCEEDED, o.finished_at_us, &err), "finish");
    if (f->finished % every == 0)
        (void)printf("any %s\n", uuid7_format(job.id, id));
    if (f->finished >= f->finished_max - IDS_MAX)
        (void)printf("new %s\n", uuid7_format(job.id, id));
    f->finished++;
    outcome_fini(&o);
    job_fini(&job);
}

static void add_queued(struct fill *f)
{
    struct job job = new_job(f, "asleep", "");

    check(store_job_insert(f->st, &job, &err), "insert");
    f->queued++;
    job_fini(&job);
}

/* The oldest events, until there are as many as there may be. */
static void forget_events(struct fill *f)
{
    usec_t oldest_us;
    int n;

    do {
        n = store_events_expire(f->st, 0, EVENTS_MAX, PER_TRANSACTION, &oldest_us, &err);
        check(n, "forget events");
    } while (n == PER_TRANSACTION);
}

static void transaction(struct fill *f)
{
    /* The queued ones lie between as many finished ones. */
    int64_t newer = f->queued_max;

    check(store_begin(f->st, &err), "begin");
    for (int i = 0; i < PER_TRANSACTION && f->finished < f->finished_max; i++)
        add_finished(f);
    if (f->finished >= f->finished_max - newer)
        for (int i = 0; i < PER_TRANSACTION && f->queued < f->queued_max; i++)
            add_queued(f);
    forget_events(f);
    check(store_commit(f->st, &err), "commit");
}

int main(int argc, char **argv)
{
    struct store_conf conf = { .durability = STORE_RELAXED };
    struct fill f = { 0 };

    if (argc != 4) {
        (void)fputs("usage: fill DIRECTORY FINISHED QUEUED\n", stderr);
        return 64;
    }
    conf.data_dir = argv[1];
    f.finished_max = strtoll(argv[2], NULL, 10);
    f.queued_max = strtoll(argv[3], NULL, 10);
    f.at_us = clock_wall_us() - (f.finished_max + f.queued_max) * STEP_US;
    check(store_open("sqlite", &conf, &f.st, &err), "open");
    while (f.finished < f.finished_max || f.queued < f.queued_max)
        transaction(&f);
    f.st = store_free(f.st);
    sync(); /* what is measured next must not pay for this */
    return 0;
}
