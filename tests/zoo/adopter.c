/* Is a subreaper itself: its orphans never come to jobd while it lives. */
#include "tests/zoo/zoo.h"

int main(int argc, char **argv)
{
    zoo_begin(argc, argv);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    for (int i = 0; i < 3; i++)
        if (zoo_fork() == 0) {
            (void)setsid();
            if (zoo_fork() == 0) {
                if (i == 2)
                    zoo_ready();
                zoo_rest();
            }
            _exit(0);
        }
    zoo_rest();
}
