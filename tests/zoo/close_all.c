/* Closes every descriptor, so that no end of file and no pipe tells of it. */
#include "tests/zoo/zoo.h"

int main(int argc, char **argv)
{
    zoo_begin(argc, argv);
    if (zoo_fork() == 0) {
        zoo_ready();
        (void)close_range(0, ~0U, 0);
        zoo_rest();
    }
    (void)close_range(0, ~0U, 0);
    zoo_rest();
}
