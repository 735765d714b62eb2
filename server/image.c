#include "server/image.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "pool/proto.h"
#include "pool/supervisor.h"
#include "server/auth.h"

/* A path with a slash is what a person or an init has chosen, perhaps by way of a symbolic link
 * that will lead somewhere else then. */
static char *find_program(const char *name)
{
    char path[PATH_MAX + 1];
    ssize_t len;

    if (strchr(name, '/'))
        return mem_str(name);
    len = readlink("/proc/self/exe", path, PATH_MAX);
    if (len <= 0)
        return mem_str(name);
    path[len] = '\0';
    return mem_str(path);
}

static char **with_check(int argc, char *const *argv)
{
    static char check[] = "--check-config";
    char **list = mem_array0((size_t)argc + 2, sizeof *list);

    memcpy(list, argv, (size_t)argc * sizeof *list);
    list[argc] = check;
    return list;
}

/* A text that belongs to another process says nothing to us. */
static void take_handover(struct image *im)
{
    const char *text =
        getenv(HANDOVER_VARIABLE); /* NOLINT(concurrency-mt-unsafe): one thread */
    struct errinfo e;

    if (!text)
        return;
    if (handover_parse(text, &im->handover, &e) < 0) {
        log_warn("image.handover_ignored", LSTR("reason", e.text));
    } else {
        im->inherits = im->handover.pid == getpid();
        im->checks = im->handover.pid == getppid();
    }
    (void)unsetenv(HANDOVER_VARIABLE); /* NOLINT(concurrency-mt-unsafe) */
    if (im->inherits)
        handover_keep(&im->handover, false);
}

void image_init(struct image *im, int argc, char *const *argv)
{
    *im = (struct image){ .handover = { .lock_fd = -1, .front_socket_fd = -1 } };
    im->path = find_program(argc > 0 ? argv[0] : "jobd");
    im->argv = argv;
    im->check_argv = with_check(argc, argv);
    take_handover(im);
}

void image_fini(struct image *im)
{
    free(im->path);
    free(im->check_argv);
    handover_fini(&im->handover);
}

/* The running image's sockets by name; their descriptors are not ours to use. */
static void name_listeners(const struct image *im, bool with_fds, struct listeners *ls)
{
    for (size_t i = 0; i < im->handover.listener_count; i++) {
        const struct handover_listener *l = &im->handover.listeners[i];

        listeners_add(ls, with_fds ? l->fd : -1, l->address, l->name);
    }
}

static int check_data_dir(const struct image *im, const struct settings *s, struct errinfo *e)
{
    struct stat st;

    if (stat(s->data_dir, &st) == 0 && (int64_t)st.st_dev == im->handover.data_device &&
        (int64_t)st.st_ino == im->handover.data_inode)
        return 0;
    return err_set(e, ERR_CONFIG,
                   "data_dir: %.500s is not the directory that the running jobd uses, which it"
                   " cannot change: stop it and start it again",
                   s->data_dir);
}

int image_check(const struct image *im, const struct settings *s, struct errinfo *e)
{
    struct listeners running = { 0 };
    int r;

    if (!im->checks)
        return 0;
    if (im->handover.protocol != PROTO_VERSION)
        return err_set(e, ERR_CONFIG,
                       "this program (" JOBD_VERSION
                       ") does not understand the workers of the"
                       " running one: stop that and start this one");
    r = check_data_dir(im, s, e);
    if (r < 0)
        return r;
    name_listeners(im, false, &running);
    r = listeners_try(s->listen.items, s->listen.count, auth_reach(s), &running, e);
    listeners_forget(&running);
    return r;
}

int image_lock(const struct image *im, const struct settings *s, int *ret_lock_fd,
               struct errinfo *e)
{
    if (!im->inherits)
        return supervisor_lock(s->data_dir, ret_lock_fd, e);
    *ret_lock_fd = im->handover.lock_fd;
    return check_data_dir(im, s, e);
}

int image_listen(struct image *im, const struct settings *s, struct listeners *ret_listeners,
                 struct errinfo *e)
{
    struct listeners running = { 0 };
    int r;

    if (!im->inherits)
        return listeners_open(s->listen.items, s->listen.count, auth_reach(s), NULL,
                              ret_listeners, e);
    name_listeners(im, true, &running);
    r = listeners_open(s->listen.items, s->listen.count, auth_reach(s), &running, ret_listeners,
                       e);
    if (r < 0) {
        log_error("image.listen_failed", LSTR("reason", e->text));
        *ret_listeners = running;
        return 0;
    }
    listeners_fini(&running); /* those that are not wanted any more */
    return 0;
}
