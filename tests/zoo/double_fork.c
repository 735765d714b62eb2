/* A grandchild whose parent has gone: it belongs to whoever adopts orphans. */
#include "tests/zoo/zoo.h"

int main(int argc, char **argv)
{
    zoo_begin(argc, argv);
    if (zoo_fork() == 0) {
        if (zoo_fork() == 0) {
            zoo_ready();
            zoo_rest();
        }
        _exit(0);
    }
    (void)wait(NULL);
    zoo_rest();
}
