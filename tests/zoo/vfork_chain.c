/* Each one executes the next and waits for it inside vfork(2): in `D` state, all but the last.
 */
#include "tests/zoo/zoo.h"

#define LINKS 5

int main(int argc, char **argv)
{
    char depth[16];
    int n = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0;
    char *next[] = { argv[0], argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL, depth,
                     NULL };

    zoo_begin(argc, argv);
    (void)snprintf(depth, sizeof depth, "%d", n + 1);
    if (n < LINKS && vfork() == 0) {
        (void)execv("/proc/self/exe", next);
        _exit(127);
    }
    if (n == LINKS)
        zoo_ready();
    if (n == LINKS - 1 && vfork() == 0)
        for (;;)
            (void)pause(); /* without exec: the parent cannot go on */
    zoo_rest();
}
