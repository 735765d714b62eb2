#include "pool/tree_remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/fd.h"

struct job {
    int top_fd; /* borrowed */
    usec_t deadline_us;
    uint64_t moved; /* makes names that no earlier call has made */
    bool progress;  /* something has gone, or has come up */
};

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool is_late(const struct job *j)
{
    return clock_mono_us() >= j->deadline_us;
}

/* Of a directory whose owner has locked himself out. */
static bool unlock(int dir_fd, const char *name)
{
    return errno == EACCES && fchmodat(dir_fd, name, 0700, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A stream of its own: readdir() is safe. NULL: it cannot be read. */
static DIR *open_stream(int dir_fd, const char *name)
{
    int fd = beneath_open_dir(dir_fd, name);
    DIR *stream;

    if (fd < 0 && unlock(dir_fd, name))
        fd = beneath_open_dir(dir_fd, name);
    if (fd < 0)
        return NULL;
    stream = fdopendir(fd);
    if (!stream)
        fd_fini(&fd);
    return stream;
}

/* A directory that is not empty: let somebody take it from the top later. */
static bool move_up(struct job *j, int dir_fd, const char *name)
{
    char new_name[64];

    (void)snprintf(new_name, sizeof new_name, "deep.%d.%llu", getpid(),
                   (unsigned long long)j->moved++);
    if (renameat(dir_fd, name, j->top_fd, new_name) == 0)
        return true;
    /* Its ".." is to be written, so it must be writable, too. */
    return unlock(dir_fd, name) && renameat(dir_fd, name, j->top_fd, new_name) == 0;
}

/* Of a directory below the top. */
static void remove_one(struct job *j, int dir_fd, const char *name)
{
    if (unlinkat(dir_fd, name, 0) == 0 || unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 ||
        errno == ENOENT || move_up(j, dir_fd, name) || errno == ENOENT)
        j->progress = true;
}

/* A directory at the top, with all that is in it. */
static void remove_content(struct job *j, const char *name)
{
    DIR *stream = open_stream(j->top_fd, name);
    const struct dirent *entry;

    if (!stream) {
        j->progress |= errno == ENOENT; /* another process was faster */
        return;
    }
    (void)fchmod(dirfd(stream), 0700); /* or nothing can be taken out of it */
    while (!is_late(j) &&
           (entry = readdir(stream)) != NULL) /* NOLINT(concurrency-mt-unsafe): own stream */
        if (!is_dots(entry->d_name))
            remove_one(j, dirfd(stream), entry->d_name);
    (void)closedir(stream);
    if (unlinkat(j->top_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        j->progress = true;
}

static void remove_at_top(struct job *j, const char *name)
{
    if (unlinkat(j->top_fd, name, 0) == 0 || unlinkat(j->top_fd, name, AT_REMOVEDIR) == 0 ||
        errno == ENOENT)
        j->progress = true;
    else if (errno == ENOTEMPTY || errno == EEXIST)
        remove_content(j, name);
}

/* False: there is nothing. */
static bool pass(struct job *j)
{
    DIR *stream = open_stream(j->top_fd, ".");
    const struct dirent *entry;
    bool found = false;

    if (!stream)
        return false;
    while (!is_late(j) &&
           (entry = readdir(stream)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own stream */
        if (is_dots(entry->d_name))
            continue;
        found = true;
        remove_at_top(j, entry->d_name);
    }
    (void)closedir(stream);
    return found;
}

enum removal tree_remove_some(int dir_fd, usec_t deadline_us)
{
    struct job j = { .top_fd = dir_fd,
                     .deadline_us = deadline_us,
                     .moved = (uint64_t)clock_mono_us() };

    for (;;) {
        j.progress = false;
        if (is_late(&j))
            return REMOVAL_MORE;
        if (!pass(&j))
            return is_late(&j) ? REMOVAL_MORE : REMOVAL_DONE;
        if (!j.progress && !is_late(&j))
            return REMOVAL_STUCK;
    }
}
