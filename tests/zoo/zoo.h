/* tests/zoo/zoo.h - what the animals have in common.
 *
 * Each is started as `animal MARK READY`. Every process that comes of it carries MARK in its
 * arguments, its environment or its name, so that a look at /proc finds it without asking jobd.
 * It makes the file READY once it is where it wants to be. Nobody outlives a minute, whatever
 * becomes of the test.
 */
#ifndef JOBD_TESTS_ZOO_ZOO_H
#define JOBD_TESTS_ZOO_ZOO_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ZOO_LIFE_SECONDS 60

static const char *zoo_mark;
static const char *zoo_ready_path;

static inline void zoo_begin(int argc, char **argv)
{
    if (argc < 3) {
        (void)fprintf(stderr, "usage: %s MARK READY\n", argv[0]);
        exit(64);
    }
    zoo_mark = argv[1];
    zoo_ready_path = argv[2];
    (void)prctl(PR_SET_NAME, zoo_mark);
}

static inline void zoo_ready(void)
{
    int fd = open(zoo_ready_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd >= 0)
        (void)close(fd);
}

static inline time_t zoo_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* Stay, whatever signal is handled meanwhile. */
static inline void zoo_rest(void)
{
    time_t end = zoo_now() + ZOO_LIFE_SECONDS;

    while (zoo_now() < end)
        (void)nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
    _exit(0);
}

static inline pid_t zoo_fork(void)
{
    pid_t pid = fork();

    if (pid < 0)
        _exit(71);
    return pid;
}

#endif
