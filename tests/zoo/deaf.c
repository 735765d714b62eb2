/* Ignores every signal that can be ignored, and so does its child. */
#include "tests/zoo/zoo.h"

int main(int argc, char **argv)
{
    zoo_begin(argc, argv);
    for (int sig = 1; sig < NSIG; sig++)
        (void)sigaction(sig, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
    if (zoo_fork() == 0)
        zoo_ready();
    zoo_rest();
}
