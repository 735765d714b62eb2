/* The loop of the supervisor: wait, read signals, read what the front says, reap, do what is
 * due.
 *
 *   SERVE --signal--> DRAIN --front has ended--> END --nobody is left--> DONE
 *     `---- front cannot be kept up ------------^
 *
 * In SERVE front and workers are kept up; in DRAIN the front only, so that it can write down
 * how attempts end; in END the workers are told to stop, and nobody is started any more.
 */
#include "pool/supervisor.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "pool/lock.h"
#include "pool/run_files.h"
#include "pool/supervisor_state.h"
#include "pool/survivors.h"
#include "pool/tree.h"
#include "pool/worker_files.h"

#define LOCK_WAIT_US    (5 * USEC_PER_SEC)  /* for processes that an old jobd left behind */
#define END_TIMEOUT_US  (10 * USEC_PER_SEC) /* for workers, once their life pipes are closed */
#define SURVIVORS_US    (10 * USEC_PER_SEC) /* to kill what dead workers have left */
#define EARLY_ENDS_MAX  10                  /* of fronts, in a row; then we give up */
#define STOP_STARTS_MAX 3                   /* of fronts while jobd is being stopped */
#define NEVER           INT64_MAX

/* ---- the end -------------------------------------------------------------------------- */

/* Signal a child that was not reaped yet: its number cannot be anybody else's. */
static void signal_child(const struct child *c, int signal_number)
{
    if (c->pid != 0)
        (void)kill(c->pid, signal_number); /* a zombie does not mind */
}

static void signal_workers(struct supervisor *s, int signal_number)
{
    for (size_t i = 0; i < s->slots.count; i++)
        signal_child(&s->slots.items[i].process, signal_number);
    elders_signal(&s->elders, signal_number);
}

static size_t workers_alive(const struct supervisor *s)
{
    return slots_alive(&s->slots, NULL) + elders_alive(&s->elders, NULL);
}

/* Whoever is still there is to go; exit_code is the service's. A worker that has not got as far
 * as to heed the signal has no attempt, and ends with its life pipe. */
static void begin_end(struct supervisor *s, int exit_code)
{
    s->phase = PHASE_END;
    s->exit_code = exit_code;
    s->deadline_us = clock_mono_us() + END_TIMEOUT_US;
    signal_workers(s, SIGTERM);
    for (size_t i = 0; i < s->slots.count; i++)
        fd_fini(&s->slots.items[i].life_fd);
}

static void kill_workers(struct supervisor *s)
{
    log_error("worker.stop_timeout", LI64("workers", workers_alive(s)));
    signal_workers(s, SIGKILL);
    signal_child(&s->front.process, SIGKILL);
    s->deadline_us = NEVER;
}

static void check_deadline(struct supervisor *s, usec_t now_us)
{
    if (now_us < s->deadline_us)
        return;
    if (s->phase == PHASE_END) {
        kill_workers(s);
        return;
    }
    log_error("front.stop_timeout", LI64("front_pid", s->front.process.pid),
              LI64("timeout_us", s->conf->stop_timeout_us));
    signal_child(&s->front.process, SIGKILL);
    begin_end(s, 0);
}

static void check_end(struct supervisor *s)
{
    int killed;

    if (s->phase != PHASE_END || s->front.process.pid != 0 || workers_alive(s) > 0)
        return;
    /* Until the kernel says that we have no child, but for those that jobs let go. */
    killed = tree_sweep(detached_any(s->detached) ? detached_spares : NULL, s->detached);
    if (killed > 0)
        log_warn("supervisor.leftovers_killed", LI64("processes", killed));
    s->phase = PHASE_DONE;
}

/* ---- starting and reaping ------------------------------------------------------------- */

static void end_drained(struct supervisor *s)
{
    s->drained = true;
    begin_end(s, 0);
}

/* The front is down, or could not be started. own_code: what it exited with; -1: it did not. */
static void front_down(struct supervisor *s, int own_code)
{
    struct front *f = &s->front;
    bool stopping = s->phase == PHASE_DRAIN;
    /* It wants processes, descriptors or room on the disk. Workers go on, and so do we. */
    bool passes = own_code == EX_TEMPFAIL && f->ever_ready;

    if (f->ready)
        f->failures = 0;
    else if (!passes)
        f->failures++;
    child_ended(&f->process, !f->ready, clock_mono_us());
    if (s->phase == PHASE_END)
        return;
    if (own_code > 0 && !f->ever_ready)
        /* It cannot start, and has said why. EX_TEMPFAIL from us means something else. */
        begin_end(s, own_code == EX_TEMPFAIL ? EXIT_FAILURE : own_code);
    else if (own_code == 0 && stopping && !f->leaving)
        end_drained(s);
    else if (f->failures >= EARLY_ENDS_MAX ||
             (stopping && !passes && f->stop_starts >= STOP_STARTS_MAX)) {
        log_error("front.given_up", LI64("early_ends", f->failures));
        begin_end(s, EXIT_FAILURE);
    }
}

static void log_exit(enum log_level level, const char *event, int64_t worker_id, pid_t pid,
                     int wait_status)
{
    const char *signal_name =
        WIFSIGNALED(wait_status) ? sigabbrev_np(WTERMSIG(wait_status)) : NULL;
    int exit_code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
    const struct log_field fields[] = {
        LI64("child_pid", pid),
        LI64("exit_code", exit_code),
        LSTR("signal", signal_name),
        LI64(worker_id != 0 ? "worker_id" : NULL, worker_id), /* without a name it is the end */
        { .name = NULL },
    };

    log_write(level, event, fields);
}

static void front_ended(struct supervisor *s, int wait_status)
{
    int own_code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
    bool expected = own_code == 0 && (s->stop != STOP_NOT || s->front.leaving);

    log_exit(expected ? LOG_INFO : LOG_ERROR, "front.exited", 0, s->front.process.pid,
             wait_status);
    fd_fini(&s->front.control_fd);
    front_down(s, own_code);
}

/* When the front could not drain, the next jobd is to know who was done. */
static void remove_slots_file(const struct supervisor *s, int64_t worker_id)
{
    if (s->phase == PHASE_END && !s->drained &&
        worker_file_is_signed_off(s->conf->data_dir, worker_id))
        return;
    worker_file_remove(s->conf->data_dir, worker_id);
}

static void worker_ended(struct supervisor *s, struct slot *slot, int wait_status)
{
    bool expected = s->phase == PHASE_END && wait_status == 0;

    log_exit(expected ? LOG_DEBUG : LOG_WARN, "worker.exited", slot->worker_id,
             slot->process.pid, wait_status);
    remove_slots_file(s, slot->worker_id);
    fd_fini(&slot->life_fd);
    cgroup_worker_clear(&s->cgroup.group, slot->worker_id);
    slot_ended(slot, wait_status, clock_mono_us());
}

/* The file of one that was done goes when a front has taken that in: see supervisor_control.c.
 */
static void elder_has_ended(struct supervisor *s, struct elder *elder, int wait_status)
{
    int64_t worker_id = elder->info.worker_id;
    bool done = worker_file_is_signed_off(s->conf->data_dir, worker_id);

    log_write(done ? LOG_INFO : LOG_WARN, "worker.retired",
              (const struct log_field[]){ LI64("worker_id", worker_id),
                                          LI64("worker_pid", elder->info.pid),
                                          LBOOL("done", done),
                                          { .name = NULL } });
    if (done)
        wait_status = 0;
    else
        worker_file_remove(s->conf->data_dir, worker_id);
    cgroup_base_clean(&s->cgroup); /* its tree was never below us, but its group is known */
    elder_ended(elder, wait_status);
}

static bool is_known(void *ctx, pid_t pid)
{
    struct supervisor *s = ctx;

    return pid == s->front.process.pid || pid == s->succession.check.pid ||
           slots_find(&s->slots, pid) != NULL || elders_find_child(&s->elders, pid) != NULL ||
           detached_spares(s->detached, pid);
}

/* By the time that a worker can be reaped its children are ours. They are swept before the
 * front hears of its end. Any other child that is not known is an orphan, which an init just
 * reaps. */
static void reap(struct supervisor *s)
{
    bool worker_lost = false;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct slot *slot = slots_find(&s->slots, pid);
        struct elder *elder = elders_find_child(&s->elders, pid);

        if (slot) {
            worker_ended(s, slot, status);
            worker_lost = true;
        } else if (elder) {
            elder_has_ended(s, elder, status);
            worker_lost = true;
        } else if (pid == s->front.process.pid) {
            front_ended(s, status);
        } else {
            (void)succession_reaped(s, pid, status);
        }
    }
    if (worker_lost) {
        int killed = tree_sweep(is_known, s);

        if (killed > 0)
            log_warn("worker.leftovers_killed", LI64("processes", killed));
    }
}

static bool worker_lives(void *ctx, int64_t worker_id)
{
    const struct supervisor *s = ctx;

    for (size_t i = 0; i < s->slots.count; i++)
        if (s->slots.items[i].worker_id == worker_id)
            return s->slots.items[i].process.pid != 0;
    for (size_t i = 0; i < s->elders.count; i++)
        if (s->elders.items[i].info.worker_id == worker_id)
            return s->elders.items[i].pid_fd >= 0;
    return false;
}

/* What a worker left that died with no living supervisor above it. */
static void kill_survivors(struct supervisor *s)
{
    const struct survivors_conf conf = {
        .instance = s->instance,
        .worker_lives = worker_lives,
        .worker_ctx = s,
        .spare = detached_spares,
        .spare_ctx = s->detached,
        .timeout_us = SURVIVORS_US,
    };
    usec_t begin_us = clock_mono_us();
    bool left;
    int killed = survivors_kill(&conf, &left);

    if (killed > 0)
        log_warn("supervisor.survivors_killed", LI64("processes", killed),
                 LI64("took_us", clock_mono_us() - begin_us));
    if (left)
        log_error("supervisor.survivors_left", LI64("timeout_us", SURVIVORS_US));
}

/* Those whom an earlier supervisor had started are not ours to reap. */
static void look_after_elders(struct supervisor *s)
{
    const struct pollfd *polls = s->polls + SUPERVISOR_POLLS;
    struct elder *elder;
    size_t cursor = 0;
    bool ended = false;

    while ((elder = elders_poll_next(&s->elders, polls, &cursor))) {
        elder_has_ended(s, elder, CONTROL_STATUS_UNKNOWN);
        ended = true;
    }
    if (ended)
        kill_survivors(s);
}

static void start_front(struct supervisor *s, usec_t now_us)
{
    struct front *f = &s->front;
    struct errinfo e;
    int pid;

    if (s->phase > PHASE_DRAIN || s->succession.state == SUCCESSION_LEAVING ||
        !child_is_due(&f->process, now_us))
        return;
    if (s->phase == PHASE_DRAIN)
        f->stop_starts++;
    f->ready = false;
    f->full = false;
    f->leaving = false;
    pid = supervisor_fork_front(s, &e);
    if (pid < 0) {
        log_error("front.start_failed", LSTR("reason", e.text));
        front_down(s, f->ever_ready ? EX_TEMPFAIL : -1);
        return;
    }
    f->told = s->stop != STOP_NOT ? STOP_DRAIN : STOP_NOT; /* by struct front_start */
    slots_forget_exits(&s->slots);
    elders_forget_exits(&s->elders);
    child_started(&f->process, pid, now_us);
    log_info("front.started", LI64("front_pid", pid));
}

static void start_workers(struct supervisor *s, usec_t now_us)
{
    if (s->phase != PHASE_SERVE)
        return;
    for (size_t i = 0; i < s->slots.count; i++) {
        struct slot *slot = &s->slots.items[i];
        struct errinfo e;
        int pid;

        if (!slot_is_due(slot, now_us))
            continue;
        pid = supervisor_fork_worker(s, slot, &e);
        if (pid < 0) {
            log_error("worker.start_failed", LSTR("reason", e.text));
            child_ended(&slot->process, true, now_us);
            continue;
        }
        child_started(&slot->process, pid, now_us);
        log_info("worker.started", LI64("worker_id", slot->worker_id), LI64("worker_pid", pid),
                 LSTR("pool", slot_pool(slot)));
    }
}

/* ---- signals -------------------------------------------------------------------------- */

static void stop_asked(struct supervisor *s, const struct signalfd_siginfo *info)
{
    log_info("supervisor.stop_asked", LSTR("signal", sigabbrev_np((int)info->ssi_signo)),
             LI64("sender_pid", info->ssi_pid));
    switch (s->phase) {
    case PHASE_SERVE:
        succession_give_up(s);
        s->phase = PHASE_DRAIN;
        s->stop = STOP_DRAIN;
        s->deadline_us = clock_mono_us() + s->conf->stop_timeout_us;
        s->front.process.start_at_us = 0; /* one that is down has outcomes to take in */
        break;
    case PHASE_DRAIN:
        s->stop = STOP_NOW;
        break;
    case PHASE_END:
        s->deadline_us = s->deadline_us == NEVER ? NEVER : 0;
        break;
    case PHASE_DONE:
        break;
    }
}

static void read_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;

    while (read(s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            stop_asked(s, &info);
        else if (info.ssi_signo == SIGHUP || info.ssi_signo == SIGUSR2)
            succession_ask(s, (int)info.ssi_signo);
        /* SIGCHLD: reap() asks the kernel each time */
    }
}

/* ---- the loop ------------------------------------------------------------------------- */

static usec_t earlier(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

/* When there is something to do even if nothing happens. */
static usec_t next_due(const struct supervisor *s)
{
    usec_t due_us = earlier(s->deadline_us, s->succession.deadline_us);

    if (s->succession.state == SUCCESSION_LEAVING && s->front.process.pid == 0)
        return 0;
    if (s->phase <= PHASE_DRAIN && s->front.process.pid == 0)
        due_us = earlier(due_us, s->front.process.start_at_us);
    for (size_t i = 0; s->phase == PHASE_SERVE && i < s->slots.count; i++) {
        const struct slot *slot = &s->slots.items[i];

        if (slot->process.pid == 0 && !slot->exit_untold)
            due_us = earlier(due_us, slot->process.start_at_us);
    }
    return due_us;
}

static void wait_for_event(struct supervisor *s)
{
    usec_t due_us = next_due(s);
    usec_t wait_ms = -1;

    if (due_us != NEVER) {
        wait_ms = (due_us - clock_mono_us() + USEC_PER_MS - 1) / USEC_PER_MS;
        wait_ms = wait_ms < 0 ? 0 : earlier(wait_ms, INT_MAX);
    }
    s->polls[0] = (struct pollfd){ .fd = s->signal_fd, .events = POLLIN };
    s->polls[1] =
        (struct pollfd){ .fd = s->front.control_fd,
                         .events = (short)(s->front.full ? POLLIN | POLLOUT : POLLIN) };
    s->polls[2] = (struct pollfd){ .fd = s->succession.check.fd, .events = POLLIN };
    elders_poll_prepare(&s->elders, s->polls + SUPERVISOR_POLLS);
    /* Every cause is looked at anyway. */
    (void)poll(s->polls, SUPERVISOR_POLLS + s->elders.count, (int)wait_ms);
}

static void loop(struct supervisor *s)
{
    while (s->phase != PHASE_DONE) {
        usec_t now_us;

        wait_for_event(s);
        read_signals(s);
        supervisor_hear_front(s);
        reap(s);
        look_after_elders(s);
        now_us = clock_mono_us();
        check_deadline(s, now_us);
        succession_turn(s, now_us);
        start_workers(s, now_us);
        start_front(s, now_us);
        supervisor_tell_front(s);
        check_end(s);
    }
}

/* From here on these signals wait in signal_fd. SIGCHLD may have been ignored by who started
 * us, and then the kernel would reap for us. */
static int open_signals(int *ret_fd, struct errinfo *e)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction usual = { .sa_handler = SIG_DFL };
    sigset_t set;
    int fd;

    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGXFSZ, &ignore, NULL); /* what a log is written to may have a limit */
    (void)sigaction(SIGCHLD, &usual, NULL);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGUSR2);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* cannot fail with SIG_BLOCK */
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return err_sys(e, "signalfd");
    *ret_fd = fd;
    return 0;
}

/* What the host does not allow is done without; `jobd doctor` says what it takes. */
static void prepare_containment(struct supervisor *s)
{
    struct errinfo e = { 0 };

    if (detached_open(s->conf->data_dir, &s->detached, &e) < 0)
        log_warn("supervisor.no_detached", LSTR("reason", e.text));
    detached_clean(s->detached);
    if (s->conf->use_cgroups && cgroup_base_open(&s->cgroup, &e) < 0)
        log_info("supervisor.no_cgroups", LSTR("reason", e.text));
    cgroup_base_clean(&s->cgroup);
}

/* Of the image before this one. */
static bool is_child(pid_t pid)
{
    siginfo_t info;

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* The workers that a killed supervisor, or the image before this one, has left: all that there
 * will be of their kind. */
static int adopt_workers(struct supervisor *s, struct errinfo *e)
{
    AUTO_FINI(worker_census) struct worker_census c = { 0 };
    int r;

    r = worker_files_scan(s->conf->data_dir, &c, e);
    if (r < 0)
        return r;
    s->last_worker_id = clock_wall_us(); /* above all that an earlier run counted up to, */
    if (s->last_worker_id < c.highest_worker_id) /* even when the clock was put back */
        s->last_worker_id = c.highest_worker_id;
    elders_init(&s->elders, c.count);
    for (size_t i = 0; i < c.count; i++)
        elders_add(&s->elders, &c.items[i].info, fd_take(&c.items[i].pid_fd),
                   is_child(c.items[i].info.pid));
    if (c.count > 0 || c.dead_count > 0)
        log_info("supervisor.adopted", LI64("workers", elders_alive(&s->elders, NULL)),
                 LI64("done_workers", c.count - elders_alive(&s->elders, NULL)),
                 LI64("dead_workers", c.dead_count));
    return 0;
}

static void make_room(struct supervisor *s)
{
    size_t workers = s->slots.count + s->elders.count;

    s->alive = mem_array0(workers + 1, sizeof *s->alive);
    s->done = mem_array0(s->elders.count + 1, sizeof *s->done);
    s->polls = mem_array0(SUPERVISOR_POLLS + s->elders.count, sizeof *s->polls);
}

static int prepare(struct supervisor *s, struct errinfo *e)
{
    int r;

    r = slots_init(&s->slots, s->conf->functions, s->conf->command_workers, e);
    if (r < 0)
        return r;
    (void)prctl(PR_SET_NAME, "jobd");
    r = tree_become_subreaper(e);
    if (r < 0)
        return r;
    r = open_signals(&s->signal_fd, e);
    if (r < 0)
        return r;
    r = instance_load(s->conf->data_dir, s->instance, e);
    if (r < 0)
        return r;
    r = adopt_workers(s, e);
    if (r < 0)
        return r;
    make_room(s);
    prepare_containment(s);
    kill_survivors(s);
    if (!s->conf->handover)
        return run_files_open(s->conf->data_dir, &s->listen_fd, e);
    (void)tree_sweep(is_known, s); /* of a worker that died just before the change */
    s->listen_fd = s->conf->handover->front_socket_fd;
    s->front.ever_ready = true; /* an earlier one, of the earlier image */
    return 0;
}

static struct supervisor *supervisor_free(struct supervisor *s)
{
    if (!s)
        return NULL;
    fd_fini(&s->signal_fd);
    fd_fini(&s->listen_fd);
    fd_fini(&s->front.control_fd);
    cgroup_base_close(&s->cgroup);
    s->detached = detached_free(s->detached);
    elders_fini(&s->elders);
    free(s->alive);
    free(s->done);
    free(s->polls);
    free(s);
    return NULL;
}
DEFINE_AUTO(supervisor, struct supervisor)

int supervisor_lock(const char *data_dir, int *ret_lock_fd, struct errinfo *e)
{
    return lock_take(data_dir, LOCK_WAIT_US, ret_lock_fd, e);
}

int supervisor_run(const struct supervisor_conf *conf)
{
    AUTO(supervisor) struct supervisor *s = mem_new0(sizeof *s);
    struct errinfo e;
    int r;

    s->conf = conf;
    s->signal_fd = s->listen_fd = s->front.control_fd = s->succession.check.fd = -1;
    s->succession.deadline_us = NEVER;
    cgroup_none(&s->cgroup.group);
    cgroup_none(&s->cgroup.own);
    s->deadline_us = NEVER;
    r = prepare(s, &e);
    if (r < 0) {
        log_error("supervisor.start_failed", LSTR("reason", e.text));
        return r == ERR_CONFIG ? EX_CONFIG : EXIT_FAILURE;
    }
    log_info("supervisor.started", LSTR("data_dir", conf->data_dir),
             LI64("workers", s->slots.count),
             LSTR("containment", cgroup_holds(&s->cgroup.group) ? "cgroup" : "subreaper"));
    loop(s);
    cgroup_base_remove(&s->cgroup);
    run_files_remove(conf->data_dir);
    log_info("supervisor.stopped", LI64("exit_code", s->exit_code));
    return s->exit_code;
}
