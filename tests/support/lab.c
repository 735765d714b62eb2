#include "tests/support/test.h"

#include "tests/support/lab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "pool/paths.h"
#include "pool/tree.h"
#include "tests/support/kept_file.h"

static void on_progress(void *ctx, const struct proto_attempt *which, double fraction,
                        const char *message)
{
    struct lab *l = ctx;

    (void)which;
    l->progress_count++;
    l->fraction = fraction;
    free(l->message);
    l->message = mem_str_or_null(message);
}

static void on_done(void *ctx, struct outcome *take_outcome)
{
    struct lab *l = ctx;

    outcome_fini(&l->outcome);
    l->outcome = *take_outcome;
    l->done_count++;
}

static const struct artifacts_bounds lab_bounds = { .max_bytes = 1000, .max_files = 10 };

void lab_open(struct lab *l)
{
    *l = (struct lab){ 0 };
    log_set_level(LOG_ERROR);
    assert_int_equal(tree_become_subreaper(NULL), 0);
    tmp_dir_make(l->data_dir);
    assert_int_equal(paths_prepare(l->data_dir, NULL), 0);
    assert_int_equal(loop_new(&l->loop, NULL), 0);
    assert_int_equal(reaper_open(&l->reaper, l->loop, NULL), 0);
    assert_int_equal(workdirs_open(&l->workdirs, l->loop, l->data_dir, &lab_bounds, NULL), 0);
    l->host = (struct attempt_host){
        .workdirs = &l->workdirs,
        .loop = l->loop,
        .data_dir = l->data_dir,
        .output_max_bytes = LAB_OUTPUT_MAX,
        .on_progress = on_progress,
        .on_done = on_done,
        .ctx = l,
    };
}

void lab_close(struct lab *l)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    outcome_fini(&l->outcome);
    free(l->message);
    workdirs_close(&l->workdirs);
    reaper_close(&l->reaper);
    l->loop = loop_free(l->loop);
    tmp_dir_remove(l->data_dir);
}

struct order lab_order(const char *first, ...)
{
    static struct uuid7_gen gen;
    struct order o = {
        .job_id = uuid7_new(&gen, clock_wall_us()),
        .attempt = 1,
        .grace_us = 10 * USEC_PER_SEC,
    };
    size_t count = 0;
    va_list args;

    o.argv = mem_array0(16, sizeof *o.argv);
    o.env = mem_array0(1, sizeof *o.env);
    va_start(args, first);
    for (const char *arg = first; arg; arg = va_arg(args, const char *)) {
        assert_true(count < 15);
        o.argv[count++] = mem_str(arg);
    }
    va_end(args);
    return o;
}

struct order lab_script(const char *script)
{
    return lab_order("/bin/sh", "-c", script, NULL);
}

void lab_input(struct order *o, const char *text)
{
    o->input = mem_str(text);
    o->input_len = strlen(text);
}

void lab_await(struct lab *l, unsigned count)
{
    while (l->done_count < count)
        assert_int_equal(loop_turn(l->loop, NULL), 0);
}

void lab_await_progress(struct lab *l, unsigned count)
{
    while (l->progress_count < count)
        assert_int_equal(loop_turn(l->loop, NULL), 0);
}

char *lab_output(const struct lab *l, enum stream stream)
{
    const struct capture *c = &l->outcome.captures[stream];
    AUTO_FINI(buf) struct buf b = { 0 };
    char path[PATHS_SIZE];

    if (c->spilled) {
        paths_output(l->data_dir, l->outcome.job_id, l->outcome.attempt, stream, path);
        kept_file_read(path, &b);
    } else if (c->data) {
        buf_add(&b, c->data, (size_t)c->kept_bytes);
    }
    assert_int_equal(b.len, c->kept_bytes);
    return buf_steal(&b);
}
