/* A comet whose every process also leads a session of its own: no group to be killed as one. */
#include "tests/zoo/zoo.h"

int main(int argc, char **argv)
{
    time_t end = zoo_now() + ZOO_LIFE_SECONDS;

    zoo_begin(argc, argv);
    if (zoo_fork() != 0)
        zoo_rest();
    zoo_ready();
    while (zoo_now() < end) {
        (void)setsid();
        if (zoo_fork() != 0)
            _exit(0);
    }
    return 0;
}
