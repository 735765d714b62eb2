#include "pool/recorder.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
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
        .max_bytes = max_bytes,
        .file_fd = -1,
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
             LI64("kept_bytes", r->kept_bytes), LSTR("reason", e->text));
}

static int write_file(struct recorder *r, const void *block, size_t len, struct errinfo *e)
{
    char path[PATHS_SIZE];

    if (r->file_fd < 0) {
        r->file_fd =
            sys.open(file_path(r, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (r->file_fd < 0)
            return err_sys(e, "open %s", path);
    }
    return fd_write_all(r->file_fd, block, len, e);
}

/* Where the file ends is what was really written: a failed write may have written a part. */
static void count_file(struct recorder *r)
{
    off_t end = r->file_fd >= 0 ? lseek(r->file_fd, 0, SEEK_CUR) : 0;

    r->kept_bytes = end > 0 ? end : 0;
}

/* Move the head to the file. When that fails the head stays, and is what is kept. */
static void move_head(struct recorder *r)
{
    struct errinfo e;
    char path[PATHS_SIZE];

    if (r->head.len == 0 || r->broken)
        return;
    if (write_file(r, r->head.data, r->head.len, &e) == 0) {
        buf_clear(&r->head);
        return;
    }
    give_up(r, &e);
    if (r->file_fd >= 0)
        (void)unlink(file_path(r, path)); /* a part; the whole is in memory */
    fd_fini(&r->file_fd);
}

void recorder_spill(struct recorder *r)
{
    if (r->to_file)
        return;
    r->to_file = true;
    move_head(r);
}

void recorder_add(struct recorder *r, const void *block, size_t len)
{
    struct errinfo e;
    int64_t room = r->max_bytes - r->kept_bytes;
    size_t keep = (int64_t)len < room ? len : (size_t)room;

    r->total_bytes += (int64_t)len;
    if (!r->to_file && !r->broken && r->head.len + keep > RECORDER_INLINE_MAX)
        recorder_spill(r);
    if (keep == 0 || r->broken)
        return;
    if (!r->to_file) {
        buf_add(&r->head, block, keep);
        r->kept_bytes += (int64_t)keep;
        return;
    }
    if (write_file(r, block, keep, &e) == 0) {
        r->kept_bytes += (int64_t)keep;
        return;
    }
    count_file(r);
    give_up(r, &e);
}

static int sync_file(struct recorder *r, struct errinfo *e)
{
    char path[PATHS_SIZE];

    if (sys.fsync(r->file_fd) < 0)
        return err_sys(e, "fsync %s", file_path(r, path));
    return fd_sync_dir(paths_output_dir(r->data_dir, path), e); /* its name, too */
}

void recorder_finish(struct recorder *r, struct capture *ret_capture)
{
    struct errinfo e;

    *ret_capture = (struct capture){
        .total_bytes = r->total_bytes,
        .kept_bytes = r->kept_bytes,
        .spilled = r->file_fd >= 0,
    };
    if (r->file_fd >= 0) {
        if (sync_file(r, &e) < 0)
            give_up(r, &e); /* it may be lost with the power, not before */
        fd_fini(&r->file_fd);
    } else if (r->head.len > 0) {
        ret_capture->data = buf_steal(&r->head);
    }
}

void recorder_fini(struct recorder *r)
{
    char path[PATHS_SIZE];

    if (r->file_fd >= 0)
        (void)unlink(file_path(r, path));
    fd_fini(&r->file_fd);
    buf_fini(&r->head);
}
