/* Doubles and doubles, and replaces whoever dies, up to a number that the machine can bear. */
#include <stdatomic.h>
#include <sys/mman.h>

#include "tests/zoo/zoo.h"

#define FORKS_MAX 200

int main(int argc, char **argv)
{
    atomic_int *forks =
        mmap(NULL, sizeof *forks, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    zoo_begin(argc, argv);
    if (forks == MAP_FAILED)
        return 71;
    while (atomic_fetch_add(forks, 1) < FORKS_MAX) {
        (void)fork(); /* where a limit refuses it, go on trying */
        if (atomic_load(forks) > FORKS_MAX / 4)
            zoo_ready();
    }
    zoo_rest();
}
