/* Sleeps so that it looks as if nothing could kill it: in `D` state, with signals blocked. */
#include "tests/zoo/zoo.h"

int main(int argc, char **argv)
{
    sigset_t all;

    zoo_begin(argc, argv);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    if (vfork() == 0) {
        zoo_ready();
        zoo_rest();
    }
    zoo_rest();
}
