#include "pool/spool.h"

#include <unistd.h>

#include "base/fd.h"
#include "pool/paths.h"
#include "pool/proto.h"

int spool_write(const char *data_dir, const struct outcome *o, struct errinfo *e)
{
    char path[PATHS_SIZE];
    AUTO_FINI(buf) struct buf frame = { 0 };

    proto_put_outcome(&frame, o);
    return fd_write_file_atomic(paths_outcome(data_dir, o->job_id, o->attempt, path), 0600,
                                frame.data, frame.len, e);
}

int spool_read(const char *data_dir, struct uuid7 job_id, int attempt,
               struct outcome *ret_outcome, struct errinfo *e)
{
    char path[PATHS_SIZE];
    AUTO_FINI(buf) struct buf frame = { 0 };
    AUTO_FINI(outcome) struct outcome o = { 0 };
    enum proto_type type;
    const char *body;
    size_t body_len;
    int r;

    r = fd_read_file(paths_outcome(data_dir, job_id, attempt, path), PROTO_FRAME_MAX + 4,
                     &frame, e);
    if (r == ERR_CONTENT_TOO_LARGE)
        return err_set(e, ERR_PROTOCOL, "%s is larger than a frame", path);
    if (r < 0)
        return r;
    r = proto_next(&frame, &type, &body, &body_len, e);
    if (r < 0)
        return r;
    if (r == 0 || (size_t)r != frame.len || type != PROTO_OUTCOME)
        return err_set(e, ERR_PROTOCOL, "%s is not one whole outcome", path);
    r = proto_get_outcome(body, body_len, &o, e);
    if (r < 0)
        return r;
    if (!uuid7_equal(o.job_id, job_id) || o.attempt != attempt)
        return err_set(e, ERR_PROTOCOL, "%s is the outcome of another attempt", path);
    *ret_outcome = o;
    o = (struct outcome){ 0 };
    return 0;
}

void spool_remove(const char *data_dir, struct uuid7 job_id, int attempt)
{
    char path[PATHS_SIZE];

    /* A file that stays is read again later, and then it is of no attempt that runs: no harm.
     */
    (void)unlink(paths_outcome(data_dir, job_id, attempt, path));
}
