/* Writes without end, to both streams. */
#include "tests/zoo/zoo.h"

int main(int argc, char **argv)
{
    static char block[65536];
    time_t end = zoo_now() + ZOO_LIFE_SECONDS;
    int fd;

    zoo_begin(argc, argv);
    memset(block, 'x', sizeof block);
    fd = zoo_fork() == 0 ? 1 : 2;
    zoo_ready();
    while (zoo_now() < end)
        (void)!write(fd, block, sizeof block);
    return 0;
}
