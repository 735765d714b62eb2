#include "engine/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/sys.h"
#include "pool/paths.h"

int output_open(const char *data_dir, struct uuid7 id, int attempt, enum stream stream,
                int *ret_fd, int64_t *ret_bytes, struct errinfo *e)
{
    char path[PATHS_SIZE];
    AUTO_FINI(fd) int fd = -1;
    struct stat st;

    (void)paths_output(data_dir, id, attempt, stream, path);
    fd = sys.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "%s does not exist", path);
    if (fd < 0)
        return err_sys(e, "open %s", path);
    if (fstat(fd, &st) < 0)
        return err_sys(e, "fstat %s", path);
    *ret_bytes = st.st_size;
    *ret_fd = fd_take(&fd);
    return 0;
}
