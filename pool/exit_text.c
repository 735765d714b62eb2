#include "pool/exit_text.h"

#include <string.h>
#include <sys/wait.h>

#include "base/mem.h"

char *exit_text(int wait_status)
{
    const char *name;
    int sig;

    if (WIFEXITED(wait_status))
        return mem_printf("exited with code %d", WEXITSTATUS(wait_status));
    sig = WTERMSIG(wait_status);
    name = sigabbrev_np(sig);
    if (!name) /* a real-time signal */
        return mem_printf("was killed by signal %d", sig);
    return mem_printf("was killed by signal %d (%s)", sig, name);
}
