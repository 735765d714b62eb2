/* bench/ceilings/bare_queue.c - the ceiling for a durable job over HTTP: all of it in one bare
 * program.
 *
 * libmicrohttpd takes the request, one thread inserts what has come together, claims it for
 * warm children that get lines and answer lines, and records their answers, all in one SQLite
 * transaction a turn (WAL, synchronous=FULL). The client is answered when its job is recorded;
 * with no children when it is inserted. No states to look at, no checks, no limits, no second
 * try, no way to ask for anything: what is left is what the hardware and the libraries cost.
 *
 *     bare_queue PORT CHILDREN PROGRAM [DIRECTORY]      runs until its standard input ends
 *
 * PROGRAM is bench/noop: it reads lines {"id":"<36 characters>",...} and answers on
 * descriptor 3.
 */
#include <fcntl.h>
#include <jansson.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BODY_MAX     65536
#define CHILDREN_MAX 16
#define IN_FLIGHT    16
#define LINE_SIZE    4096
#define ID_AT        7 /* in an answer, behind {"id":" */
#define ID_LEN       36

struct job {
    struct MHD_Connection *connection;
    struct job *next;
    int64_t id;
    size_t len;
    bool arrived; /* its body is whole */
    bool done;
    char body[BODY_MAX];
};

struct queue {
    struct job *first;
    struct job **last;
};

struct child {
    int to;
    int from;
    size_t running;
    size_t have;
    char in[LINE_SIZE * IN_FLIGHT];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct queue arrived; /* guarded by mutex */
static int wake_fd;

static sqlite3 *db;
static struct child children[CHILDREN_MAX];
static size_t child_count;
static struct queue waiting;                          /* inserted, of no child yet */
static struct job *running[CHILDREN_MAX * IN_FLIGHT]; /* by their id */
static volatile bool stopping;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void queue_add(struct queue *q, struct job *j)
{
    if (!q->first)
        q->last = &q->first;
    j->next = NULL;
    *q->last = j;
    q->last = &j->next;
}

static struct job *queue_take(struct queue *q)
{
    struct job *j = q->first;

    if (j)
        q->first = j->next;
    return j;
}

/* ---- HTTP -------------------------------------------------------------------------------- */

static enum MHD_Result answer(struct MHD_Connection *connection, const struct job *j)
{
    struct MHD_Response *response;
    enum MHD_Result queued;
    char *text = malloc(64);
    int len;

    if (!text)
        abort();
    len = snprintf(text, 64, "{\"id\":\"%016llx\"}", (unsigned long long)j->id);
    response = MHD_create_response_from_buffer((size_t)len, text, MHD_RESPMEM_MUST_FREE);
    (void)MHD_add_response_header(response, "Content-Type", "application/json");
    queued = MHD_queue_response(connection, j->done ? 200 : 400, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result submit(struct job *j)
{
    json_t *json = json_loadb(j->body, j->len, JSON_REJECT_DUPLICATES, NULL);
    bool valid = json != NULL;
    bool first;

    json_decref(json);
    j->arrived = true;
    if (!valid)
        return answer(j->connection, j);
    MHD_suspend_connection(j->connection);
    (void)pthread_mutex_lock(&mutex);
    first = !arrived.first;
    queue_add(&arrived, j);
    (void)pthread_mutex_unlock(&mutex);
    if (first)
        (void)eventfd_write(wake_fd, 1);
    return MHD_YES;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *part,
                                 size_t *part_len, void **con_cls)
{
    struct job *j = *con_cls;

    (void)cls;
    (void)url;
    (void)method;
    (void)version;
    if (!j) {
        j = *con_cls = malloc(sizeof *j);
        if (!j)
            return MHD_NO;
        j->connection = connection;
        j->len = 0;
        j->arrived = j->done = false;
        return MHD_YES;
    }
    if (*part_len > 0) {
        if (*part_len > BODY_MAX - j->len)
            return MHD_NO;
        memcpy(j->body + j->len, part, *part_len);
        j->len += *part_len;
        *part_len = 0;
        return MHD_YES;
    }
    return j->arrived ? answer(connection, j) : submit(j);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode toe)
{
    (void)cls;
    (void)connection;
    (void)toe;
    free(*con_cls);
}

/* ---- the ledger -------------------------------------------------------------------------- */

static void check(int rc, const char *what)
{
    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
        return;
    (void)fprintf(stderr, "bare_queue: %s: %s\n", what, sqlite3_errmsg(db));
    exit(1);
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *s = NULL;

    check(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL), sql);
    return s;
}

static void step(sqlite3_stmt *s)
{
    check(sqlite3_step(s), sqlite3_sql(s));
    check(sqlite3_reset(s), sqlite3_sql(s));
}

static void open_ledger(const char *path)
{
    check(sqlite3_open(path, &db), path);
    check(sqlite3_exec(db,
                       "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                       "PRAGMA secure_delete = OFF; PRAGMA wal_autocheckpoint = 4000;"
                       "PRAGMA cache_size = -32768;"
                       "CREATE TABLE job (id INTEGER PRIMARY KEY, state INTEGER, payload TEXT,"
                       " result TEXT) STRICT;",
                       NULL, NULL, NULL),
          "schema");
}

static void insert_arrived(sqlite3_stmt *insert, struct queue *done)
{
    static int64_t last_id;
    struct queue got;
    struct job *j;

    (void)pthread_mutex_lock(&mutex);
    got = arrived;
    arrived.first = NULL;
    (void)pthread_mutex_unlock(&mutex);
    while ((j = queue_take(&got))) {
        j->id = ++last_id;
        check(sqlite3_bind_int64(insert, 1, j->id), "bind");
        check(sqlite3_bind_text(insert, 2, j->body, (int)j->len, SQLITE_STATIC), "bind");
        step(insert);
        queue_add(child_count > 0 ? &waiting : done, j);
    }
}

/* Ids are given out in order and end nearly so: a ring of those that run is enough. */
static struct job **place_of(int64_t id)
{
    for (size_t i = 0; i < CHILDREN_MAX * IN_FLIGHT; i++)
        if (running[i] && running[i]->id == id)
            return &running[i];
    return NULL;
}

static void record_answers(struct child *c, sqlite3_stmt *finish, struct queue *done)
{
    ssize_t n = read(c->from, c->in + c->have, sizeof c->in - c->have);
    char *line = c->in;
    char *end;

    if (n <= 0)
        fail("a child has ended");
    c->have += (size_t)n;
    while ((end = memchr(line, '\n', c->have - (size_t)(line - c->in)))) {
        char id[ID_LEN + 1] = "";
        struct job **place;

        memcpy(id, line + ID_AT, ID_LEN);
        place = place_of(strtoll(id, NULL, 10));
        if (!place)
            fail("an unknown answer");
        check(sqlite3_bind_int64(finish, 1, (*place)->id), "bind");
        step(finish);
        queue_add(done, *place);
        *place = NULL;
        c->running--;
        line = end + 1;
    }
    c->have -= (size_t)(line - c->in);
    memmove(c->in, line, c->have);
}

struct hand_over {
    struct child *child;
    struct job *job;
};

static size_t claim_waiting(sqlite3_stmt *claim, struct hand_over *list)
{
    size_t count = 0;

    for (bool any = true; any && waiting.first;) {
        any = false;
        for (size_t i = 0; i < child_count && waiting.first; i++) {
            struct job **place = running;
            struct job *j;

            if (children[i].running == IN_FLIGHT)
                continue;
            j = queue_take(&waiting);
            check(sqlite3_bind_int64(claim, 1, j->id), "bind");
            step(claim);
            while (*place)
                place++;
            *place = j;
            children[i].running++;
            list[count++] = (struct hand_over){ &children[i], j };
            any = true;
        }
    }
    return count;
}

static void hand_over(const struct hand_over *list, size_t count)
{
    for (size_t c = 0; c < child_count; c++) {
        char out[IN_FLIGHT * 128];
        size_t len = 0;

        for (size_t i = 0; i < count; i++)
            if (list[i].child == &children[c])
                len += (size_t)snprintf(out + len, sizeof out - len,
                                        "{\"id\":\"%036lld\",\"args\":{\"n\":1}}\n",
                                        (long long)list[i].job->id);
        if (len > 0 && write(children[c].to, out, len) != (ssize_t)len)
            fail("write to a child");
    }
}

static void turn(const struct pollfd *ready)
{
    static sqlite3_stmt *begin, *commit, *insert, *claim, *finish;
    struct hand_over list[CHILDREN_MAX * IN_FLIGHT];
    struct queue done = { 0 };
    struct job *j;
    size_t count;

    if (!begin) {
        begin = prepare("BEGIN IMMEDIATE");
        commit = prepare("COMMIT");
        insert = prepare("INSERT INTO job VALUES (?1, 0, ?2, NULL)");
        claim = prepare("UPDATE job SET state = 1 WHERE id = ?1 AND state = 0");
        finish =
            prepare("UPDATE job SET state = 2, result = 'null' WHERE id = ?1 AND state = 1");
    }
    step(begin);
    insert_arrived(insert, &done);
    for (size_t i = 0; i < child_count; i++)
        if (ready[i + 1].revents != 0)
            record_answers(&children[i], finish, &done);
    count = claim_waiting(claim, list);
    step(commit);
    hand_over(list, count);
    while ((j = queue_take(&done))) {
        j->done = true;
        MHD_resume_connection(j->connection);
    }
}

static void *ledger(void *arg)
{
    struct pollfd ready[CHILDREN_MAX + 1] = { { .fd = wake_fd, .events = POLLIN } };

    (void)arg;
    for (size_t i = 0; i < child_count; i++)
        ready[i + 1] = (struct pollfd){ .fd = children[i].from, .events = POLLIN };
    while (!stopping && poll(ready, child_count + 1, -1) > 0) {
        eventfd_t times;

        if (ready[0].revents != 0)
            (void)eventfd_read(wake_fd, &times);
        turn(ready);
    }
    return NULL;
}

/* ---- children ---------------------------------------------------------------------------- */

static void start_child(struct child *c, const char *program)
{
    int in[2];
    int out[2];
    pid_t pid;

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        fail("pipe2");
    pid = fork();
    if (pid < 0)
        fail("fork");
    if (pid == 0) {
        (void)dup2(in[0], 0);
        (void)dup2(out[1], 3);
        if (out[1] == 3)
            (void)fcntl(3, F_SETFD, 0);
        (void)execl(program, program, (char *)NULL);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    c->to = in[1];
    c->from = out[0];
}

/* ---- all of it --------------------------------------------------------------------------- */

static void serve(unsigned port)
{
    pthread_t thread;
    struct MHD_Daemon *daemon;
    char c;

    if (pthread_create(&thread, NULL, ledger, NULL) != 0)
        fail("pthread_create");
    daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO,
        (uint16_t)port, NULL, NULL, on_access, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        NULL, MHD_OPTION_CONNECTION_LIMIT, 4096, MHD_OPTION_END);
    if (!daemon)
        fail("bare_queue");
    printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    (void)fflush(stdout);
    while (read(0, &c, 1) > 0)
        continue;
    stopping = true;
    (void)eventfd_write(wake_fd, 1);
    (void)pthread_join(thread, NULL);
    MHD_stop_daemon(daemon);
}

int main(int argc, char **argv)
{
    char dir[4096];
    char path[4200];

    if (argc < 4 || (child_count = strtoul(argv[2], NULL, 10)) > CHILDREN_MAX) {
        (void)fprintf(stderr, "usage: bare_queue PORT CHILDREN PROGRAM [DIRECTORY]\n");
        return 64;
    }
    (void)snprintf(dir, sizeof dir, "%s/bare_queue.XXXXXX", argc > 4 ? argv[4] : ".");
    if (!mkdtemp(dir))
        fail(dir);
    (void)snprintf(path, sizeof path, "%s/queue.db", dir);
    wake_fd = eventfd(0, EFD_CLOEXEC);
    open_ledger(path);
    for (size_t i = 0; i < child_count; i++)
        start_child(&children[i], argv[3]);
    serve((unsigned)strtoul(argv[1], NULL, 10));
    (void)sqlite3_close_v2(db);
    (void)unlink(path);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/queue.db%s", dir, i ? "-wal" : "-shm");
        (void)unlink(path);
    }
    (void)rmdir(dir);
    return 0;
}
