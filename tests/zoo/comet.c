/* Never the same process twice: each one forks the next and ends. */
#include "tests/zoo/zoo.h"

int main(int argc, char **argv)
{
    time_t end = zoo_now() + ZOO_LIFE_SECONDS;

    zoo_begin(argc, argv);
    if (zoo_fork() != 0)
        zoo_rest();
    (void)setsid();
    zoo_ready();
    while (zoo_now() < end)
        if (zoo_fork() != 0)
            _exit(0);
    return 0;
}
