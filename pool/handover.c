#include "pool/handover.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define FORMAT "jobd-handover 1" /* the first line; another number: another format */

int handover_format(const struct handover *h, struct buf *b, struct errinfo *e)
{
    buf_printf(b,
               FORMAT "\npid %" PRId64 "\nprotocol %" PRId64 "\ndevice %" PRId64
                      "\ninode %" PRId64 "\nlock %d\n",
               h->pid, h->protocol, h->data_device, h->data_inode, h->lock_fd);
    if (h->front_socket_fd >= 0)
        buf_printf(b, "front %d\n", h->front_socket_fd);
    for (size_t i = 0; i < h->listener_count; i++) {
        const struct handover_listener *l = &h->listeners[i];

        if (strpbrk(l->address, "\t\n") || strpbrk(l->name, "\t\n"))
            return err_set(e, ERR_CONFIG, "%s: the address cannot be handed over", l->address);
        buf_printf(b, "listen %d\t%s\t%s\n", l->fd, l->address, l->name);
    }
    return 0;
}

/* "<fd>\t<address>\t<name>" */
static bool parse_listener(char *value, struct handover *h)
{
    struct handover_listener *l = &h->listeners[h->listener_count];
    char *address = strchr(value, '\t');
    char *name = address ? strchr(address + 1, '\t') : NULL;
    int64_t fd;

    if (!name || h->listener_count == HANDOVER_LISTENERS_MAX)
        return false;
    *address++ = *name++ = '\0';
    if (!text_to_i64(value, 0, INT32_MAX, &fd))
        return false;
    *l = (struct handover_listener){
        .fd = (int)fd,
        .address = mem_str(address),
        .name = mem_str(name),
    };
    h->listener_count++;
    return true;
}

static bool parse_line(char *line, struct handover *h)
{
    char *value = strchr(line, ' ');
    int64_t number = -1;
    struct {
        const char *name;
        int64_t *to;
    } const numbers[] = { { "pid", &h->pid },
                          { "protocol", &h->protocol },
                          { "device", &h->data_device },
                          { "inode", &h->data_inode } };
    struct {
        const char *name;
        int *to;
    } const fds[] = { { "lock", &h->lock_fd }, { "front", &h->front_socket_fd } };

    if (!value)
        return false;
    *value++ = '\0';
    if (strcmp(line, "listen") == 0)
        return parse_listener(value, h);
    if (!text_to_i64(value, INT64_MIN, INT64_MAX, &number))
        return false;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (strcmp(line, numbers[i].name) == 0)
            *numbers[i].to = number;
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        if (strcmp(line, fds[i].name) == 0)
            *fds[i].to = (int)number;
    return true; /* a name that we do not know is of no use to us */
}

int handover_parse(const char *text, struct handover *ret_handover, struct errinfo *e)
{
    AUTO_FINI(handover) struct handover h = { .lock_fd = -1, .front_socket_fd = -1 };
    AUTO(mem) char *copy = mem_str(text);
    char *line = copy;
    bool first = true;

    while (*line != '\0') {
        char *end = strchr(line, '\n');
        bool ok;

        if (!end)
            return err_set(e, ERR_CONFIG, HANDOVER_VARIABLE " ends in the middle of a line");
        *end = '\0';
        ok = first ? strcmp(line, FORMAT) == 0 : parse_line(line, &h);
        if (!ok)
            return err_set(e, ERR_CONFIG, HANDOVER_VARIABLE ": \"%.100s\" is not understood",
                           line);
        first = false;
        line = end + 1;
    }
    if (first || h.pid <= 0 || h.lock_fd < 0)
        return err_set(e, ERR_CONFIG, HANDOVER_VARIABLE " is not complete");
    *ret_handover = h;
    h = (struct handover){ 0 };
    return 0;
}

void handover_fini(struct handover *h)
{
    for (size_t i = 0; i < h->listener_count; i++) {
        free(h->listeners[i].address);
        free(h->listeners[i].name);
    }
    *h = (struct handover){ .lock_fd = -1, .front_socket_fd = -1 };
}

static void keep_fd(int fd, bool keep)
{
    if (fd >= 0)
        (void)fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC); /* fails only when it is not open */
}

void handover_keep(const struct handover *h, bool keep)
{
    keep_fd(h->lock_fd, keep);
    keep_fd(h->front_socket_fd, keep);
    for (size_t i = 0; i < h->listener_count; i++)
        keep_fd(h->listeners[i].fd, keep);
}
