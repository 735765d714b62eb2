#include "pool/recorder.h"

#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sys.h"
#include "pool/paths.h"

void recorder_init(struct recorder *r, const char *data_dir, struct uuid7 job_id, int attempt,
                   enum stream stream, int64_t max_bytes)
{
    *r = (struct recorder){
        .data_dir = data_dir,
        .job_id = job_id,
        .attempt = attempt,
        .stream = stream,
        .kept = kept_of(max_bytes),
        .file = { .fd = -1 },
    };
}

static char *file_path(const struct recorder *r, char room[PATHS_SIZE])
{
    return paths_output(r->data_dir, r->job_id, r->attempt, r->stream, room);
}

/* The disk failed: keep what is there and nothing more. */
static void give_up(struct recorder *r, const struct errinfo *e)
{
    char id[UUID7_TEXT_SIZE];

    r->broken = true;
    log_warn("output.lost", LSTR("job_id", uuid7_format(r->job_id, id)),
             LI64("attempt", r->attempt), LSTR("stream", stream_name(r->stream)),
             LI64("kept_bytes", kept_bytes(r->kept, r->written)), LSTR("reason", e->text));
}

/* ---- in memory ----------------------------------------------------------------------------
 */

/* The bytes lie where they would lie in the file. */
static void remember(struct recorder *r, const char *block, size_t len)
{
    while (len > 0) {
        int64_t run = r->written < kept_max(r->kept) || r->kept.tail_max > 0
                          ? kept_run(r->kept, r->written)
                          : (int64_t)len; /* there is no ring */
        size_t n = (int64_t)len < run ? len : (size_t)run;

        if (r->written < kept_max(r->kept))
            buf_add(&r->memory, block, n);
        else if (r->kept.tail_max > 0)
            memcpy(r->memory.data + kept_place(r->kept, r->written), block, n);
        r->written += (int64_t)n;
        block += n;
        len -= n;
    }
}

/* Head and tail in the order of the stream. */
static char *steal_memory(struct recorder *r)
{
    size_t head = (size_t)kept_head_end(r->kept, r->written);
    size_t tail = r->memory.len - head;
    size_t first; /* where in the ring the tail begins */
    char *turned;

    if (r->written <= kept_max(r->kept) || tail == 0)
        return buf_steal(&r->memory);
    first = (size_t)(kept_place(r->kept, kept_tail_start(r->kept, r->written))) - head;
    turned = mem_new0(r->memory.len + 1);
    memcpy(turned, r->memory.data, head);
    memcpy(turned + head, r->memory.data + head + first, tail - first);
    memcpy(turned + head + tail - first, r->memory.data + head, first);
    return turned;
}

/* ---- in the file --------------------------------------------------------------------------
 */

static int open_file(struct recorder *r, struct errinfo *e)
{
    char path[PATHS_SIZE];

    if (r->file.fd >= 0)
        return 0;
    return output_file_create(file_path(r, path), r->kept, &r->file, e);
}

static void drop_file(struct recorder *r)
{
    char path[PATHS_SIZE];

    if (r->file.fd >= 0)
        (void)unlink(file_path(r, path));
    output_file_fini(&r->file);
}

/* Move what is in memory to the file. When that fails it stays where it is. */
static int spill(struct recorder *r, struct errinfo *e)
{
    int result = 0;

    if (r->memory.len > 0)
        result = open_file(r, e);
    if (result == 0 && r->memory.len > 0)
        result = output_file_take(&r->file, r->memory.data, r->memory.len, r->written, e);
    if (result < 0) {
        drop_file(r);
        return result;
    }
    buf_clear(&r->memory);
    r->to_file = true;
    return 0;
}

void recorder_spill(struct recorder *r)
{
    struct errinfo e;

    if (!r->to_file && !r->broken)
        (void)spill(r, &e); /* memory will do for a while, and then it is tried again */
}

static int write_file(struct recorder *r, const char *block, size_t len, struct errinfo *e)
{
    int result = open_file(r, e);

    if (result < 0)
        return result;
    result = output_file_append(&r->file, block, len, e);
    r->written = r->file.written;
    return result;
}

/* ---- both ---------------------------------------------------------------------------------
 */

static bool fits_memory(const struct recorder *r)
{
    return kept_bytes(r->kept, r->total_bytes) <= RECORDER_INLINE_MAX;
}

void recorder_add(struct recorder *r, const void *block, size_t len)
{
    struct errinfo e = { 0 };
    int result = 0;

    r->total_bytes += (int64_t)len;
    if (len == 0 || r->broken)
        return;
    if (!r->to_file && !fits_memory(r))
        result = spill(r, &e);
    if (r->to_file && kept_max(r->kept) > 0) {
        result = write_file(r, block, len, &e);
        if (result == 0)
            return;
        if (r->written == 0 && fits_memory(r)) { /* nothing is in it yet: back to memory */
            drop_file(r);
            r->to_file = false;
            result = 0;
        }
    }
    if (result < 0)
        give_up(r, &e);
    else
        remember(r, block, len);
}

static int sync_file(struct recorder *r, struct errinfo *e)
{
    char path[PATHS_SIZE];

    if (sys.fsync(r->file.fd) < 0)
        return err_sys(e, "fsync %s", file_path(r, path));
    return fd_sync_dir(paths_output_dir(r->data_dir, path), e); /* its name, too */
}

void recorder_finish(struct recorder *r, struct capture *ret_capture)
{
    struct errinfo e = { 0 };

    *ret_capture = (struct capture){
        .total_bytes = r->total_bytes,
        .kept_bytes = kept_bytes(r->kept, r->written),
        .head_bytes = r->written > kept_max(r->kept) ? r->kept.head_max : 0,
        .spilled = r->file.fd >= 0,
    };
    if (r->file.fd >= 0) {
        if (sync_file(r, &e) < 0)
            give_up(r, &e); /* it may be lost with the power, not before */
        output_file_fini(&r->file);
    } else if (r->memory.len > 0) {
        ret_capture->data = steal_memory(r);
    }
}

void recorder_fini(struct recorder *r)
{
    drop_file(r);
    buf_fini(&r->memory);
}
