/* Frames between the front and a worker. */
#include "tests/fuzz/fuzz.h"

#include "pool/proto.h"

static void read_order(const char *body, size_t len, struct errinfo *e)
{
    AUTO_FINI(order) struct order order = { 0 };

    if (proto_get_run(body, len, &order, e) == 0)
        assert(order.argv && order.env);
}

static void read_outcome(const char *body, size_t len, struct errinfo *e)
{
    AUTO_FINI(outcome) struct outcome o = { 0 };

    if (proto_get_outcome(body, len, &o, e) == 0)
        assert(o.cause < CAUSE_MAX_ && o.result_kind < RESULT_KIND_MAX_);
}

static void read_hello(const char *body, size_t len, struct errinfo *e)
{
    struct proto_hello hello;

    if (proto_get_hello(body, len, &hello, e) == 0)
        assert(hello.held_count <= PROTO_HELD_MAX && memchr(hello.pool, 0, sizeof hello.pool));
}

static void read_body(enum proto_type type, const char *body, size_t len, struct errinfo *e)
{
    struct proto_progress progress = { 0 };
    struct proto_status status;
    struct proto_cancel cancel;
    struct proto_attempt ack;

    switch (type) {
    case PROTO_HELLO:
        read_hello(body, len, e);
        return;
    case PROTO_RUN:
        read_order(body, len, e);
        return;
    case PROTO_OUTCOME:
        read_outcome(body, len, e);
        return;
    case PROTO_CANCEL:
        (void)proto_get_cancel(body, len, &cancel, e);
        return;
    case PROTO_ACK:
        (void)proto_get_ack(body, len, &ack, e);
        return;
    case PROTO_PROGRESS:
        if (proto_get_progress(body, len, &progress, e) == 0)
            free(progress.message);
        return;
    case PROTO_STATUS:
        if (proto_get_status(body, len, &status, e) == 0)
            assert(status.state < PROTO_STATE_MAX_);
        return;
    case PROTO_TIDY:
        (void)proto_get_tidy(body, len, e);
        return;
    }
}

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO_FINI(buf) struct buf in = { 0 };
    enum proto_type type;
    struct errinfo e;
    const char *body;
    size_t len;
    int r;

    /* As a body of any type: the first byte says which. */
    if (size > 0)
        read_body((enum proto_type)(data[0] % (PROTO_TIDY + 1)), (const char *)data + 1,
                  size - 1, &e);
    /* And as a stream of frames. */
    buf_add(&in, data, size);
    while ((r = proto_next(&in, &type, &body, &len, &e)) > 0) {
        read_body(type, body, len, &e);
        buf_consume(&in, (size_t)(body - in.data) + len);
    }
    return 0;
}
