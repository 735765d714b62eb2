/* Becomes a daemon, and the daemon becomes one again. */
#include "tests/zoo/zoo.h"

static void become_daemon(void)
{
    int null = open("/dev/null", O_RDWR);

    if (zoo_fork() != 0)
        _exit(0);
    (void)setsid();
    if (zoo_fork() != 0)
        _exit(0);
    (void)!chdir("/");
    for (int fd = 0; fd < 3; fd++)
        (void)dup2(null, fd);
    (void)close(null);
}

int main(int argc, char **argv)
{
    zoo_begin(argc, argv);
    become_daemon();
    become_daemon();
    zoo_ready();
    zoo_rest();
}
