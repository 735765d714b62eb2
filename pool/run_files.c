#include "pool/run_files.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"
#include "pool/paths.h"

/* A path of any length does not fit sun_path (108 bytes); one by way of its directory's
 * descriptor always does. */
static int bind_socket(int fd, char *path, struct errinfo *e)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char *base_name = strrchr(path, '/');
    AUTO_FINI(fd) int dir_fd = -1;

    assert(base_name);
    *base_name++ = '\0';
    dir_fd = sys.open(path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (dir_fd < 0)
        return err_sys(e, "open %s", path);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir_fd,
                   base_name); /* fits: the base name is ours */
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return err_sys(e, "bind %s/%s", path, base_name);
    return 0;
}

static int listen_at(const char *data_dir, int *ret_fd, struct errinfo *e)
{
    AUTO_FINI(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    char path[PATHS_SIZE];
    int r;

    if (fd < 0)
        return err_sys(e, "socket");
    if (fchmod(fd, 0600) < 0) /* becomes the mode of the name */
        return err_sys(e, "fchmod");
    r = bind_socket(fd, paths_front_socket(data_dir, path), e);
    if (r < 0)
        return r;
    if (listen(fd, SOMAXCONN) < 0)
        return err_sys(e, "listen");
    *ret_fd = fd_take(&fd);
    return 0;
}

int run_files_open(const char *data_dir, int *ret_listen_fd, struct errinfo *e)
{
    char path[PATHS_SIZE], text[24];
    int len = snprintf(text, sizeof text, "%d\n", (int)getpid());
    AUTO_FINI(fd) int fd = -1;
    int r;

    run_files_remove(data_dir);
    r = listen_at(data_dir, &fd, e);
    if (r < 0)
        return r;
    r = fd_write_file_atomic(paths_pid(data_dir, path), 0600, text, (size_t)len, e);
    if (r < 0)
        return r;
    *ret_listen_fd = fd_take(&fd);
    return 0;
}

void run_files_remove(const char *data_dir)
{
    char path[PATHS_SIZE];

    /* What cannot be removed is replaced at the next start. */
    (void)unlink(paths_pid(data_dir, path));
    (void)unlink(paths_listen(data_dir, path));
    (void)unlink(paths_front_socket(data_dir, path));
}
