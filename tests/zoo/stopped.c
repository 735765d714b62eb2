/* Stops itself, and its child too: a stopped process does not hear SIGTERM. */
#include "tests/zoo/zoo.h"

int main(int argc, char **argv)
{
    zoo_begin(argc, argv);
    if (zoo_fork() == 0) {
        zoo_ready();
        (void)raise(SIGSTOP);
        zoo_rest();
    }
    (void)raise(SIGSTOP);
    zoo_rest();
}
