/* bench/ceilings/spawn_loop.c - posix_spawn + waitpid of /bin/true, nothing else: the most
 * commands a second that any job server can start on this machine.
 *
 *   spawn_loop [seconds] [processes in parallel]     prints one JSON line
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now_seconds(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void spawn_one(void)
{
    char program[] = "/bin/true";
    char *argv[] = { program, NULL };
    pid_t pid;

    if (posix_spawn(&pid, program, NULL, NULL, argv, environ) != 0)
        exit(1);
}

int main(int argc, char **argv)
{
    double limit = argc > 1 ? strtod(argv[1], NULL) : 3;
    int parallel = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 2;
    double start = now_seconds();
    unsigned long done = 0;
    double seconds;

    if (limit <= 0 || limit > 60 || parallel < 1 || parallel > 64)
        return 64;
    for (int i = 0; i < parallel; i++)
        spawn_one();
    while (now_seconds() - start < limit) {
        if (waitpid(-1, NULL, 0) < 0)
            return 1;
        done++;
        spawn_one();
    }
    while (waitpid(-1, NULL, 0) > 0)
        done++;
    seconds = now_seconds() - start;
    (void)printf("{\"requests\":%lu,\"seconds\":%.3f,\"per_second\":%.1f}\n", done, seconds,
                 (double)done / seconds);
    return 0;
}
