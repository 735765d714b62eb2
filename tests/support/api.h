/* tests/support/api.h - the real program, started for a group of tests, and HTTP requests to
 * it.
 *
 *     int main(void)
 *     {
 *         api_configure("workers: 2\n");
 *         return api_finish(cmocka_run_group_tests_name("api/x", tests, api_setup,
 * api_teardown));
 *     }
 *
 * Each test finds the server in *state. The program is $JOBD_BIN, else build/release/jobd. It
 * runs in a fresh temporary directory on a port of its own; what it logs is shown when a test
 * fails. api_teardown() stops it with SIGTERM and fails unless it exits with 0.
 */
#ifndef JOBD_TESTS_SUPPORT_API_H
#define JOBD_TESTS_SUPPORT_API_H

#include "tests/support/test.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/clean.h"
#include "domain/json_text.h"

/* -- the server -----------------------------------------------------------------------------
 */

struct api {
    pid_t pid;     /* of the supervisor; 0: not running */
    char dir[64];  /* everything is below: config.yaml, log, data/ */
    char base[64]; /* "http://127.0.0.1:40123" */
    int exit_code; /* of the last api_stop() */
};

/* YAML without listen and data_dir; must live on. */
void api_configure(const char *config);
int api_setup(void **state);
/* api_setup() without the start: for a setup that has to do something before it. */
struct api *api_prepare(void);
int api_teardown(void **state);
/* To be returned from main(): shows the log when tests failed, and removes the directory. */
int api_finish(int failed);

/* Stop with this signal (0: none, it is on its way) and wait for the end; then it may be
 * started again on its data. */
void api_stop(struct api *a, int signal_number);
void api_start(struct api *a);
/* What follows is for the next api_start(). Another configuration, as api_configure() takes it.
 */
void api_reconfigure(struct api *a, const char *config);
/* Another user, to whom all that is in dir is given, and another control group, by its
 * cgroup.procs (-1: ours). Only for root. */
void api_run_as(struct api *a, uid_t user, int procs_fd);
/* dir/name; good for the next 31 such calls, as all short texts that are returned here. */
const char *api_path(const struct api *a, const char *name);

/* -- requests -------------------------------------------------------------------------------
 */

struct api_request {
    const char *method;     /* NULL: POST with a body, else GET */
    const char *path;       /* with its query; sent as it is */
    const char *body;       /* NULL: none */
    size_t body_len;        /* 0: strlen(body) */
    const char *headers[8]; /* "Name: value"; NULL ends. Content-Type defaults to JSON */
};

struct api_reply {
    long status;
    char *headers; /* as received, with the status line */
    char *body;    /* with a NUL after body_len bytes */
    size_t body_len;
    json_t *json; /* NULL when the body is not JSON */
};
void api_reply_fini(struct api_reply *r);
DEFINE_AUTO_FINI(api_reply, struct api_reply)

/* Fails the test when there is no answer. Any thread. */
void api_send(const struct api *a, const struct api_request *q, struct api_reply *ret_reply);
/* False when there is no answer. Any thread; no assertion inside. */
bool api_try(const struct api *a, const struct api_request *q, struct api_reply *ret_reply);
void api_get(const struct api *a, const char *path, struct api_reply *ret_reply);
void api_post(const struct api *a, const char *path, const char *body,
              struct api_reply *ret_reply);

/* The value of a header (a short text, see api_path()); NULL: there is none. */
const char *api_header(const struct api_reply *r, const char *name);

/* -- jobs -----------------------------------------------------------------------------------
 */

#define API_ID_SIZE 37

/* Submit: 202 is expected; the id goes to id, which is returned. */
char *api_submit(const struct api *a, const char *body, char id[API_ID_SIZE]);
/* "/v1/jobs/<id><rest>" (a short text, see api_path()). */
const char *api_job_path(const char *id, const char *rest);
/* The job once it is final. */
void api_await(const struct api *a, const char *id, struct api_reply *ret_reply);
/* The job once it is in this state, which it must reach before it is final. */
void api_await_state(const struct api *a, const char *id, const char *state,
                     struct api_reply *ret_reply);

/* -- looking into JSON ------------------------------------------------------------------------
 */

/* "failure.reason", "items.0.id"; NULL when there is no such member. */
const json_t *api_at(const json_t *json, const char *path);
/* The text there; "" when there is none. */
const char *api_text(const struct api_reply *r, const char *path);
/* The integer there; -1 when there is none. */
long long api_number(const struct api_reply *r, const char *path);

#define assert_status(r, expected) assert_status_((r), (expected), __FILE__, __LINE__)
/* An error answer with all that belongs to one. */
#define assert_problem(r, status, code)                                                        \
    assert_problem_((r), (status), (code), __FILE__, __LINE__)
/* The one with a code, the other without. */
#define assert_answer(r, status, code) assert_answer_((r), (status), (code), __FILE__, __LINE__)
#define assert_header(r, name, expected)                                                       \
    assert_header_((r), (name), (expected), __FILE__, __LINE__)
void assert_status_(const struct api_reply *r, long expected, const char *file, int line);
void assert_problem_(const struct api_reply *r, long status, const char *code, const char *file,
                     int line);
void assert_answer_(const struct api_reply *r, long status, const char *code, const char *file,
                    int line);
/* expected NULL: the header must not be there. */
void assert_header_(const struct api_reply *r, const char *name, const char *expected,
                    const char *file, int line);

#endif
