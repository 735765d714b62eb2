/* getJobLog with follow, tail_lines and attempt: logs that are read while they are written,
 * also when the front is killed in the middle. */
#include "tests/support/api.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 4\n"
    "max_connections: 64\n"
    "output_max_bytes: 100000\n";

/* -- a client that reads while it comes -----------------------------------------------------
 */

struct follower {
    pthread_t thread;
    char *url;
    char range[64];
    bool slow; /* takes its time over every block */

    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t changed;
    struct buf body;
    struct buf head;
    bool done;
    CURLcode code;
    long status;
};

static size_t on_bytes(char *bytes, size_t size, size_t count, void *ctx)
{
    struct follower *f = ctx;

    if (f->slow)
        (void)usleep(1000); /* that is the point of it */
    (void)pthread_mutex_lock(&f->mutex);
    buf_add(&f->body, bytes, size * count);
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->mutex);
    return size * count;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *ctx)
{
    struct follower *f = ctx;

    (void)pthread_mutex_lock(&f->mutex);
    buf_add(&f->head, bytes, size * count);
    (void)pthread_mutex_unlock(&f->mutex);
    return size * count;
}

static void *follow_it(void *arg)
{
    struct follower *f = arg;
    CURL *curl = curl_easy_init();
    CURLcode code;
    long status = 0;

    (void)curl_easy_setopt(curl, CURLOPT_URL, f->url);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, f);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, f);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, 2L * PATIENCE_S);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (f->range[0])
        (void)curl_easy_setopt(curl, CURLOPT_RANGE, f->range);
    code = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    (void)pthread_mutex_lock(&f->mutex);
    f->code = code;
    f->status = status;
    f->done = true;
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->mutex);
    return NULL;
}

/* range: "17-", or NULL. */
static void follow(struct follower *f, const struct api *a, const char *path, const char *range)
{
    bool slow = f->slow;

    *f = (struct follower){ .slow = slow };
    f->url = mem_printf("%s%s", a->base, path);
    if (range)
        (void)snprintf(f->range, sizeof f->range, "%s", range);
    (void)pthread_mutex_init(&f->mutex, NULL);
    (void)pthread_cond_init(&f->changed, NULL);
    assert_int_equal(pthread_create(&f->thread, NULL, follow_it, f), 0);
}

/* Until it has received so many bytes. */
static void await_bytes(struct follower *f, size_t count)
{
    struct timespec until;
    size_t come;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&f->mutex);
    while (f->body.len < count && !f->done)
        if (pthread_cond_timedwait(&f->changed, &f->mutex, &until) != 0)
            break;
    come = f->body.len;
    (void)pthread_mutex_unlock(&f->mutex);
    if (come < count)
        fail_msg("%zu bytes have come, not %zu", come, count);
}

static void await_end(struct follower *f)
{
    assert_int_equal(pthread_join(f->thread, NULL), 0);
}

static void follower_fini(struct follower *f)
{
    buf_fini(&f->body);
    buf_fini(&f->head);
    free(f->url);
    (void)pthread_mutex_destroy(&f->mutex);
    (void)pthread_cond_destroy(&f->changed);
}

/* -- jobs that say what they are told --------------------------------------------------------
 */

struct gate {
    char *fifo;
    int fd;
    char id[API_ID_SIZE];
    char *path; /* of its stdout */
};

/* sh -c script, in which $0 is the gate. Returns when the script reads from it. */
static void start_job(struct gate *g, const struct api *a, const char *script)
{
    static int count;
    AUTO(mem) char *name = mem_printf("gate%d", count++);
    AUTO(mem) char *body = NULL;

    g->fifo = mem_str(api_path(a, name));
    assert_return_code(mkfifo(g->fifo, 0600), errno);
    body = mem_printf("{\"command\":[\"sh\",\"-c\",\"%s\",\"%s\"]}", script, g->fifo);
    (void)api_submit(a, body, g->id);
    g->path = mem_str(api_job_path(g->id, "/logs/stdout"));
    g->fd = open(g->fifo, O_WRONLY | O_CLOEXEC);
    assert_return_code(g->fd, errno);
}

static void say(const struct gate *g, const char *text)
{
    assert_int_equal(write(g->fd, text, strlen(text)), strlen(text));
}

static void gate_fini(struct gate *g)
{
    fd_fini(&g->fd);
    free(g->fifo);
    free(g->path);
}

static char *followed(const struct gate *g)
{
    return mem_printf("%s?follow=true", g->path);
}

/* Until the log can be read from a file: so long as all output is fresh, none is seen. What is
 * overwritten while it is being sent breaks the answer off. */
static void await_log(const struct api *a, const char *path, size_t len)
{
    usec_t deadline_us = clock_mono_us() + PATIENCE_US;
    const struct api_request q = { .path = path };

    for (;;) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        if (api_try(a, &q, &r) && r.body_len >= len)
            return;
        if (clock_mono_us() > deadline_us)
            fail_msg("the log did not grow");
        (void)usleep(5000); /* how soon output is to be seen is nobody's promise */
    }
}

static void await_last_line(const struct api *a, const char *path, const char *line)
{
    AUTO(mem) char *last = mem_printf("%s?tail_lines=1", path);
    usec_t deadline_us = clock_mono_us() + PATIENCE_US;
    const struct api_request q = { .path = last };

    for (;;) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        if (api_try(a, &q, &r) && strcmp(r.body, line) == 0)
            return;
        if (clock_mono_us() > deadline_us)
            fail_msg("the last line is %s", r.body ? r.body : "not there");
        (void)usleep(5000);
    }
}

static void get_range(const struct api *a, const char *path, const char *range,
                      struct api_reply *ret_reply)
{
    AUTO(mem) char *header = mem_printf("Range: bytes=%s", range);

    api_send(a, &(struct api_request){ .path = path, .headers = { header } }, ret_reply);
}

/* -- following ------------------------------------------------------------------------------
 */

static void a_follower_sees_each_word_and_the_end(void **state)
{
    const struct api *a = *state;
    struct gate g;
    struct follower f = { 0 };
    AUTO(mem) char *path = NULL;

    start_job(&g, a, "echo first; cat $0; echo last");
    path = followed(&g);
    follow(&f, a, path, NULL);
    await_bytes(&f, 6);
    say(&g, "second\n");
    await_bytes(&f, 13);
    say(&g, "third\n");
    await_bytes(&f, 19);
    fd_fini(&g.fd);
    await_end(&f);
    assert_int_equal(f.code, CURLE_OK);
    assert_int_equal(f.status, 200);
    assert_string_equal(f.body.data, "first\nsecond\nthird\nlast\n");
    assert_non_null(strstr(f.head.data, "Transfer-Encoding: chunked"));
    assert_non_null(strstr(f.head.data, "X-Log-Offset: 0"));
    assert_null(strstr(f.head.data, "ETag"));
    follower_fini(&f);
    gate_fini(&g);
}

static void one_that_ends_at_once_is_followed_to_its_end(void **state)
{
    const struct api *a = *state;
    struct follower f = { 0 };
    AUTO(mem) char *path = NULL;
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"echo\",\"later\"],\"delay_seconds\":1}", id);
    path = mem_str(api_job_path(id, "/logs/stdout?follow=true"));
    follow(&f, a, path, NULL); /* before it has begun */
    await_end(&f);
    assert_int_equal(f.code, CURLE_OK);
    assert_string_equal(f.body.data, "later\n");
    follower_fini(&f);
}

static void a_job_that_never_runs_has_nothing_to_follow(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct follower f = { 0 };
    AUTO(mem) char *path = NULL;
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"echo\"],\"delay_seconds\":999}", id);
    path = mem_str(api_job_path(id, "/logs/stdout?follow=true"));
    follow(&f, a, path, NULL);
    api_post(a, api_job_path(id, ":cancel"), NULL, &r);
    await_end(&f);
    assert_int_equal(f.code, CURLE_OK);
    assert_int_equal(f.body.len, 0);
    follower_fini(&f);
}

static void a_finished_log_is_followed_from_anywhere(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *path = NULL;
    char id[API_ID_SIZE];

    api_await(a, api_submit(a, "{\"command\":[\"echo\",\"0123456789\"]}", id), &r);
    path = mem_str(api_job_path(id, "/logs/stdout?follow=true"));
    api_get(a, path, &r);
    assert_status(&r, 200);
    assert_string_equal(r.body, "0123456789\n");
    get_range(a, path, "4-", &r);
    assert_status(&r, 206);
    assert_string_equal(r.body, "456789\n");
    assert_header(&r, "Content-Range", "bytes 4-9007199254740991/*");
    get_range(a, path, "4-5", &r);
    assert_status(&r, 206);
    assert_string_equal(r.body, "45");
    get_range(a, path, "11-", &r); /* has seen all: nothing more, and no error */
    assert_status(&r, 206);
    assert_int_equal(r.body_len, 0);
    get_range(a, path, "12-", &r);
    assert_problem(&r, 416, "range-not-satisfiable");
    assert_header(&r, "Content-Range", "bytes */11");
    get_range(a, path, "-3", &r);
    assert_status(&r, 200);
    assert_int_equal(r.body_len, 11);
    api_send(a, &(struct api_request){ .method = "HEAD", .path = path }, &r);
    assert_status(&r, 200);
}

static pid_t find_front(const struct api *a)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    pid_t found = 0;

    assert_non_null(proc);
    while (!found && (entry = readdir(proc)) != NULL) {
        char path[300], text[200] = "", want[64];
        const char *name;
        AUTO_FINI(fd) int fd = -1;

        (void)snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        (void)snprintf(want, sizeof want, " %d ", a->pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
            continue;
        name = strstr(text, "(jobd-front) "); /* then the state, a letter, and the parent */
        if (name && strstr(name, want) == name + 14)
            found = (pid_t)strtol(entry->d_name, NULL, 10);
    }
    (void)closedir(proc);
    assert_int_not_equal(found, 0);
    return found;
}

static void a_follower_goes_on_behind_the_death_of_the_front(void **state)
{
    const struct api *a = *state;
    AUTO(mem) char *path = NULL;
    AUTO_FINI(buf) struct buf all = { 0 };
    struct gate g;
    struct follower f = { 0 };
    char range[32];

    start_job(&g, a, "echo first; cat $0; echo last");
    path = followed(&g);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(range, sizeof range, "%zu-", all.len);
        follow(&f, a, path, range);
        if (i == 0)
            await_bytes(&f, 6);
        say(&g, "more\n");
        await_bytes(&f, i == 0 ? 11 : 5);
        assert_int_equal(kill(find_front(a), SIGKILL), 0);
        await_end(&f);
        assert_int_not_equal(f.code, CURLE_OK); /* a part is not taken for the whole */
        assert_int_equal(f.status, 206);
        buf_add(&all, f.body.data, f.body.len);
        follower_fini(&f);
        say(&g, "while nobody listens\n");
    }
    fd_fini(&g.fd);
    (void)snprintf(range, sizeof range, "%zu-", all.len);
    follow(&f, a, path, range);
    await_end(&f);
    assert_int_equal(f.code, CURLE_OK);
    buf_add(&all, f.body.data, f.body.len);
    assert_string_equal(all.data,
                        "first\nmore\nwhile nobody listens\nmore\nwhile nobody "
                        "listens\nmore\nwhile nobody listens\nlast\n");
    follower_fini(&f);
    gate_fini(&g);
}

static void many_followers_see_the_same_and_there_is_a_bound(void **state)
{
    enum { MANY = 17 }; /* 1 + max_connections / 4 */
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *path = NULL;
    struct follower all[MANY] = { 0 };
    struct gate g;

    start_job(&g, a, "echo first; cat $0");
    path = followed(&g);
    for (int i = 0; i < MANY; i++)
        follow(&all[i], a, path, NULL);
    for (int i = 0; i < MANY; i++)
        await_bytes(&all[i], 6);
    api_get(a, path, &r);
    assert_problem(&r, 429, "too-many-long-polls");
    say(&g, "second\n");
    fd_fini(&g.fd);
    for (int i = 0; i < MANY; i++) {
        await_end(&all[i]);
        assert_int_equal(all[i].code, CURLE_OK);
        assert_string_equal(all[i].body.data, "first\nsecond\n");
        follower_fini(&all[i]);
    }
    gate_fini(&g);
    api_get(a, path, &r); /* they are let go */
    assert_status(&r, 200);
}

/* What a follower has got of the digits 0..9, `blocks` times 100000 bytes: with the bytes that
 * the lines in it stand for, all of it. */
static uint64_t count_with_gaps(const struct buf *body)
{
    static const char mark[] = "\n[jobd: ";
    uint64_t count = 0;

    for (size_t at = 0; at < body->len;) {
        char *end;

        if (body->data[at] != '\n') {
            assert_int_equal(body->data[at], '0' + (int)(count / 100000 % 10));
            count++;
            at++;
            continue;
        }
        assert_memory_equal(body->data + at, mark, sizeof mark - 1);
        count += strtoull(body->data + at + sizeof mark - 1, &end, 10);
        assert_memory_equal(end, " bytes left out]\n", 17);
        at = (size_t)(end - body->data) + 17;
    }
    return count;
}

static void who_cannot_keep_up_is_told_what_is_missing(void **state)
{
    const struct api *a = *state;
    AUTO(mem) char *path = NULL;
    struct follower slow = { .slow = true };
    struct follower fast = { 0 };
    struct gate g;

    start_job(
        &g, a,
        "cat $0; for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do for d in 0 "
        "1 2 3 4 5 6 7 8 9; do head -c 100000 /dev/zero | tr '\\\\000' $d; done; done");
    path = followed(&g);
    follow(&slow, a, path, NULL);
    follow(&fast, a, path, NULL);
    fd_fini(&g.fd);
    await_end(&fast);
    await_end(&slow);
    assert_int_equal(fast.code, CURLE_OK);
    assert_int_equal(slow.code, CURLE_OK);
    assert_int_equal(count_with_gaps(&fast.body), 20000000);
    assert_int_equal(count_with_gaps(&slow.body), 20000000);
    assert_memory_equal(slow.body.data, "000", 3);
    assert_memory_equal(slow.body.data + slow.body.len - 3, "999", 3);
    follower_fini(&slow);
    follower_fini(&fast);
    gate_fini(&g);
}

/* -- what is there of a long one that runs ---------------------------------------------------
 */

static void of_a_long_log_that_grows_beginning_and_end_are_there(void **state)
{
    static const char line[] = "\n[jobd: 100007 bytes left out]\n";
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct gate g;

    start_job(&g, a, "printf start; head -c 200000 /dev/zero; echo; echo; cat $0");
    await_log(a, g.path, 100000 + sizeof line - 1);
    api_get(a, g.path, &r);
    assert_status(&r, 200);
    assert_header(&r, "X-Log-Truncated", "true");
    assert_header(&r, "ETag", NULL);
    assert_int_equal(r.body_len, 100000 + sizeof line - 1);
    assert_memory_equal(r.body, "start\0", 6);
    assert_memory_equal(r.body + 50000, line, sizeof line - 1);

    /* Ranges are of what was written. */
    get_range(a, g.path, "0-4", &r);
    assert_string_equal(r.body, "start");
    get_range(a, g.path, "49990-60000", &r);
    assert_status(&r, 206);
    assert_header(&r, "Content-Range", "bytes 49990-49999/*");
    get_range(a, g.path, "100000-", &r);
    assert_status(&r, 206);
    assert_header(&r, "Content-Range", "bytes 150007-200006/*");
    assert_int_equal(r.body_len, 50000);
    assert_memory_equal(r.body + 49997, "\0\n\n", 3);
    get_range(a, g.path, "-2", &r);
    assert_string_equal(r.body, "\n\n");
    get_range(a, g.path, "60000-70000", &r);
    assert_problem(&r, 416, "range-not-satisfiable");
    get_range(a, g.path, "200007-", &r);
    assert_problem(&r, 416, "range-not-satisfiable");

    fd_fini(&g.fd);
    api_await(a, g.id, &r);
    assert_int_equal(api_number(&r, "logs.stdout_total_bytes"), 200007);
    get_range(a, g.path, "49990-50010", &r);
    assert_header(&r, "Content-Range", "bytes 49990-50010/100031");
    gate_fini(&g);
}

/* -- the last lines, other attempts ----------------------------------------------------------
 */

static void the_last_lines_can_be_had(void **state)
{
    static const struct {
        const char *text;
        const char *lines;
        const char *want;
    } cases[] = {
        { "a\\\\nb\\\\nc\\\\n", "1", "c\n" },
        { "a\\\\nb\\\\nc\\\\n", "2", "b\nc\n" },
        { "a\\\\nb\\\\nc", "1", "c" },
        { "a\\\\nb\\\\nc\\\\n", "3", "a\nb\nc\n" },
        { "a\\\\nb\\\\nc\\\\n", "1000000", "a\nb\nc\n" },
        { "", "1", "" },
        { "\\\\n\\\\n", "1", "\n" },
        { "\\\\n", "2", "\n" },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO(mem) char *body = mem_printf("{\"command\":[\"printf\",\"%s\"]}", cases[i].text);
        AUTO(mem) char *rest = mem_printf("/logs/stdout?tail_lines=%s", cases[i].lines);
        char id[API_ID_SIZE];

        api_await(a, api_submit(a, body, id), &r);
        api_get(a, api_job_path(id, rest), &r);
        assert_status(&r, 200);
        assert_string_equal(r.body, cases[i].want);
    }
}

static void a_follower_may_begin_with_the_last_lines(void **state)
{
    const struct api *a = *state;
    AUTO(mem) char *path = NULL;
    struct follower f = { 0 };
    struct gate g;

    start_job(&g, a, "seq 30000; cat $0");
    await_last_line(a, g.path, "30000\n");
    path = mem_printf("%s?follow=true&tail_lines=2", g.path);
    follow(&f, a, path, NULL);
    await_bytes(&f, 12);
    say(&g, "end\n");
    fd_fini(&g.fd);
    await_end(&f);
    assert_string_equal(f.body.data, "29999\n30000\nend\n");
    assert_non_null(strstr(f.head.data, "X-Log-Offset: 168882"));
    follower_fini(&f);
    gate_fini(&g);
}

static void the_log_of_each_attempt_is_there(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_await(a,
              api_submit(a,
                         "{\"command\":[\"sh\",\"-c\",\"echo this is $JOBD_ATTEMPT; exit 1\"],"
                         "\"retry\":{\"max_attempts\":2,\"initial_delay_seconds\":0}}",
                         id),
              &r);
    assert_int_equal(api_number(&r, "attempt"), 2);
    api_get(a, api_job_path(id, "/logs/stdout"), &r);
    assert_string_equal(r.body, "this is 2\n");
    api_get(a, api_job_path(id, "/logs/stdout?attempt=1"), &r);
    assert_status(&r, 200);
    assert_string_equal(r.body, "this is 1\n");
    assert_header(&r, "ETag", "\"o1-10\"");
    api_get(a, api_job_path(id, "/logs/stdout?attempt=1&follow=true"), &r);
    assert_string_equal(r.body, "this is 1\n");
    api_get(a, api_job_path(id, "/logs/stdout?attempt=3"), &r);
    assert_problem(&r, 404, "log-not-found");
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const char *const queries[] = {
        "follow=yes",   "follow=true&follow=true", "tail_lines=0", "tail_lines=-1",
        "tail_lines=x", "tail_lines=1000001",      "attempt=0",    "attempt=99999999999",
        "folow=true",
    };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_await(a, api_submit(a, "{\"command\":[\"true\"]}", id), &r);
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        AUTO(mem) char *rest = mem_printf("/logs/stdout?%s", queries[i]);

        api_get(a, api_job_path(id, rest), &r);
        assert_problem(&r, 400, "invalid-parameter");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_follower_sees_each_word_and_the_end),
        cmocka_unit_test(one_that_ends_at_once_is_followed_to_its_end),
        cmocka_unit_test(a_job_that_never_runs_has_nothing_to_follow),
        cmocka_unit_test(a_finished_log_is_followed_from_anywhere),
        cmocka_unit_test(a_follower_goes_on_behind_the_death_of_the_front),
        cmocka_unit_test(many_followers_see_the_same_and_there_is_a_bound),
        cmocka_unit_test(who_cannot_keep_up_is_told_what_is_missing),
        cmocka_unit_test(of_a_long_log_that_grows_beginning_and_end_are_there),
        cmocka_unit_test(the_last_lines_can_be_had),
        cmocka_unit_test(a_follower_may_begin_with_the_last_lines),
        cmocka_unit_test(the_log_of_each_attempt_is_there),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/follow", tests, api_setup, api_teardown));
}
