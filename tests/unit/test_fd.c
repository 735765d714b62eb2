#include "tests/support/test.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"

/* Each test runs in an empty directory of its own. */
static char home_dir[4096];
static char test_dir[64];

static int enter_dir(void **state)
{
    (void)state;
    (void)snprintf(test_dir, sizeof test_dir, "/tmp/jobd-test-fd-XXXXXX");
    return getcwd(home_dir, sizeof home_dir) && mkdtemp(test_dir) && chdir(test_dir) == 0 ? 0
                                                                                          : -1;
}

/* The names in a directory besides "." and ".."; with `remove`, they are gone afterwards. */
static int count_names(const char *path, bool remove)
{
    DIR *dir = opendir(path);
    const struct dirent *d;
    int count = 0;

    assert_non_null(dir);
    while ((d = readdir(dir))) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        count++;
        if (remove && unlinkat(dirfd(dir), d->d_name, 0) < 0) {
            AUTO(mem) char *inner = mem_printf("%s/%s", path, d->d_name);

            (void)count_names(inner, true);
            (void)rmdir(inner);
        }
    }
    (void)closedir(dir);
    return count;
}

static int leave_dir(void **state)
{
    (void)state;
    sys_reset();
    (void)count_names(test_dir, true);
    return chdir(home_dir) == 0 && rmdir(test_dir) == 0 ? 0 : -1;
}

static void assert_content(const char *path, const char *want)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    struct errinfo e = { 0 };

    assert_int_equal(fd_read_file(path, 1 << 20, &b, &e), 0);
    assert_string_equal(b.data, want);
}

/* ---- faults: the n-th call fails with this errno, or the call only gets so far ---------- */

static struct fault {
    int calls;   /* seen so far, of the call in question */
    int fail_at; /* 1 is the first one; 0 never */
    int error;
} fault;

static bool faulty(void)
{
    if (++fault.calls != fault.fail_at)
        return false;
    errno = fault.error;
    return true;
}

static int faulty_fsync(int fd)
{
    return faulty() ? -1 : fsync(fd);
}

static ssize_t faulty_write(int fd, const void *block, size_t len)
{
    return faulty() ? -1 : write(fd, block, len > 3 ? 3 : len);
}

static int faulty_open(const char *path, int flags, mode_t mode)
{
    return faulty() ? -1 : open(path, flags, mode);
}

static int faulty_rename(const char *from, const char *to)
{
    return faulty() ? -1 : rename(from, to);
}

static ssize_t write_nothing(int fd, const void *block, size_t len)
{
    (void)fd;
    (void)block;
    (void)len;
    return 0;
}

/* ---- descriptors ------------------------------------------------------------------------- */

static void a_descriptor_is_closed_at_the_end_of_its_scope(void **state)
{
    int seen;

    (void)state;
    {
        AUTO_FINI(fd) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        seen = fd;
        assert_true(seen >= 0);
    }
    assert_int_equal(fcntl(seen, F_GETFD), -1);
    assert_int_equal(errno, EBADF);
}

static void a_taken_descriptor_stays_open(void **state)
{
    int kept;

    (void)state;
    {
        AUTO_FINI(fd) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        kept = fd_take(&fd);
        assert_int_equal(fd, -1);
    }
    assert_true(fcntl(kept, F_GETFD) >= 0);
    fd_fini(&kept);
    assert_int_equal(kept, -1);
    errno = ENOENT;
    fd_fini(&kept);
    assert_int_equal(errno, ENOENT);
}

static void blocking_is_switched_and_nothing_else(void **state)
{
    AUTO_FINI(fd) int fd = open("f", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct errinfo e = { 0 };
    int before = fcntl(fd, F_GETFL);

    (void)state;
    assert_int_equal(fd_set_nonblocking(fd, true, &e), 0);
    assert_int_equal(fcntl(fd, F_GETFL), before | O_NONBLOCK);
    assert_int_equal(fd_set_nonblocking(fd, true, &e), 0);
    assert_int_equal(fcntl(fd, F_GETFL), before | O_NONBLOCK);
    assert_int_equal(fd_set_nonblocking(fd, false, &e), 0);
    assert_int_equal(fcntl(fd, F_GETFL), before);
    assert_int_equal(fd_set_nonblocking(-1, true, &e), ERR_SYS);
    assert_int_equal(e.sys_errno, EBADF);
}

/* ---- writing and reading ----------------------------------------------------------------- */

static void a_write_goes_on_after_short_and_interrupted_ones(void **state)
{
    AUTO_FINI(fd) int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct errinfo e = { 0 };

    (void)state;
    sys.write = faulty_write;
    fault = (struct fault){ .fail_at = 2, .error = EINTR };
    assert_int_equal(fd_write_all(fd, "0123456789", 10, &e), 0);
    assert_int_equal(fault.calls, 5);
    assert_content("f", "0123456789");
}

static void a_failed_write_is_reported_with_its_reason(void **state)
{
    AUTO_FINI(fd) int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct errinfo e = { 0 };

    (void)state;
    sys.write = faulty_write;
    fault = (struct fault){ .fail_at = 2, .error = ENOSPC };
    assert_int_equal(fd_write_all(fd, "0123456789", 10, &e), ERR_SYS);
    assert_int_equal(e.sys_errno, ENOSPC);
    assert_non_null(strstr(e.text, "No space left on device"));
    sys.write = write_nothing;
    assert_int_equal(fd_write_all(fd, "0123456789", 10, &e), ERR_SYS);
}

/* Around the limit and around the size of one read. */
static void reading_ends_at_the_end_or_at_the_limit(void **state)
{
    static const size_t sizes[] = { 0, 1, 2, 100, 16383, 16384, 16385, 40000 };
    static char bytes[40000];

    (void)state;
    memset(bytes, 'r', sizeof bytes);
    for (size_t s = 0; s < COUNT_OF(sizes); s++)
        for (size_t m = 0; m < COUNT_OF(sizes); m++) {
            AUTO_FINI(fd) int fd = open("f", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
            AUTO_FINI(buf) struct buf b = { 0 };
            struct errinfo e = { 0 };
            bool fits = sizes[s] <= sizes[m];

            buf_add_str(&b, "old");
            assert_int_equal(write(fd, bytes, sizes[s]), sizes[s]);
            assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
            assert_int_equal(fd_read_to_end(fd, sizes[m], &b, &e),
                             fits ? 0 : ERR_CONTENT_TOO_LARGE);
            assert_int_equal(b.len, 3 + (fits ? sizes[s] : sizes[m]));
            assert_memory_equal(b.data, "old", 3);
            assert_memory_equal(b.data + 3, bytes, b.len - 3);
            assert_int_equal(b.data[b.len], 0);
        }
}

static void reading_without_a_limit_is_possible(void **state)
{
    AUTO_FINI(fd) int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    AUTO_FINI(buf) struct buf b = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(pwrite(fd, "abc", 3, 0), 3);
    assert_int_equal(fd_read_to_end(fd, SIZE_MAX, &b, &e), 0);
    assert_string_equal(b.data, "abc");
    assert_int_equal(fd_read_to_end(-1, SIZE_MAX, &b, &e), ERR_SYS);
    assert_int_equal(e.sys_errno, EBADF);
    assert_string_equal(b.data, "abc");
}

static void reading_a_file_tells_missing_from_too_large_and_broken(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(fd_read_file("nothing", 10, &b, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "nothing"));
    assert_int_equal(fd_write_file_atomic("f", 0600, "12345", 5, &e), 0);
    assert_int_equal(fd_read_file("f", 5, &b, &e), 0);
    assert_int_equal(fd_read_file("f", 4, &b, &e), ERR_CONTENT_TOO_LARGE);
    assert_string_equal(e.text, "f: more than 4 bytes");
    assert_int_equal(fd_read_file(".", 4, &b, &e), ERR_SYS);
    assert_int_equal(e.sys_errno, EISDIR);
    assert_int_equal(fd_read_file(".", 4, &b, NULL), ERR_SYS);
}

static void a_file_is_opened_again_after_a_signal_only(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(fd_write_file_atomic("f", 0600, "x", 1, &e), 0);
    sys.open = faulty_open;
    fault = (struct fault){ .fail_at = 1, .error = EINTR };
    assert_int_equal(fd_read_file("f", 5, &b, &e), 0);
    assert_int_equal(fault.calls, 2);
    fault = (struct fault){ .fail_at = 1, .error = EMFILE };
    assert_int_equal(fd_read_file("f", 5, &b, &e), ERR_SYS);
    assert_int_equal(e.sys_errno, EMFILE);
}

/* ---- directories ------------------------------------------------------------------------- */

static void missing_directories_are_made_and_existing_ones_are_fine(void **state)
{
    static const char *const paths[] = { "a", "a", "a/b/c", "a/b/c/", "x//y", "./z/../z/w" };
    AUTO(mem) char *absolute = mem_printf("%s/abs/olute", test_dir);
    struct errinfo e = { 0 };
    struct stat st;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        assert_int_equal(fd_make_dirs(paths[i], 0700, &e), 0);
        assert_int_equal(stat(paths[i], &st), 0);
        assert_true(S_ISDIR(st.st_mode));
        assert_int_equal(st.st_mode & 07777, 0700);
    }
    assert_int_equal(fd_make_dirs(absolute, 0700, &e), 0);
    assert_int_equal(stat("abs/olute", &st), 0);
    assert_int_equal(fd_make_dirs("/", 0700, &e), 0);
}

static void a_file_in_the_way_is_an_error(void **state)
{
    static const char *const paths[] = { "f", "f/x", "f/x/y" };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(fd_write_file_atomic("f", 0600, "x", 1, &e), 0);
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        assert_int_equal(fd_make_dirs(paths[i], 0700, &e), ERR_SYS);
        assert_int_equal(e.sys_errno, ENOTDIR);
    }
    assert_int_equal(fd_make_dirs("", 0700, &e), ERR_SYS);
    assert_int_equal(e.sys_errno, ENOENT);
}

static void syncing_a_directory_takes_directories_only(void **state)
{
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(fd_sync_dir(".", &e), 0);
    assert_int_equal(fd_sync_dir("nothing", &e), ERR_SYS);
    assert_int_equal(e.sys_errno, ENOENT);
    assert_int_equal(fd_write_file_atomic("f", 0600, "x", 1, &e), 0);
    assert_int_equal(fd_sync_dir("f", &e), ERR_SYS);
    assert_int_equal(e.sys_errno, ENOTDIR);
}

/* ---- atomic replacement ------------------------------------------------------------------ */

static void a_file_is_replaced_whole_and_leaves_nothing_beside_it(void **state)
{
    AUTO(mem) char *absolute = mem_printf("%s/f", test_dir);
    struct errinfo e = { 0 };
    struct stat st;

    (void)state;
    assert_int_equal(fd_write_file_atomic("f", 0640, "long old content", 16, &e), 0);
    assert_int_equal(fd_write_file_atomic("f", 0400, "new", 3, &e), 0);
    assert_content("f", "new");
    assert_int_equal(stat("f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal(fd_write_file_atomic("./f", 0600, "", 0, &e), 0);
    assert_content("f", "");
    assert_int_equal(fd_write_file_atomic(absolute, 0600, "abs", 3, &e), 0);
    assert_content("f", "abs");
    assert_int_equal(count_names(".", false), 1);
}

enum faulty_call { FAULT_OPEN, FAULT_WRITE, FAULT_FSYNC, FAULT_RENAME };

static const struct atomic_row {
    enum faulty_call call;
    int fail_at;
    int error;
    const char *content; /* of the file afterwards */
} atomic_rows[] = {
    { FAULT_OPEN, 1, EMFILE, "old" },     { FAULT_WRITE, 1, ENOSPC, "old" },
    { FAULT_WRITE, 2, EIO, "old" },       { FAULT_FSYNC, 1, EIO, "old" },
    { FAULT_RENAME, 1, EACCES, "old" },   { FAULT_OPEN, 2, EMFILE, "new bytes" },
    { FAULT_FSYNC, 2, EIO, "new bytes" },
};

static void inject(enum faulty_call call)
{
    switch (call) {
    case FAULT_OPEN:
        sys.open = faulty_open;
        break;
    case FAULT_WRITE:
        sys.write = faulty_write;
        break;
    case FAULT_FSYNC:
        sys.fsync = faulty_fsync;
        break;
    case FAULT_RENAME:
        sys.rename = faulty_rename;
        break;
    }
}

static void any_fault_leaves_one_whole_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(atomic_rows); i++) {
        const struct atomic_row *row = &atomic_rows[i];
        struct errinfo e = { 0 };

        assert_int_equal(fd_write_file_atomic("f", 0600, "old", 3, &e), 0);
        inject(row->call);
        fault = (struct fault){ .fail_at = row->fail_at, .error = row->error };
        assert_int_equal(fd_write_file_atomic("f", 0600, "new bytes", 9, &e), ERR_SYS);
        assert_int_equal(e.sys_errno, row->error);
        sys_reset();
        assert_content("f", row->content);
        assert_int_equal(count_names(".", false), 1);
    }
}

/* Order matters more than presence: the bytes are durable before they get the name. */
static char trace[16];

static void note(char what)
{
    size_t len = strlen(trace);

    assert_true(len + 1 < sizeof trace);
    trace[len] = what;
    trace[len + 1] = '\0';
}

static ssize_t noted_write(int fd, const void *block, size_t len)
{
    note('w');
    return write(fd, block, len);
}

static int noted_fsync(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    note(S_ISDIR(st.st_mode) ? 'D' : 'F');
    return fsync(fd);
}

static int noted_rename(const char *from, const char *to)
{
    note('r');
    assert_string_equal(to, "f");
    return rename(from, to);
}

static void the_bytes_are_synced_before_the_name_and_the_name_after(void **state)
{
    struct errinfo e = { 0 };

    (void)state;
    trace[0] = '\0';
    sys.write = noted_write;
    sys.fsync = noted_fsync;
    sys.rename = noted_rename;
    assert_int_equal(fd_write_file_atomic("f", 0600, "x", 1, &e), 0);
    assert_string_equal(trace, "wFrD");
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, enter_dir, leave_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(a_descriptor_is_closed_at_the_end_of_its_scope),
        IN_DIR(a_taken_descriptor_stays_open),
        IN_DIR(blocking_is_switched_and_nothing_else),
        IN_DIR(a_write_goes_on_after_short_and_interrupted_ones),
        IN_DIR(a_failed_write_is_reported_with_its_reason),
        IN_DIR(reading_ends_at_the_end_or_at_the_limit),
        IN_DIR(reading_without_a_limit_is_possible),
        IN_DIR(reading_a_file_tells_missing_from_too_large_and_broken),
        IN_DIR(a_file_is_opened_again_after_a_signal_only),
        IN_DIR(missing_directories_are_made_and_existing_ones_are_fine),
        IN_DIR(a_file_in_the_way_is_an_error),
        IN_DIR(syncing_a_directory_takes_directories_only),
        IN_DIR(a_file_is_replaced_whole_and_leaves_nothing_beside_it),
        IN_DIR(any_fault_leaves_one_whole_file),
        IN_DIR(the_bytes_are_synced_before_the_name_and_the_name_after),
    };

    return cmocka_run_group_tests_name("base/fd", tests, NULL, NULL);
}
