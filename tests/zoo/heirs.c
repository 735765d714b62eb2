/* Children that outlive each other: whoever gets SIGTERM first forks somebody who did not. */
#include "tests/zoo/zoo.h"

static void on_term(int sig)
{
    (void)sig;
    if (fork() == 0)
        (void)setsid();
}

int main(int argc, char **argv)
{
    zoo_begin(argc, argv);
    (void)sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
    for (int i = 0; i < 3; i++)
        if (zoo_fork() == 0) {
            if (i == 2)
                zoo_ready();
            zoo_rest();
        }
    zoo_rest();
}
