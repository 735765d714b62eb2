/* Each child leads a process group of its own. */
#include "tests/zoo/zoo.h"

int main(int argc, char **argv)
{
    zoo_begin(argc, argv);
    for (int i = 0; i < 4; i++)
        if (zoo_fork() == 0) {
            (void)setpgid(0, 0);
            if (i == 3)
                zoo_ready();
            break;
        }
    zoo_rest();
}
