#include "pool/paths.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"

#define DIR_MODE 0700 /* what jobs read and write is nobody else's business */

__attribute__((format(printf, 2, 3))) static char *make(char room[PATHS_SIZE],
                                                        const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(room, PATHS_SIZE, format, args);
    va_end(args);
    assert(n > 0 && n < PATHS_SIZE); /* paths_prepare() checked the directory's length */
    return room;
}

char *paths_lock(const char *data_dir, char room[PATHS_SIZE])
{
    return make(room, "%s/jobd.lock", data_dir);
}

char *paths_instance(const char *data_dir, char room[PATHS_SIZE])
{
    return make(room, "%s/instance", data_dir);
}

char *paths_token_key(const char *data_dir, char room[PATHS_SIZE])
{
    return make(room, "%s/token.key", data_dir);
}

char *paths_pid(const char *data_dir, char room[PATHS_SIZE])
{
    return make(room, "%s/run/jobd.pid", data_dir);
}

char *paths_listen(const char *data_dir, char room[PATHS_SIZE])
{
    return make(room, "%s/run/listen", data_dir);
}

char *paths_front_socket(const char *data_dir, char room[PATHS_SIZE])
{
    return make(room, "%s/run/front.sock", data_dir);
}

char *paths_detached(const char *data_dir, char room[PATHS_SIZE])
{
    return make(room, "%s/run/detached", data_dir);
}

char *paths_worker_dir(const char *data_dir, char room[PATHS_SIZE])
{
    return make(room, "%s/run/workers", data_dir);
}

char *paths_worker(const char *data_dir, int64_t worker_id, char room[PATHS_SIZE])
{
    return make(room, "%s/run/workers/%" PRId64, data_dir, worker_id);
}

char *paths_begun_dir(const char *data_dir, char room[PATHS_SIZE])
{
    return make(room, "%s/run/begun", data_dir);
}

char *paths_begun(const char *data_dir, int64_t worker_id, char room[PATHS_SIZE])
{
    return make(room, "%s/run/begun/%" PRId64, data_dir, worker_id);
}

char *paths_outcome_dir(const char *data_dir, char room[PATHS_SIZE])
{
    return make(room, "%s/run/outcomes", data_dir);
}

char *paths_outcome(const char *data_dir, struct uuid7 id, int attempt, char room[PATHS_SIZE])
{
    char text[UUID7_TEXT_SIZE];

    return make(room, "%s/run/outcomes/%s.%d", data_dir, uuid7_format(id, text), attempt);
}

char *paths_output_dir(const char *data_dir, char room[PATHS_SIZE])
{
    return make(room, "%s/output", data_dir);
}

char *paths_output(const char *data_dir, struct uuid7 id, int attempt, enum stream stream,
                   char room[PATHS_SIZE])
{
    char text[UUID7_TEXT_SIZE];

    return make(room, "%s/output/%s.%d.%s", data_dir, uuid7_format(id, text), attempt,
                stream_name(stream));
}

char *paths_work_dir(const char *data_dir, char room[PATHS_SIZE])
{
    return make(room, "%s/work", data_dir);
}

char *paths_trash_dir(const char *data_dir, char room[PATHS_SIZE])
{
    return make(room, "%s/trash", data_dir);
}

char *paths_artifacts_dir(const char *data_dir, char room[PATHS_SIZE])
{
    return make(room, "%s/artifacts", data_dir);
}

int paths_output_parse(const char *base_name, struct uuid7 *ret_id, int *ret_attempt,
                       enum stream *ret_stream)
{
    char part[UUID7_TEXT_SIZE];
    const char *attempt_text, *dot;
    struct uuid7 id;
    int64_t attempt;
    int stream;

    attempt_text = strchr(base_name, '.');
    if (!attempt_text || attempt_text - base_name >= UUID7_TEXT_SIZE)
        return -1;
    (void)text_copy(part, (size_t)(attempt_text - base_name) + 1, base_name);
    if (!uuid7_parse(part, &id))
        return -1;
    attempt_text++;
    dot = strchr(attempt_text, '.');
    if (!dot || dot - attempt_text >= UUID7_TEXT_SIZE)
        return -1;
    (void)text_copy(part, (size_t)(dot - attempt_text) + 1, attempt_text);
    if (!text_to_i64(part, 1, INT32_MAX, &attempt))
        return -1;
    stream = stream_parse(dot + 1);
    if (stream < 0)
        return -1;
    *ret_id = id;
    *ret_attempt = (int)attempt;
    *ret_stream = (enum stream)stream;
    return 0;
}

int paths_prepare(const char *data_dir, struct errinfo *e)
{
    static char *(*const dirs[])(const char *, char *) = {
        paths_outcome_dir, paths_worker_dir, paths_begun_dir,     paths_output_dir,
        paths_work_dir,    paths_trash_dir,  paths_artifacts_dir,
    };
    char room[PATHS_SIZE];

    if (*data_dir == '\0')
        return err_set(e, ERR_CONFIG, "the data directory has no name");
    if (strlen(data_dir) > PATHS_DIR_MAX)
        return err_set(e, ERR_CONFIG, "the name of the data directory has more than %d bytes",
                       PATHS_DIR_MAX);
    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        int r = fd_make_dirs(dirs[i](data_dir, room), DIR_MODE, e);

        if (r < 0)
            return r;
    }
    return 0;
}
