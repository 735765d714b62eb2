#include "pool/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"

#define MAGIC "jobdout1"

/* As it lies in the file, in the order of bytes of this machine. */
struct header {
    char magic[8];
    int64_t head_max;
    int64_t tail_max;
    int64_t written; /* these two: 0 until the ring is full */
    int64_t reserved;
    char zeros[OUTPUT_FILE_HEADER_BYTES - 40];
};
_Static_assert(sizeof(struct header) == OUTPUT_FILE_HEADER_BYTES, "the header has gaps");

void output_file_fini(struct output_file *f)
{
    fd_fini(&f->fd);
}

/* ---- writing ------------------------------------------------------------------------------
 */

static int write_at(int fd, off_t at, const void *block, size_t len, struct errinfo *e)
{
    if (lseek(fd, at, SEEK_SET) < 0)
        return err_sys(e, "lseek");
    return fd_write_all(fd, block, len, e);
}

int output_file_create(const char *path, struct kept kept, struct output_file *ret_file,
                       struct errinfo *e)
{
    struct header h = { .magic = MAGIC, .head_max = kept.head_max, .tail_max = kept.tail_max };
    struct output_file f = { .kept = kept };
    int r;

    f.fd = sys.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (f.fd < 0)
        return err_sys(e, "open %s", path);
    r = fd_write_all(f.fd, &h, sizeof h, e);
    if (r < 0) {
        output_file_fini(&f);
        (void)unlink(path);
        return r;
    }
    *ret_file = f;
    return 0;
}

static int write_progress(const struct output_file *f, int64_t reserved, struct errinfo *e)
{
    const int64_t values[] = { f->written, reserved };

    return write_at(f->fd, offsetof(struct header, written), values, sizeof values, e);
}

/* A piece that lies in one piece in the file. */
static int append_run(struct output_file *f, const char *block, size_t len, struct errinfo *e)
{
    off_t place = OUTPUT_FILE_HEADER_BYTES + (off_t)kept_place(f->kept, f->written);
    off_t end;
    int r;

    r = write_at(f->fd, place, block, len, e);
    if (r == 0) {
        f->written += (int64_t)len;
        return 0;
    }
    end = lseek(f->fd, 0, SEEK_CUR); /* a failed write may have written a part */
    if (end > place)
        f->written += end - place;
    return r;
}

static int append_pieces(struct output_file *f, const char *block, size_t len,
                         struct errinfo *e)
{
    while (len > 0) {
        int64_t run = kept_run(f->kept, f->written);
        size_t n = (int64_t)len < run ? len : (size_t)run;
        int r;

        r = append_run(f, block, n, e);
        if (r < 0)
            return r;
        block += n;
        len -= n;
    }
    return 0;
}

/* What the same block would overwrite again is not written at all. */
static size_t useless_bytes(const struct output_file *f, size_t len)
{
    if (f->written < f->kept.head_max || (int64_t)len <= f->kept.tail_max)
        return 0;
    return len - (size_t)f->kept.tail_max;
}

static int append_to_ring(struct output_file *f, const char *block, size_t len,
                          struct errinfo *e)
{
    size_t skip = useless_bytes(f, len);
    struct errinfo ignored;
    int r;

    r = write_progress(f, f->written + (int64_t)len, e);
    if (r < 0)
        return r;
    f->written += (int64_t)skip;
    r = append_pieces(f, block + skip, len - skip, e);
    if (r < 0) {
        (void)write_progress(f, f->written, &ignored);
        return r;
    }
    return write_progress(f, f->written, e);
}

int output_file_append(struct output_file *f, const char *block, size_t len, struct errinfo *e)
{
    int64_t room = kept_max(f->kept) - f->written;
    int r = 0;

    if (room > 0) {
        size_t n = (int64_t)len < room ? len : (size_t)room;

        r = append_pieces(f, block, n, e);
        block += n;
        len -= n;
    }
    if (r < 0 || len == 0)
        return r;
    return append_to_ring(f, block, len, e);
}

int output_file_take(struct output_file *f, const char *laid_out, size_t len, int64_t written,
                     struct errinfo *e)
{
    int r;

    r = write_at(f->fd, OUTPUT_FILE_HEADER_BYTES, laid_out, len, e);
    if (r < 0)
        return r;
    f->written = written;
    return written > kept_max(f->kept) ? write_progress(f, written, e) : 0;
}

/* ---- reading ------------------------------------------------------------------------------
 */

static int read_header(int fd, struct header *ret_header, struct errinfo *e)
{
    ssize_t n = pread(fd, ret_header, sizeof *ret_header, 0);

    if (n < 0)
        return err_sys(e, "read the header of kept output");
    if (n < (ssize_t)sizeof *ret_header)
        return err_set(e, ERR_NOT_FOUND, "the file of kept output is not there yet");
    if (memcmp(ret_header->magic, MAGIC, 8) != 0 || ret_header->head_max < 0 ||
        ret_header->tail_max < 0 || ret_header->head_max < ret_header->tail_max)
        return err_set(e, ERR_INTERNAL, "the file of kept output is damaged");
    return 0;
}

int output_file_refresh(struct output_file *f, struct errinfo *e)
{
    struct header h;
    struct stat st;
    int64_t size;
    int r;

    if (fstat(f->fd, &st) < 0)
        return err_sys(e, "fstat kept output");
    size = (int64_t)st.st_size - OUTPUT_FILE_HEADER_BYTES;
    if (size < kept_max(f->kept)) {
        f->written = size > 0 ? size : 0;
        f->tail_at = kept_tail_start(f->kept, f->written);
        return 0;
    }
    r = read_header(f->fd, &h, e);
    if (r < 0)
        return r;
    f->written = h.written > size ? h.written : size;
    f->tail_at = kept_tail_start(f->kept, h.reserved > f->written ? h.reserved : f->written);
    if (f->tail_at > f->written) /* the writer is about to fill the whole ring */
        f->tail_at = f->written;
    return 0;
}

int output_file_open(const char *path, struct output_file *ret_file, struct errinfo *e)
{
    AUTO_FINI(output_file) struct output_file f = { .fd = -1 };
    struct header h;
    int r;

    f.fd = sys.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    if (f.fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "%s does not exist", path);
    if (f.fd < 0)
        return err_sys(e, "open %s", path);
    r = read_header(f.fd, &h, e);
    if (r < 0)
        return r;
    f.kept = (struct kept){ h.head_max, h.tail_max };
    r = output_file_refresh(&f, e);
    if (r < 0)
        return r;
    *ret_file = f;
    f.fd = -1;
    return 0;
}

ssize_t output_file_read(const struct output_file *f, int64_t pos, char *block, size_t room,
                         struct errinfo *e)
{
    int64_t run = kept_run(f->kept, pos);
    struct header h;
    ssize_t n;
    int r;

    if (run > f->written - pos)
        run = f->written - pos;
    if ((int64_t)room > run)
        room = (size_t)run;
    do
        n = pread(f->fd, block, room,
                  OUTPUT_FILE_HEADER_BYTES + (off_t)kept_place(f->kept, pos));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(e, "read kept output");
    if (n == 0)
        return err_set(e, ERR_INTERNAL, "the file of kept output is too short");
    if (pos < f->kept.head_max)
        return n;
    r = read_header(f->fd, &h, e);
    if (r < 0)
        return r;
    return pos >= kept_tail_start(f->kept, h.reserved) ? n : 0;
}
