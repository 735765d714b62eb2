#include "engine/discard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "pool/paths.h"

#define NAME_SIZE 96

static int open_dir(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* What an attempt may have left in artifacts/ and in output/. */
static const char *const artifact_suffixes[] = { "", ".left_out" };

static char *name_of(struct uuid7 job_id, int attempt, const char *suffix, char room[NAME_SIZE])
{
    char id[UUID7_TEXT_SIZE];

    (void)snprintf(room, NAME_SIZE, "%s.%d%s", uuid7_format(job_id, id), attempt, suffix);
    return room;
}

bool discard_has_artifacts(const char *data_dir, struct uuid7 job_id, int attempts)
{
    char path[PATHS_SIZE], name[NAME_SIZE];
    AUTO_FINI(fd) int dir = -1;
    struct stat st;

    if (attempts == 0)
        return false;
    dir = open_dir(paths_artifacts_dir(data_dir, path));
    if (dir < 0)
        return true; /* it cannot be told: look again when they are to go */
    for (int n = 1; n <= attempts; n++)
        for (size_t i = 0; i < COUNT_OF(artifact_suffixes); i++)
            if (fstatat(dir, name_of(job_id, n, artifact_suffixes[i], name), &st,
                        AT_SYMLINK_NOFOLLOW) == 0 ||
                errno != ENOENT)
                return true;
    return false;
}

/* Names in the trash must differ, and nobody looks at them. */
static int throw_away(int dir, const char *name, int trash)
{
    char new_name[NAME_SIZE + 32];

    if (renameat(dir, name, trash, name) == 0 || errno == ENOENT)
        return 0;
    (void)snprintf(new_name, sizeof new_name, "%s.%lld", name, (long long)clock_mono_us());
    return renameat(dir, name, trash, new_name);
}

static int throw_attempt_away(int artifacts, int output, int trash, struct uuid7 job_id, int n)
{
    static const char *const streams[] = { ".stdout", ".stderr" };
    char name[NAME_SIZE];
    int r = 0;

    for (size_t i = 0; i < COUNT_OF(artifact_suffixes); i++)
        r |= throw_away(artifacts, name_of(job_id, n, artifact_suffixes[i], name), trash);
    for (size_t i = 0; i < COUNT_OF(streams); i++)
        r |= throw_away(output, name_of(job_id, n, streams[i], name), trash);
    return r;
}

int discard_files(const char *data_dir, struct uuid7 job_id, int attempts, struct errinfo *e)
{
    char path[PATHS_SIZE];
    AUTO_FINI(fd) int artifacts = open_dir(paths_artifacts_dir(data_dir, path));
    AUTO_FINI(fd) int output = open_dir(paths_output_dir(data_dir, path));
    AUTO_FINI(fd) int trash = open_dir(paths_trash_dir(data_dir, path));

    if (artifacts < 0 || output < 0 || trash < 0)
        return err_sys(e, "open the directories of a removed job's files");
    for (int n = 1; n <= attempts; n++)
        if (throw_attempt_away(artifacts, output, trash, job_id, n) < 0)
            return err_sys(e, "remove the files of a removed job");
    return 0;
}

int discard_sync(const char *data_dir, struct errinfo *e)
{
    char path[PATHS_SIZE];
    AUTO_FINI(fd) int artifacts = open_dir(paths_artifacts_dir(data_dir, path));
    AUTO_FINI(fd) int output = open_dir(paths_output_dir(data_dir, path));

    if (artifacts < 0 || output < 0 || fsync(artifacts) < 0 || fsync(output) < 0)
        return err_sys(e, "sync the directories of removed files");
    return 0;
}
