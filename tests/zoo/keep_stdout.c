/* The main process ends; somebody else keeps its output open. */
#include "tests/zoo/zoo.h"

int main(int argc, char **argv)
{
    zoo_begin(argc, argv);
    if (zoo_fork() == 0) {
        zoo_ready();
        zoo_rest();
    }
    return 0;
}
