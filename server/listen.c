#include "server/listen.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "pool/paths.h"

#define BACKLOG 4096

/* -- addresses ---------------------------------------------------------------------------- */

static const char how[] =
    "write HOST:PORT (127.0.0.1:8080), [IPV6]:PORT ([::1]:8080) or unix:PATH, or tls: before a"
    " host";
static const char tls_prefix[] = "tls:";

static int parse_unix(const char *text, const char *path, struct address *ret_address,
                      struct errinfo *e)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };

    if (*path == '\0')
        return err_set(e, ERR_CONFIG, "\"%.200s\" names no file: write unix:PATH", text);
    if (strlen(path) >= sizeof un.sun_path)
        return err_set(e, ERR_CONFIG,
                       "\"%.200s\": the path of a unix socket has at most %zu bytes", text,
                       sizeof un.sun_path - 1);
    (void)text_copy(un.sun_path, sizeof un.sun_path, path);
    *ret_address = (struct address){ .len = sizeof un, .path = path };
    (void)memcpy(&ret_address->sockaddr, &un, sizeof un);
    return 0;
}

static bool set_ipv4(const char *host, uint16_t port, struct address *ret_address)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

    if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
        return false;
    *ret_address = (struct address){ .len = sizeof in };
    (void)memcpy(&ret_address->sockaddr, &in, sizeof in);
    return true;
}

static bool set_ipv6(const char *host, uint16_t port, struct address *ret_address)
{
    struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

    if (inet_pton(AF_INET6, host, &in.sin6_addr) != 1)
        return false;
    *ret_address = (struct address){ .len = sizeof in };
    (void)memcpy(&ret_address->sockaddr, &in, sizeof in);
    return true;
}

/* Split "HOST:PORT" or "[HOST]:PORT" at the last colon. */
static bool split_port(const char *text, char host[INET6_ADDRSTRLEN], bool *ret_in_brackets,
                       uint16_t *ret_port)
{
    const char *colon = strrchr(text, ':');
    size_t len;
    int64_t port;

    if (!colon || !text_to_i64(colon + 1, 0, UINT16_MAX, &port))
        return false;
    len = (size_t)(colon - text);
    *ret_in_brackets = len >= 2 && text[0] == '[' && colon[-1] == ']';
    if (*ret_in_brackets) {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= INET6_ADDRSTRLEN)
        return false;
    (void)memcpy(host, text, len);
    host[len] = '\0';
    *ret_port = (uint16_t)port;
    return true;
}

int address_parse(const char *text, struct address *ret_address, struct errinfo *e)
{
    char host[INET6_ADDRSTRLEN];
    const char *path, *at;
    bool in_brackets, ok, tls;
    uint16_t port;

    if (text_starts(text, "unix:", &path))
        return parse_unix(text, path, ret_address, e);
    tls = text_starts(text, tls_prefix, &at);
    if (!split_port(tls ? at : text, host, &in_brackets, &port))
        return err_set(e, ERR_CONFIG, "\"%.200s\" is not an address: %s", text, how);
    if (in_brackets)
        ok = set_ipv6(host, port, ret_address);
    else
        ok = set_ipv4(text_equal(host, "localhost") ? "127.0.0.1" : host, port, ret_address);
    if (!ok)
        return err_set(e, ERR_CONFIG,
                       "\"%.200s\": the host must be an IP address or localhost: %s", text,
                       how);
    ret_address->tls = tls;
    return 0;
}

bool address_is_local(const struct address *a)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    switch (a->sockaddr.ss_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        (void)memcpy(&in, &a->sockaddr, sizeof in);
        return ntohl(in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    case AF_INET6:
        (void)memcpy(&in6, &a->sockaddr, sizeof in6);
        return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
    default:
        return false;
    }
}

/* -- sockets ------------------------------------------------------------------------------ */

static int new_socket(const struct address *a, struct errinfo *e)
{
    static const int on = 1;
    int fd = socket(a->sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return err_sys(e, "socket");
    if (!a->path)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->sockaddr.ss_family == AF_INET6) /* [::] and 0.0.0.0 are two addresses */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    return fd;
}

/* A file that an earlier jobd left; one that somebody serves, or that is no socket, stays. */
static int remove_stale(const struct address *a, struct errinfo *e)
{
    AUTO_FINI(fd) int fd = -1;
    struct stat st;

    if (lstat(a->path, &st) < 0)
        return errno == ENOENT ? 0 : err_sys(e, "unix:%s", a->path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(
            e, ERR_CONFIG,
            "unix:%s: there is a file that is not a socket; remove it or choose another path",
            a->path);
    fd = new_socket(a, e);
    if (fd < 0)
        return fd;
    if (connect(fd, (const struct sockaddr *)&a->sockaddr, a->len) == 0 ||
        errno != ECONNREFUSED)
        return err_set(e, ERR_CONFIG, "unix:%s is served by another process", a->path);
    if (unlink(a->path) < 0)
        return err_sys(e, "remove the stale unix:%s", a->path);
    return 0;
}

static int bind_to(int fd, const struct address *a)
{
    mode_t before;
    int r;

    if (!a->path)
        return bind(fd, (const struct sockaddr *)&a->sockaddr, a->len);
    before = umask(0117); /* mode 0660 from its first moment */
    r = bind(fd, (const struct sockaddr *)&a->sockaddr, a->len);
    (void)umask(before);
    return r;
}

static int open_one(const char *text, int *ret_fd, struct errinfo *e)
{
    AUTO_FINI(fd) int fd = -1;
    struct address a = { 0 };
    int r;

    r = address_parse(text, &a, e);
    if (r < 0)
        return r;
    if (a.path) {
        r = remove_stale(&a, e);
        if (r < 0)
            return r;
    }
    fd = new_socket(&a, e);
    if (fd < 0)
        return fd;
    if (bind_to(fd, &a) < 0 || listen(fd, BACKLOG) < 0) {
        if (errno == EADDRINUSE)
            return err_set(
                e, ERR_CONFIG,
                "%s is in use by another process; choose another port, or 0 for a free one",
                text);
        return err_sys(e, "listen on %s", text);
    }
    *ret_fd = fd_take(&fd);
    return 0;
}

/* The name of a bound socket. */
static int name_of(int fd, const char *text, char **ret_name, struct errinfo *e)
{
    struct sockaddr_storage ss = { 0 };
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    socklen_t len = sizeof ss;
    char host[INET6_ADDRSTRLEN];
    const char *tls;

    if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
        return err_sys(e, "getsockname");
    tls = text_starts(text, tls_prefix, NULL) ? tls_prefix : "";
    if (ss.ss_family == AF_INET) {
        (void)memcpy(&in, &ss, sizeof in);
        *ret_name =
            mem_printf("%s%s:%u", tls, inet_ntop(AF_INET, &in.sin_addr, host, sizeof host),
                       ntohs(in.sin_port));
    } else if (ss.ss_family == AF_INET6) {
        (void)memcpy(&in6, &ss, sizeof in6);
        *ret_name =
            mem_printf("%s[%s]:%u", tls, inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host),
                       ntohs(in6.sin6_port));
    } else {
        *ret_name = mem_str(text);
    }
    return 0;
}

static int check_reach(const struct address *a, const char *text, enum listen_reach reach,
                       struct errinfo *e)
{
    if (address_is_local(a) || reach == LISTEN_INSECURE || (reach == LISTEN_TLS && a->tls))
        return 0;
    if (a->tls)
        return err_set(
            e, ERR_CONFIG,
            "listen: other machines could reach %.100s and run jobs here without a"
            " credential: give --auth=required, or --insecure if the network is to be"
            " trusted",
            text);
    return err_set(e, ERR_CONFIG,
                   "listen: other machines could reach %.100s, where %s: listen on tls:ADDRESS"
                   " with --auth=required, or on 127.0.0.1 or unix:PATH behind a gateway, or"
                   " give --insecure if the network is to be trusted",
                   text,
                   reach == LISTEN_TLS ? "keys would pass unencrypted"
                                       : "nobody is asked for a credential");
}

int listeners_check(char *const *addresses, size_t count, enum listen_reach reach,
                    struct errinfo *e)
{
    if (count == 0 || count > LISTEN_MAX)
        return err_set(e, ERR_CONFIG, "listen: want 1 to %d addresses, not %zu", LISTEN_MAX,
                       count);
    for (size_t i = 0; i < count; i++) {
        struct address a = { 0 };
        int r = address_parse(addresses[i], &a, e);

        if (r < 0)
            return r;
        r = check_reach(&a, addresses[i], reach, e);
        if (r < 0)
            return r;
    }
    return 0;
}

void listeners_add(struct listeners *ls, int take_fd, const char *address, const char *name)
{
    assert(ls->count < LISTEN_MAX);
    ls->fds[ls->count] = take_fd;
    ls->addresses[ls->count] = mem_str(address);
    ls->names[ls->count] = mem_str(name);
    ls->count++;
}

/* The one in ls that serves this address and is not taken yet; -1 when there is none. By what
 * was asked for, or else by what came of it ("127.0.0.1:0" may have become this address). */
static int find(const struct listeners *ls, const char *address, const bool *taken)
{
    for (size_t i = 0; i < ls->count; i++)
        if (!taken[i] && text_equal(ls->addresses[i], address))
            return (int)i;
    for (size_t i = 0; i < ls->count; i++)
        if (!taken[i] && text_equal(ls->names[i], address))
            return (int)i;
    return -1;
}

/* Which of `inherited` serves each address; -1: none does. */
static void match(char *const *addresses, size_t count, const struct listeners *inherited,
                  int ret_which[LISTEN_MAX])
{
    bool taken[LISTEN_MAX] = { false };

    for (size_t i = 0; i < count; i++) {
        ret_which[i] = inherited ? find(inherited, addresses[i], taken) : -1;
        if (ret_which[i] >= 0)
            taken[ret_which[i]] = true;
    }
}

/* Bind those that are not inherited. */
static int open_new(char *const *addresses, size_t count, const int which[LISTEN_MAX],
                    struct listeners *ls, struct errinfo *e)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_FINI(fd) int fd = -1;
        AUTO(mem) char *name = NULL;
        int r;

        if (which[i] >= 0)
            continue;
        r = open_one(addresses[i], &fd, e);
        if (r < 0)
            return r;
        r = name_of(fd, addresses[i], &name, e);
        if (r < 0)
            return r;
        listeners_add(ls, fd_take(&fd), addresses[i], name);
    }
    return 0;
}

/* Moves entry i. */
static void move_to(struct listeners *to, struct listeners *from, size_t i)
{
    to->fds[to->count] = fd_take(&from->fds[i]);
    to->addresses[to->count] = TAKE(from->addresses[i]);
    to->names[to->count] = TAKE(from->names[i]);
    to->count++;
}

int listeners_open(char *const *addresses, size_t count, enum listen_reach reach,
                   struct listeners *inherited, struct listeners *ret_listeners,
                   struct errinfo *e)
{
    AUTO_FINI(listeners) struct listeners fresh = { 0 };
    struct listeners ls = { 0 };
    int which[LISTEN_MAX];
    size_t next = 0;
    int r;

    r = listeners_check(addresses, count, reach, e);
    if (r < 0)
        return r;
    match(addresses, count, inherited, which);
    r = open_new(addresses, count, which, &fresh, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++) {
        if (which[i] >= 0)
            move_to(&ls, inherited, (size_t)which[i]);
        else
            move_to(&ls, &fresh, next++);
    }
    *ret_listeners = ls;
    return 0;
}

int listeners_try(char *const *addresses, size_t count, enum listen_reach reach,
                  const struct listeners *inherited, struct errinfo *e)
{
    AUTO_FINI(listeners) struct listeners fresh = { 0 };
    int which[LISTEN_MAX];
    int r;

    r = listeners_check(addresses, count, reach, e);
    if (r < 0)
        return r;
    match(addresses, count, inherited, which);
    return open_new(addresses, count, which, &fresh, e);
}

void listeners_forget(struct listeners *ls)
{
    for (size_t i = 0; i < ls->count; i++) {
        free(ls->names[i]);
        free(ls->addresses[i]);
    }
    *ls = (struct listeners){ 0 };
}

void listeners_fini(struct listeners *ls)
{
    const char *path;

    for (size_t i = 0; i < ls->count; i++) {
        if (ls->names[i] && text_starts(ls->names[i], "unix:", &path))
            (void)unlink(path);
        fd_fini(&ls->fds[i]);
    }
    listeners_forget(ls);
}

/* -- run/listen --------------------------------------------------------------------------- */

int listeners_publish(const struct listeners *ls, const char *data_dir, struct errinfo *e)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    char room[PATHS_SIZE];

    for (size_t i = 0; i < ls->count; i++)
        buf_printf(&b, "%s\n", ls->names[i]);
    return fd_write_file_atomic(paths_listen(data_dir, room), 0644, b.data, b.len, e);
}

void listeners_unpublish(const char *data_dir)
{
    char room[PATHS_SIZE];

    (void)unlink(paths_listen(data_dir, room)); /* usually it is not there */
}
