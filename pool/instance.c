#include "pool/instance.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/random.h"
#include "base/text.h"
#include "pool/paths.h"

static int make(const char *path, char ret_id[INSTANCE_SIZE], struct errinfo *e)
{
    char text[INSTANCE_SIZE + 1];
    int r;

    (void)snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64 "\n", random_u64(),
                   random_u64());
    r = fd_write_file_atomic(path, 0600, text, strlen(text), e);
    if (r == 0)
        (void)text_copy(ret_id, INSTANCE_SIZE, text); /* without the newline */
    return r;
}

int instance_load(const char *data_dir, char ret_id[INSTANCE_SIZE], struct errinfo *e)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    char path[PATHS_SIZE];
    int r;

    r = fd_read_file(paths_instance(data_dir, path), INSTANCE_SIZE, &b, e);
    if (r == ERR_NOT_FOUND)
        return make(path, ret_id, e);
    if (r < 0 && r != ERR_CONTENT_TOO_LARGE)
        return r;
    if (r < 0 || b.len != INSTANCE_SIZE || b.data[INSTANCE_SIZE - 1] != '\n' ||
        strspn(b.data, "0123456789abcdef") != INSTANCE_SIZE - 1)
        return err_set(e, ERR_CONFIG,
                       "%s does not hold 32 hexadecimal digits: remove it once no process of"
                       " a job is left",
                       path);
    (void)text_copy(ret_id, INSTANCE_SIZE, b.data);
    return 0;
}

void instance_mark_environment(const char *id, int64_t worker_id)
{
    char number[24];

    (void)snprintf(number, sizeof number, "%" PRId64, worker_id);
    /* NOLINTBEGIN(concurrency-mt-unsafe): a worker has one thread */
    (void)setenv("JOBD_INSTANCE", id, 1);   /* fails only for want of memory: then it is */
    (void)setenv("JOBD_WORKER", number, 1); /* found by its descent alone */
    /* NOLINTEND(concurrency-mt-unsafe) */
}
