/* The escape zoo: programs that do what they can to stay (tests/zoo), stopped by jobd. Each is
 * canceled, timed out, and loses its worker, by a jobd of root and by one of nobody, with
 * control groups and without. Afterwards nothing of it is left: this test looks into /proc
 * itself, and does not trust what jobd says. How long it took is printed.
 *
 * JOBD_ZOO=full (make zoo) does everything with every animal; else each animal has one fate in
 * each enclosure. JOBD_ZOO=<animal> does everything with that one.
 */
#include "tests/support/api.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#include "base/text.h"
#include "pool/cgroup.h"
#include "pool/cgroup_find.h"

#define NOBODY          65534
#define TIMEOUT_SECONDS 0.7
#define ENVIRON_MAX     ((size_t)1 << 17)

enum fate { CANCELED, TIMED_OUT, WORKER_KILLED, LEFT_ALONE, FATE_MAX_ };

static const char *const fate_names[FATE_MAX_] = { "canceled", "timed out", "worker killed",
                                                   "left alone" };

struct animal {
    const char *name;
    bool main_ends; /* at once: with `leftover: wait` it can be stopped all the same */
};

static const struct animal animals[] = {
    { "adopter", false },    { "anonymous", false },   { "change_group", false },
    { "close_all", false },  { "comet", false },       { "daemon_twice", true },
    { "deaf", false },       { "double_fork", false }, { "exec_loop", false },
    { "fork_bomb", false },  { "heirs", false },       { "keep_stdout", true },
    { "meteor", false },     { "new_session", false }, { "stopped", false },
    { "threads", false },    { "tracer", false },      { "vfork_chain", false },
    { "vfork_wait", false }, { "writer", false },
};

struct enclosure {
    const char *name;
    const char *config;
    uid_t user;
    bool cgroup;
};

#define CONFIG "allow_commands: true\nworkers: 2\noutput_max_bytes: 100KiB\n"

static const struct enclosure enclosures[] = {
    { "root, cgroup", CONFIG "containment: auto\n", 0, true },
    { "root, subreaper", CONFIG "containment: subreaper\n", 0, false },
    { "nobody, cgroup", CONFIG "containment: auto\n", NOBODY, true },
    { "nobody, subreaper", CONFIG "containment: subreaper\n", NOBODY, false },
};

/* ---- looking, without jobd ----------------------------------------------------------------
 */

static bool file_has(int dir, const char *name, const char *mark)
{
    static char text[ENVIRON_MAX];
    AUTO_FINI(fd) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);

    return n > 0 && memmem(text, (size_t)n, mark, strlen(mark)) != NULL;
}

/* How many processes carry the mark; the pid of one of them. */
static int count_marked(const char *mark, char ret_one[16])
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    int count = 0;

    assert_non_null(proc);
    while ((entry = readdir(proc)) != NULL) {
        AUTO_FINI(fd) int dir = -1;
        int64_t pid;

        if (!text_to_i64(entry->d_name, 1, INT32_MAX, &pid) || pid == getpid())
            continue;
        dir = openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0 || (!file_has(dir, "comm", mark) && !file_has(dir, "cmdline", mark) &&
                        !file_has(dir, "environ", mark)))
            continue;
        (void)snprintf(ret_one, 16, "%d", (int)pid);
        count++;
    }
    (void)closedir(proc);
    return count;
}

static void assert_nobody_is_left(const char *animal, const char *mark)
{
    char one[16] = "";
    int count = count_marked(mark, one);

    if (count > 0)
        fail_msg("%d processes of %s are left, one is %s", count, animal, one);
}

static void await_file(const char *path)
{
    usec_t until_us = clock_mono_us() + PATIENCE_US;

    while (access(path, F_OK) < 0) {
        if (clock_mono_us() > until_us)
            fail_msg("the animal was not ready in time: %s", path);
        (void)usleep(1000);
    }
}

/* So they can be seen at all; one look may miss those that are not there for long. */
static void await_marked(const char *mark)
{
    usec_t until_us = clock_mono_us() + PATIENCE_US;
    char one[16];

    while (count_marked(mark, one) == 0)
        if (clock_mono_us() > until_us)
            fail_msg("nobody carries the mark %s", mark);
}

/* ---- one animal, one fate -----------------------------------------------------------------
 */

static char *body_of(const struct api *a, const struct animal *x, const char *mark,
                     enum fate fate)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    buf_printf(&b, "{\"command\":[\"%s/zoo/%s\",\"%s\",\"%s/ready-%s\"]", a->dir, x->name, mark,
               a->dir, mark);
    buf_printf(&b, ",\"env\":{\"ZOO\":\"%s\"},\"grace_period_seconds\":0.1", mark);
    if (fate == TIMED_OUT)
        buf_printf(&b, ",\"timeout_seconds\":%g", TIMEOUT_SECONDS);
    if (fate != LEFT_ALONE)
        buf_add_str(&b, ",\"leftover\":\"wait\"");
    if (text_equal(x->name, "fork_bomb"))
        buf_add_str(&b, ",\"limits\":{\"processes\":120}");
    buf_add_char(&b, '}');
    return buf_steal(&b);
}

static void assert_outcome(const struct api_reply *r, const struct animal *x, enum fate fate)
{
    const char *state = api_text(r, "state");
    const char *reason = api_text(r, "failure.reason");
    bool right = fate == CANCELED        ? text_equal(state, "canceled")
                 : fate == TIMED_OUT     ? text_equal(reason, "deadline_exceeded")
                 : fate == WORKER_KILLED ? text_equal(reason, "worker_lost")
                                         : text_equal(state, "succeeded");

    if (!right)
        fail_msg("%s was %s, but is %s: %s", x->name, fate_names[fate], state, reason);
}

/* Returns how long it took from the order to stop to an empty tree. */
static usec_t meet(const struct api *a, const struct animal *x, enum fate fate)
{
    static unsigned counter;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *mark = mem_printf("zoo%06d_%03u", (int)getpid() % 1000000, counter++);
    AUTO(mem) char *ready = mem_printf("%s/ready-%s", a->dir, mark);
    AUTO(mem) char *body = body_of(a, x, mark, fate);
    char id[API_ID_SIZE];
    usec_t begin_us = clock_mono_us();
    usec_t took_us;

    (void)api_submit(a, body, id);
    if (fate == CANCELED || fate == WORKER_KILLED) {
        await_file(ready);
        await_marked(mark);
        api_await_state(a, id, "running", &r);
        begin_us = clock_mono_us();
    }
    if (fate == CANCELED)
        api_post(a, api_job_path(id, ":cancel"), "{}", &r);
    if (fate == WORKER_KILLED)
        assert_return_code(kill((pid_t)api_number(&r, "worker.pid"), SIGKILL), errno);
    api_await(a, id, &r);
    took_us = clock_mono_us() - begin_us;
    assert_nobody_is_left(x->name, mark);
    assert_outcome(&r, x, fate);
    (void)unlink(ready);
    if (fate == TIMED_OUT)
        took_us -= (usec_t)(TIMEOUT_SECONDS * USEC_PER_SEC);
    return took_us > 0 ? took_us : 0;
}

static void visit(const struct api *a, const struct enclosure *e, const struct animal *x,
                  enum fate fate)
{
    usec_t took_us;

    if ((fate == LEFT_ALONE) > x->main_ends)
        return;
    took_us = meet(a, x, fate);
    print_message("  %-18s %-14s %-13s empty after %7.1f ms\n", e->name, x->name,
                  fate_names[fate], (double)took_us / USEC_PER_MS);
}

static void visit_all(const struct api *a, const struct enclosure *e)
{
    const char *what = getenv("JOBD_ZOO"); // NOLINT(concurrency-mt-unsafe)
    bool full = what && *what;

    for (size_t i = 0; i < COUNT_OF(animals); i++) {
        if (full && !text_equal(what, "full") && !text_equal(what, animals[i].name))
            continue;
        for (int fate = 0; fate < FATE_MAX_; fate++)
            if (full || fate == (int)((i + (size_t)(e - enclosures)) % 3) || fate == LEFT_ALONE)
                visit(a, e, &animals[i], (enum fate)fate);
    }
}

/* ---- the enclosures -----------------------------------------------------------------------
 */

static void copy_animal(const struct api *a, const char *name)
{
    AUTO_FINI(buf) struct buf program = { 0 };
    AUTO(mem) char *from = mem_printf("build/zoo/%s", name);
    AUTO(mem) char *to = mem_printf("%s/zoo/%s", a->dir, name);
    struct errinfo e = { 0 };

    if (fd_read_file(from, (size_t)1 << 24, &program, &e) < 0 ||
        fd_write_file_atomic(to, 0755, program.data, program.len, &e) < 0)
        fail_msg("%s", e.text);
}

static int set_up(void **state)
{
    struct api *a;

    if (api_setup(state) != 0)
        return -1;
    a = *state;
    assert_int_equal(mkdir(api_path(a, "zoo"), 0755), 0);
    for (size_t i = 0; i < COUNT_OF(animals); i++)
        copy_animal(a, animals[i].name);
    return 0;
}

/* A group of nobody's own, as a service manager or a container would delegate it. Returns its
 * cgroup.procs; -1: not here. */
static int delegate(int *ret_dir, char name[32])
{
    static const char *const files[] = { ".", "cgroup.procs", "cgroup.subtree_control",
                                         "cgroup.threads" };
    int own[CGROUP_TREES];
    int procs = -1;

    *ret_dir = -1;
    (void)snprintf(name, 32, "zoo-%d", (int)getpid());
    if (cgroup_find_own(own, NULL) < 0)
        return -1;
    *ret_dir = own[CGROUP_V2];
    for (int t = CGROUP_V2 + 1; t < CGROUP_TREES; t++)
        fd_fini(&own[t]);
    if (*ret_dir >= 0 && mkdirat(*ret_dir, name, 0755) == 0) {
        AUTO_FINI(fd) int dir = openat(*ret_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        for (size_t i = 0; i < COUNT_OF(files); i++)
            (void)!fchownat(dir, files[i], NOBODY, NOBODY, 0);
        procs = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    }
    return procs;
}

static void assert_contained(struct api *a, bool cgroup)
{
    AUTO_FINI(buf) struct buf log = { 0 };
    struct errinfo e;
    const char *last = NULL;

    (void)fd_read_file(api_path(a, "log"), (size_t)1 << 24, &log, &e);
    for (const char *p = log.data; p && (p = strstr(p, "\"containment\":\"")); p++)
        last = p;
    assert_non_null(last);
    if (!cgroup)
        assert_true(text_starts(last, "\"containment\":\"subreaper\"", NULL));
    else if (!text_starts(last, "\"containment\":\"cgroup\"", NULL))
        print_message("  this host has no control groups for it: as without\n");
}

/* A sanitizer looks at jobd, and jobd does the same in each enclosure: one is enough for it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ENCLOSURES_SHORT 1
#else
#define ENCLOSURES_SHORT COUNT_OF(enclosures)
#endif

static void run_enclosure(struct api *a, const struct enclosure *e)
{
    AUTO_FINI(fd) int procs = -1, parent = -1;
    char group[32];

    if (!getenv("JOBD_ZOO") && // NOLINT(concurrency-mt-unsafe)
        (size_t)(e - enclosures) >= ENCLOSURES_SHORT) {
        print_message("  %s: skipped under a sanitizer, make zoo VARIANT=asan has it\n",
                      e->name);
        skip();
    }

    if (geteuid() != 0 && e->user != geteuid() && e->user != 0) {
        print_message("  %s: skipped, only root can become somebody else\n", e->name);
        return;
    }
    if (e->user != 0 && e->cgroup)
        procs = delegate(&parent, group);
    api_stop(a, SIGTERM);
    assert_int_equal(a->exit_code, 0);
    api_reconfigure(a, e->config);
    if (geteuid() == 0)
        api_run_as(a, e->user, procs);
    api_start(a);
    assert_contained(a, e->cgroup);
    visit_all(a, e);
    if (procs >= 0) {
        api_stop(a, SIGTERM);
        assert_int_equal(unlinkat(parent, group, AT_REMOVEDIR),
                         0); /* jobd left nothing in it */
        api_run_as(a, 0, -1);
        api_start(a);
    }
}

static void root_with_control_groups(void **state)
{
    run_enclosure(*state, &enclosures[0]);
}

static void root_without_control_groups(void **state)
{
    run_enclosure(*state, &enclosures[1]);
}

static void nobody_with_control_groups(void **state)
{
    run_enclosure(*state, &enclosures[2]);
}

static void nobody_without_control_groups(void **state)
{
    run_enclosure(*state, &enclosures[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_with_control_groups),
        cmocka_unit_test(root_without_control_groups),
        cmocka_unit_test(nobody_with_control_groups),
        cmocka_unit_test(nobody_without_control_groups),
    };

    api_configure(CONFIG);
    return api_finish(cmocka_run_group_tests_name("api/zoo", tests, set_up, api_teardown));
}
