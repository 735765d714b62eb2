#include "handlers/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/output.h"

#define CHUNK_BYTES ((size_t)64 * 1024)

/* -- finding it -----------------------------------------------------------------------------
 */

static int open_file(const struct service *sv, const struct job *job, enum stream stream,
                     struct kept_output *o, struct errinfo *e)
{
    int64_t bytes;
    int r;

    r = output_open(sv->data_dir, job->id, job->attempt, stream, &o->fd, &bytes, e);
    if (r < 0)
        return r;
    o->bytes = (uint64_t)bytes;
    return 0;
}

/* The attempt has a record: what it says is all there will ever be. */
static int from_record(const struct service *sv, const struct job *job, enum stream stream,
                       struct capture *take_capture, struct kept_output *o, struct errinfo *e)
{
    uint64_t kept = (uint64_t)take_capture->kept_bytes;
    int r;

    o->complete = true;
    o->truncated = take_capture->total_bytes > take_capture->kept_bytes;
    if (!take_capture->spilled) {
        o->data = TAKE(take_capture->data);
        o->bytes = o->data ? kept : 0;
        return 0;
    }
    r = open_file(sv, job, stream, o, e);
    if (r < 0)
        return r;
    if (o->bytes > kept)
        o->bytes = kept;
    return 0;
}

/* No record: it runs, or waits to run. A short or quiet attempt has no file. */
static int from_running(const struct service *sv, const struct job *job, enum stream stream,
                        struct kept_output *o, struct errinfo *e)
{
    int r;

    o->complete = job_state_is_final(job->state);
    if (job->attempt == 0)
        return 0;
    r = open_file(sv, job, stream, o, e);
    return r == ERR_NOT_FOUND ? 0 : r;
}

int kept_output_read(const struct service *sv, struct store_reader *rd, const struct job *job,
                     enum stream stream, struct kept_output *ret_output, struct errinfo *e)
{
    struct capture capture = { 0 };
    int r;

    *ret_output = (struct kept_output){ .fd = -1 };
    if (job->attempt == 0)
        return from_running(sv, job, stream, ret_output, e);
    r = store_read_capture(rd, job->id, job->attempt, stream, &capture, e);
    if (r == ERR_LOG_NOT_FOUND)
        return from_running(sv, job, stream, ret_output, e);
    if (r < 0)
        return r;
    return from_record(sv, job, stream, &capture, ret_output, e);
}

void kept_output_fini(struct kept_output *o)
{
    free(o->data);
    o->data = NULL;
    fd_fini(&o->fd);
}

/* -- is it text? ----------------------------------------------------------------------------
 */

/* How many of these bytes are whole valid sequences. */
static size_t utf8_prefix(const char *data, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t n = (unsigned char)data[at] < 0x80 ? 1 : text_utf8_len(data + at, len - at);

        if (n == 0)
            break;
        at += n;
    }
    return at;
}

/* A sequence may be cut by the end of a chunk: its beginning is carried over to the next. */
static int file_is_utf8(const struct kept_output *o, bool *ret_is, struct errinfo *e)
{
    AUTO(mem) char *chunk = mem_new0(CHUNK_BYTES);
    uint64_t offset = 0;
    size_t carried = 0;

    while (offset < o->bytes) {
        uint64_t left = o->bytes - offset;
        size_t want = CHUNK_BYTES - carried;
        ssize_t n;
        size_t valid;

        if (want > left)
            want = (size_t)left;
        n = pread(o->fd, chunk + carried, want, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "read kept output");
        if (n == 0)
            break;
        offset += (uint64_t)n;
        carried += (size_t)n;
        valid = utf8_prefix(chunk, carried);
        carried -= valid;
        if (carried > 3) /* more than the beginning of a sequence */
            break;
        memmove(chunk, chunk + valid, carried);
    }
    *ret_is = carried == 0;
    return 0;
}

int kept_output_is_utf8(const struct kept_output *o, bool *ret_is, struct errinfo *e)
{
    if (o->fd >= 0)
        return file_is_utf8(o, ret_is, e);
    *ret_is = !o->data || utf8_prefix(o->data, (size_t)o->bytes) == o->bytes;
    return 0;
}

/* -- answering ------------------------------------------------------------------------------
 */

int kept_output_reply(struct kept_output *o, struct http_resp *rs, int status,
                      const char *content_type, uint64_t offset, uint64_t len)
{
    if (o->fd >= 0)
        return http_reply_file(rs, status, content_type, fd_take(&o->fd), offset, len);
    if (!o->data)
        return http_reply_static(rs, status, content_type, "", 0);
    if (offset > 0)
        return http_reply_bytes(rs, status, content_type,
                                mem_dup(o->data + offset, (size_t)len), (size_t)len);
    return http_reply_bytes(rs, status, content_type, TAKE(o->data), (size_t)len);
}
