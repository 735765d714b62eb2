/* Traces its child, which is stopped by that, and does not let it go. */
#include <sys/ptrace.h>

#include "tests/zoo/zoo.h"

int main(int argc, char **argv)
{
    zoo_begin(argc, argv);
    if (zoo_fork() == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP);
        zoo_rest();
    }
    (void)waitpid(-1, NULL, WUNTRACED);
    zoo_ready();
    zoo_rest();
}
