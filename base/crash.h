/* base/crash.h - named points at which a process of jobd can be made to die, as by SIGKILL, in
 * a test.
 *
 * JOBD_CRASH_POINT=name:n in the environment of jobd makes whichever of its processes comes to
 * the point of that name for the n-th time, counted over all of them, die there; once. Without
 * the variable a point costs one test of a flag. tests/torture/ knows the names. Any process,
 * any thread.
 */
#ifndef JOBD_BASE_CRASH_H
#define JOBD_BASE_CRASH_H

#include <stdbool.h>

/* Read the environment. Call before the first fork. */
void crash_init(void);

extern bool crash_armed; /* only crash_init() writes it */
void crash_hit(const char *name);

static inline void crash_point(const char *name)
{
    if (crash_armed)
        crash_hit(name);
}

#endif
