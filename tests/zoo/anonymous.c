/* Wipes its arguments and its environment, and leaves its session: only its name is left. */
#include "tests/zoo/zoo.h"

extern char **environ;

int main(int argc, char **argv)
{
    zoo_begin(argc, argv);
    if (zoo_fork() == 0) {
        (void)setsid();
        zoo_ready();
        for (char **e = environ; *e; e++)
            memset(*e, 0, strlen(*e));
        for (int i = 0; i < argc; i++)
            memset(argv[i], 0, strlen(argv[i]));
    }
    zoo_rest();
}
