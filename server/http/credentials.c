/* What a request and its connection bring that may prove who has sent it. */
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "server/http/request.h"

static const struct request *request_of(const struct http_req *rq)
{
    return (const struct request *)rq;
}

const char *http_bearer(const struct http_req *rq)
{
    static const char scheme[] = "Bearer ";
    const char *value = request_of(rq)->seen.authorization;

    if (!value || strncasecmp(value, scheme, sizeof scheme - 1) != 0)
        return NULL;
    value += sizeof scheme - 1;
    return value + strspn(value, " ");
}

struct single_question {
    const char *name;
    const char *value;
    bool twice;
};

static enum MHD_Result ask_single(void *cls, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct single_question *q = cls;

    (void)kind;
    if (strcasecmp(name, q->name) != 0)
        return MHD_YES;
    q->twice = q->value != NULL;
    q->value = value ? value : "";
    return q->twice ? MHD_NO : MHD_YES;
}

int http_single_header(const struct http_req *rq, const char *name, const char **ret_value,
                       struct errinfo *e)
{
    struct single_question q = { .name = name };

    (void)MHD_get_connection_values(request_of(rq)->connection, MHD_HEADER_KIND, ask_single,
                                    &q);
    if (q.twice)
        return err_set(e, ERR_INVALID_HEADER, "%s came twice", name);
    *ret_value = q.value;
    return 0;
}

int64_t http_peer_uid(const struct http_req *rq)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request_of(rq)->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred cred;
    socklen_t len = sizeof cred;

    if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ||
        cred.uid == (uid_t)-1) /* TCP */
        return -1;
    return cred.uid;
}
