#include "tests/support/api.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tests/support/har.h"
#include "tests/support/proxy.h"

#define ROOMS     32
#define ROOM_SIZE 512

static struct api server;
static const char *config_text = "";
static uid_t run_as;
static int run_in = -1;

/* One of a few buffers in turn, so that short texts need not be freed. */
static char *room(void)
{
    static _Thread_local char rooms[ROOMS][ROOM_SIZE];
    static _Thread_local unsigned next;

    return rooms[next++ % ROOMS];
}

/* -- the server -----------------------------------------------------------------------------
 */

void api_configure(const char *config)
{
    config_text = config;
}

const char *api_path(const struct api *a, const char *name)
{
    char *path = room();

    (void)snprintf(path, ROOM_SIZE, "%s/%s", a->dir, name);
    return path;
}

static void write_config(const struct api *a)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    struct errinfo e;

    buf_printf(&b, "listen: [\"127.0.0.1:0\"]\ndata_dir: %s\n%s", api_path(a, "data"),
               config_text);
    assert_return_code(
        fd_write_file_atomic(api_path(a, "config.yaml"), 0600, b.data, b.len, &e), 0);
}

void api_reconfigure(struct api *a, const char *config)
{
    config_text = config;
    write_config(a);
}

static int give_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return lchown(path, run_as, run_as);
}

void api_run_as(struct api *a, uid_t user, int procs_fd)
{
    run_as = user;
    run_in = procs_fd;
    assert_int_equal(nftw(a->dir, give_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Its file may be where the user cannot go, so it is opened before. */
static void execute_as_user(const char *program, char **argv)
{
    int fd = open(program, O_RDONLY | O_CLOEXEC);

    if (run_in >= 0 && write(run_in, "0", 1) < 0)
        return;
    if (run_as == 0)
        (void)execv(program, argv);
    else if (fd >= 0 && setgroups(0, NULL) == 0 && setgid(run_as) == 0 && setuid(run_as) == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* a change of user forgets it */
        (void)fexecve(fd, argv, environ);
    }
}

/* Dies with the test program, however that ends. */
static void run_program(const struct api *a, pid_t parent)
{
    const char *program = getenv("JOBD_BIN"); // NOLINT(concurrency-mt-unsafe)
    char name[] = "jobd", flag[] = "--config";
    AUTO(mem) char *config = mem_str(api_path(a, "config.yaml"));
    char *argv[] = { name, flag, config, NULL };
    int log_fd = open(api_path(a, "log"), O_WRONLY | O_CREAT | O_APPEND, 0600);

    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (log_fd < 0 || getppid() != parent)
        _exit(126);
    (void)dup2(log_fd, 1);
    (void)dup2(log_fd, 2);
    if (!program || !*program)
        program = "build/release/jobd";
    execute_as_user(program, argv);
    (void)dprintf(2, "cannot execute %s: %s\n", program, strerror(errno)); // NOLINT
    _exit(127);
}

/* run/listen has the address once jobd is ready. */
static bool read_address(struct api *a)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    struct errinfo e;

    if (fd_read_file(api_path(a, "data/run/listen"), 4096, &b, &e) < 0 || b.len == 0)
        return false;
    if (b.data[b.len - 1] != '\n')
        return false;
    b.data[strcspn(b.data, "\n")] = '\0';
    (void)snprintf(a->base, sizeof a->base, "http://%s", b.data);
    return true;
}

static void await_address(struct api *a, int notify_fd)
{
    AUTO_FINI(fd) int pid_fd = (int)syscall(SYS_pidfd_open, a->pid, 0);
    usec_t deadline_us = clock_mono_us() + PATIENCE_US;
    char events[4096];

    assert_true(pid_fd >= 0);
    while (!read_address(a)) {
        struct pollfd fds[] = { { .fd = notify_fd, .events = POLLIN },
                                { .fd = pid_fd, .events = POLLIN } };
        usec_t left_us = deadline_us - clock_mono_us();

        if (left_us <= 0)
            fail_msg("jobd was not ready within %d ms", PATIENCE_MS);
        (void)poll(fds, 2, (int)(left_us / USEC_PER_MS) + 1);
        if (fds[1].revents)
            fail_msg("jobd has ended before it was ready");
        if (fds[0].revents)
            (void)!read(notify_fd, events, sizeof events);
    }
}

void api_start(struct api *a)
{
    AUTO_FINI(fd) int notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    pid_t parent = getpid();

    assert_true(notify_fd >= 0);
    (void)mkdir(api_path(a, "data"), 0700);
    (void)mkdir(api_path(a, "data/run"), 0700);
    if (run_as != 0)
        api_run_as(a, run_as, run_in);
    (void)unlink(api_path(a, "data/run/listen"));
    assert_return_code(
        inotify_add_watch(notify_fd, api_path(a, "data/run"), IN_MOVED_TO | IN_CLOSE_WRITE),
        errno);
    a->pid = fork();
    assert_return_code(a->pid, errno);
    if (a->pid == 0)
        run_program(a, parent);
    await_address(a, notify_fd);
    proxy_start(a->base);
}

void api_stop(struct api *a, int signal_number)
{
    AUTO_FINI(fd) int pid_fd = -1;
    struct pollfd fd;
    int status;

    if (a->pid <= 0)
        return;
    pid_fd = (int)syscall(SYS_pidfd_open, a->pid, 0);
    fd = (struct pollfd){ .fd = pid_fd, .events = POLLIN };
    (void)kill(a->pid, signal_number);
    if (poll(&fd, 1, PATIENCE_MS) <= 0) {
        (void)kill(a->pid, SIGKILL);
        a->exit_code = -1;
    }
    (void)waitpid(a->pid, &status, 0);
    a->pid = 0;
    if (fd.revents)
        a->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    proxy_stop();
}

struct api *api_prepare(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    (void)snprintf(server.dir, sizeof server.dir, "/tmp/jobd-api-XXXXXX");
    assert_non_null(mkdtemp(server.dir));
    write_config(&server);
    return &server;
}

int api_setup(void **state)
{
    *state = api_prepare();
    api_start(*state);
    return 0;
}

int api_teardown(void **state)
{
    (void)state;
    api_stop(&server, SIGTERM);
    if (server.exit_code != 0)
        fail_msg("jobd ended with exit code %d after SIGTERM", server.exit_code);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static void show_log(void)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    struct errinfo e;

    (void)fd_read_file(api_path(&server, "log"), (size_t)1 << 22, &b, &e);
    (void)printf("---- what jobd has logged\n%s----\n", b.data ? b.data : "");
}

int api_finish(int failed)
{
    api_stop(&server, SIGKILL); /* only still there when the setup failed */
    proxy_report();
    if (failed)
        show_log();
    if (server.dir[0])
        (void)nftw(server.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    curl_global_cleanup();
    return failed;
}

/* -- requests -------------------------------------------------------------------------------
 */

static size_t collect(char *block, size_t size, size_t count, void *ctx)
{
    buf_add(ctx, block, size * count);
    return size * count;
}

/* Each response has a header block of its own (100 Continue): the last one counts. */
static size_t collect_header(char *block, size_t size, size_t count, void *ctx)
{
    if (size * count >= 5 && memcmp(block, "HTTP/", 5) == 0)
        buf_clear(ctx);
    return collect(block, size, count, ctx);
}

static struct curl_slist *header_list(const struct api_request *q)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    bool has_type = false;

    for (size_t i = 0; i < COUNT_OF(q->headers) && q->headers[i]; i++) {
        has_type = has_type || strncasecmp(q->headers[i], "Content-Type:", 13) == 0;
        list = curl_slist_append(list, q->headers[i]);
    }
    if (q->body && !has_type)
        list = curl_slist_append(list, "Content-Type: application/json");
    return list;
}

static void set_request(CURL *curl, const struct api_request *q)
{
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
    if (q->body) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                               (curl_off_t)(q->body_len ? q->body_len : strlen(q->body)));
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, q->body);
    }
    if (q->method && strcmp(q->method, "HEAD") == 0)
        (void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else if (q->method)
        (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, q->method);
}

static json_t *parse(const struct buf *body)
{
    struct errinfo e;
    json_t *json = NULL;

    if (body->len > 0)
        (void)json_text_parse(body->data, body->len, &json, &e);
    return json;
}

bool api_try(const struct api *a, const struct api_request *q, struct api_reply *ret_reply)
{
    const char *via = proxy_for(a, q);
    AUTO(mem) char *url = mem_printf("%s%s", via ? via : a->base, q->path);
    AUTO_FINI(buf) struct buf headers = { 0 };
    AUTO_FINI(buf) struct buf body = { 0 };
    struct curl_slist *list = header_list(q);
    CURL *curl = curl_easy_init();
    bool answered = false;
    CURLcode code;

    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, collect_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, &headers);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    set_request(curl, q);
    code = curl_easy_perform(curl);
    if (code == CURLE_OK) {
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret_reply->status);
        ret_reply->json = parse(&body);
        ret_reply->body_len = body.len;
        ret_reply->body = buf_steal(&body);
        ret_reply->headers = buf_steal(&headers);
        answered = !via || !proxy_had_none(ret_reply);
        if (!via)
            har_record(url, q, ret_reply);
    } else {
        print_message("%s %s: %s\n", q->method ? q->method : "GET or POST", url,
                      curl_easy_strerror(code));
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(list);
    return answered;
}

void api_reply_fini(struct api_reply *r)
{
    free(r->headers);
    free(r->body);
    json_decref(r->json);
    *r = (struct api_reply){ 0 };
}

void api_send(const struct api *a, const struct api_request *q, struct api_reply *ret_reply)
{
    struct api_reply reply = { 0 };

    if (!api_try(a, q, &reply))
        fail_msg("no answer");
    api_reply_fini(ret_reply); /* only now: q may point into it */
    *ret_reply = reply;
}

void api_get(const struct api *a, const char *path, struct api_reply *ret_reply)
{
    api_send(a, &(struct api_request){ .path = path }, ret_reply);
}

void api_post(const struct api *a, const char *path, const char *body,
              struct api_reply *ret_reply)
{
    api_send(a, &(struct api_request){ .method = "POST", .path = path, .body = body },
             ret_reply);
}

const char *api_header(const struct api_reply *r, const char *name)
{
    size_t name_len = strlen(name);

    for (const char *line = r->headers; line && *line; line = strchr(line, '\n') + 1) {
        size_t len = strcspn(line, "\r\n");
        char *value;

        if (len > name_len && line[name_len] == ':' && strncasecmp(line, name, name_len) == 0) {
            line += name_len + 1;
            line += strspn(line, " ");
            value = room();
            (void)snprintf(value, ROOM_SIZE, "%.*s", (int)strcspn(line, "\r\n"), line);
            return value;
        }
        if (!strchr(line, '\n'))
            break;
    }
    return NULL;
}

/* -- jobs -----------------------------------------------------------------------------------
 */

char *api_submit(const struct api *a, const char *body, char id[API_ID_SIZE])
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_post(a, "/v1/jobs", body, &r);
    assert_status(&r, 202);
    assert_int_equal(strlen(api_text(&r, "id")), API_ID_SIZE - 1);
    memcpy(id, api_text(&r, "id"), API_ID_SIZE);
    return id;
}

const char *api_job_path(const char *id, const char *rest)
{
    char *path = room();

    (void)snprintf(path, ROOM_SIZE, "/v1/jobs/%s%s", id, rest);
    return path;
}

static bool is_final(const struct api_reply *r)
{
    return strcmp(api_text(r, "state"), "succeeded") == 0 ||
           strcmp(api_text(r, "state"), "failed") == 0 ||
           strcmp(api_text(r, "state"), "canceled") == 0;
}

void api_await(const struct api *a, const char *id, struct api_reply *ret_reply)
{
    do {
        api_get(a, api_job_path(id, "?wait=30"), ret_reply);
        assert_status(ret_reply, 200);
    } while (!is_final(ret_reply));
}

void api_await_state(const struct api *a, const char *id, const char *state,
                     struct api_reply *ret_reply)
{
    char condition[64];

    api_get(a, api_job_path(id, ""), ret_reply);
    while (strcmp(api_text(ret_reply, "state"), state) != 0) {
        struct api_request q = { .path = api_job_path(id, "?wait=30"),
                                 .headers = { condition } };

        if (is_final(ret_reply))
            fail_msg("the job is %s and will never be %s", api_text(ret_reply, "state"), state);
        (void)snprintf(condition, sizeof condition, "If-None-Match: %s",
                       api_header(ret_reply, "ETag"));
        do
            api_send(a, &q, ret_reply);
        while (ret_reply->status == 304);
        assert_status(ret_reply, 200);
    }
}

/* -- looking into JSON ----------------------------------------------------------------------
 */

const json_t *api_at(const json_t *json, const char *path)
{
    char name[64];

    while (json && *path) {
        size_t len = strcspn(path, ".");

        (void)snprintf(name, sizeof name, "%.*s", (int)len, path);
        if (json_is_array(json))
            json = json_array_get(json, strtoul(name, NULL, 10));
        else
            json = json_object_get(json, name);
        path += len + (path[len] == '.');
    }
    return json;
}

const char *api_text(const struct api_reply *r, const char *path)
{
    const char *text = json_string_value(api_at(r->json, path));

    return text ? text : "";
}

long long api_number(const struct api_reply *r, const char *path)
{
    const json_t *json = api_at(r->json, path);

    return json_is_integer(json) ? json_integer_value(json) : -1;
}

static void show(const struct api_reply *r)
{
    print_message("the answer was:\n%s%.2000s\n", r->headers ? r->headers : "",
                  r->body ? r->body : "");
}

void assert_status_(const struct api_reply *r, long expected, const char *file, int line)
{
    if (r->status != expected)
        show(r);
    _assert_int_equal((LargestIntegralType)r->status, (LargestIntegralType)expected, file,
                      line);
}

void assert_answer_(const struct api_reply *r, long status, const char *code, const char *file,
                    int line)
{
    if (code)
        assert_problem_(r, status, code, file, line);
    else
        assert_status_(r, status, file, line);
}

void assert_header_(const struct api_reply *r, const char *name, const char *expected,
                    const char *file, int line)
{
    const char *value = api_header(r, name);

    if (!expected && !value)
        return;
    if (!expected || !value || strcmp(value, expected) != 0) {
        show(r);
        print_error("%s: %s, not %s\n", name, value ? value : "(absent)",
                    expected ? expected : "(absent)");
        _fail(file, line);
    }
}

void assert_problem_(const struct api_reply *r, long status, const char *code, const char *file,
                     int line)
{
    char type[128];

    (void)snprintf(type, sizeof type, "/problems/%s", code);
    assert_status_(r, status, file, line);
    if (strcmp(api_text(r, "code"), code) != 0)
        show(r);
    _assert_string_equal(api_text(r, "code"), code, file, line);
    _assert_string_equal(api_text(r, "type"), type, file, line);
    _assert_int_equal((LargestIntegralType)api_number(r, "status"), (LargestIntegralType)status,
                      file, line);
    _assert_true(*api_text(r, "title") != '\0', "title", file, line);
    assert_header_(r, "Content-Type", "application/problem+json", file, line);
    assert_header_(r, "X-Request-Id", api_text(r, "request_id"), file, line);
    assert_header_(r, "Cache-Control", "no-store", file, line);
}
