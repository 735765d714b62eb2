/* The first thread has ended; others go on. In /proc such a process looks like a zombie. */
#include <pthread.h>

#include "tests/zoo/zoo.h"

static void *run(void *last)
{
    if (last)
        zoo_ready();
    zoo_rest();
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;

    zoo_begin(argc, argv);
    for (int i = 0; i < 4; i++)
        if (pthread_create(&thread, NULL, run, i == 3 ? argv : NULL) != 0)
            return 71;
    pthread_exit(NULL);
}
