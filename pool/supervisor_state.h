/* pool/supervisor_state.h - what the parts of the supervisor share; nobody else includes this.
 *
 * supervisor.c decides, supervisor_fork.c makes processes, supervisor_control.c talks to the
 * front, supervisor_succession.c makes room for another image of the program.
 */
#ifndef JOBD_POOL_SUPERVISOR_STATE_H
#define JOBD_POOL_SUPERVISOR_STATE_H

#include "pool/cgroup.h"
#include "pool/child.h"
#include "pool/detached.h"
#include "pool/elders.h"
#include "pool/instance.h"
#include "pool/slots.h"
#include "pool/successor.h"
#include "pool/supervisor.h"

#define SUPERVISOR_POLLS 3 /* signals, the front, a successor's check */

enum phase { PHASE_SERVE, PHASE_DRAIN, PHASE_END, PHASE_DONE };
enum succession_state {
    SUCCESSION_IDLE,
    SUCCESSION_CHECKING,
    SUCCESSION_LEAVING, /* the front is to end, and no other is started */
};
enum stop { STOP_NOT, STOP_DRAIN, STOP_NOW };

struct front {
    struct child process;
    int control_fd;       /* -1: there is no front, or it has closed its end */
    bool ready;           /* this one is serving */
    bool ever_ready;      /* this one or an earlier one was serving */
    unsigned failures;    /* early ends in a row that tell of more than a shortage */
    bool full;            /* its control socket takes no more for the moment */
    enum stop told;       /* what this one knows */
    bool leaving;         /* it has been told to leave */
    size_t done_told;     /* of supervisor.done: what its struct front_start says */
    unsigned stop_starts; /* while jobd is being stopped */
};

struct succession {
    enum succession_state state;
    int signal_number; /* SIGHUP or SIGUSR2 */
    bool again;        /* asked for once more meanwhile */
    struct successor_check check;
    usec_t deadline_us; /* monotonic; INT64_MAX: none */
};

struct supervisor {
    const struct supervisor_conf *conf;
    char instance[INSTANCE_SIZE];
    int signal_fd;
    int listen_fd; /* run/front.sock */
    struct front front;
    struct slots slots;
    struct cgroup_base cgroup;
    struct detached *detached; /* NULL: nobody is */
    struct elders elders;
    struct succession succession;
    int64_t last_worker_id;
    enum phase phase;
    enum stop stop;     /* what was asked of us */
    usec_t deadline_us; /* of the phase: monotonic; INT64_MAX: none */
    int exit_code;
    bool drained;              /* the front has written down how every attempt ended */
    struct worker_info *alive; /* for struct front_start: room for all */
    int64_t *done;             /* the same */
    struct pollfd *polls;      /* SUPERVISOR_POLLS, then the elders' */
};

/* Fork a new front, with a control socket of its own, or the next worker of a slot, with a life
 * pipe of its own. Return the pid. ERR_SYS: out of processes or descriptors. */
int supervisor_fork_front(struct supervisor *s, struct errinfo *e);
int supervisor_fork_worker(struct supervisor *s, struct slot *slot, struct errinfo *e);

/* Tell the front what it does not know yet; what its socket has no room for is told later. */
void supervisor_tell_front(struct supervisor *s);
/* Take in what it says. Its end of file closes control_fd. */
void supervisor_hear_front(struct supervisor *s);

/* SIGHUP or SIGUSR2 has come. */
void succession_ask(struct supervisor *s, int signal_number);
/* jobd is being stopped instead. */
void succession_give_up(struct supervisor *s);
/* Whether this child was the check. */
bool succession_reaped(struct supervisor *s, pid_t pid, int wait_status);
/* Do what is due. Does not return when another image takes over. */
void succession_turn(struct supervisor *s, usec_t now_us);

#endif
