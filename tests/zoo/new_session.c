/* A child in a session of its own: no signal to the group reaches it. */
#include "tests/zoo/zoo.h"

int main(int argc, char **argv)
{
    zoo_begin(argc, argv);
    if (zoo_fork() == 0) {
        (void)setsid();
        zoo_ready();
    }
    zoo_rest();
}
