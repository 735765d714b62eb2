#include "pool/proto.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define LENGTH_SIZE 4
#define TEXT_NULL   UINT32_MAX
#define LIST_MAX    65536u /* entries of argv or env */

/* ---- encoding ---------------------------------------------------------------------------- */

static void put_u8(struct buf *out, unsigned value)
{
    buf_add_char(out, (char)(unsigned char)value);
}

static void put_u32(struct buf *out, uint32_t value)
{
    unsigned char block[4];

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (unsigned char)(value >> (8 * i));
    buf_add(out, block, sizeof block);
}

static void put_u64(struct buf *out, uint64_t value)
{
    put_u32(out, (uint32_t)value);
    put_u32(out, (uint32_t)(value >> 32));
}

static void put_i32(struct buf *out, int value)
{
    put_u32(out, (uint32_t)value);
}

static void put_i64(struct buf *out, int64_t value)
{
    put_u64(out, (uint64_t)value);
}

static void put_double(struct buf *out, double value)
{
    uint64_t bits;

    static_assert(sizeof bits == sizeof value, "a double is 64 bits");
    memcpy(&bits, &value, sizeof bits);
    put_u64(out, bits);
}

/* NULL and no bytes are different things. */
static void put_bytes(struct buf *out, const char *block, size_t len)
{
    if (!block) {
        put_u32(out, TEXT_NULL);
        return;
    }
    assert(len <= PROTO_FRAME_MAX);
    put_u32(out, (uint32_t)len);
    buf_add(out, block, len);
}

static void put_text(struct buf *out, const char *text)
{
    put_bytes(out, text, text ? strlen(text) : 0);
}

/* A NULL-terminated list; a NULL list is written as an empty one. */
static void put_list(struct buf *out, char *const *list)
{
    uint32_t count = 0;

    while (list && list[count])
        count++;
    put_u32(out, count);
    for (uint32_t i = 0; i < count; i++)
        put_text(out, list[i]);
}

static void put_id(struct buf *out, struct uuid7 id)
{
    put_u64(out, id.hi);
    put_u64(out, id.lo);
}

/* Start a frame; returns where, for frame_end(). */
static size_t frame_begin(struct buf *out, enum proto_type type)
{
    size_t start = out->len;

    put_u32(out, 0); /* filled in by frame_end() */
    put_u8(out, type);
    return start;
}

static void frame_end(struct buf *out, size_t start)
{
    size_t len = out->len - start - LENGTH_SIZE;

    assert(len <= PROTO_FRAME_MAX);
    for (size_t i = 0; i < LENGTH_SIZE; i++)
        out->data[start + i] = (char)(unsigned char)(len >> (8 * i));
}

void proto_put_hello(struct buf *out, const struct proto_hello *hello)
{
    size_t start = frame_begin(out, PROTO_HELLO);

    assert(hello->held_count <= PROTO_HELD_MAX);
    put_u32(out, PROTO_VERSION);
    put_i64(out, hello->worker_id);
    put_i32(out, hello->pid);
    put_text(out, hello->pool);
    put_u32(out, hello->capacity);
    put_i64(out, hello->started_at_us);
    put_i64(out, hello->jobs_total);
    put_u32(out, hello->held_count);
    for (unsigned i = 0; i < hello->held_count; i++) {
        put_id(out, hello->held[i].job_id);
        put_i32(out, hello->held[i].attempt);
    }
    frame_end(out, start);
}

static void put_inputs(struct buf *out, const struct inputs *in)
{
    put_u32(out, (uint32_t)in->count);
    for (size_t i = 0; i < in->count; i++) {
        put_text(out, in->items[i].path);
        put_bytes(out, in->items[i].data, in->items[i].len);
    }
}

void proto_put_run(struct buf *out, const struct order *order)
{
    size_t start = frame_begin(out, PROTO_RUN);

    put_id(out, order->job_id);
    put_i32(out, order->attempt);
    put_i32(out, order->priority);
    put_text(out, order->function);
    put_list(out, order->argv);
    put_list(out, order->env);
    put_bytes(out, order->input, order->input_len);
    put_i64(out, order->timeout_us);
    put_i64(out, order->grace_us);
    put_u8(out, order->result_from_stdout);
    for (int i = 0; i < LIMIT_MAX_; i++)
        put_i64(out, order->limits.values[i]);
    put_u8(out, order->leftover);
    put_inputs(out, &order->inputs);
    frame_end(out, start);
}

void proto_put_cancel(struct buf *out, const struct proto_cancel *cancel)
{
    size_t start = frame_begin(out, PROTO_CANCEL);

    put_id(out, cancel->job_id);
    put_i32(out, cancel->attempt);
    put_u8(out, cancel->mode);
    put_i64(out, cancel->grace_us);
    frame_end(out, start);
}

static void put_capture(struct buf *out, const struct capture *c)
{
    put_i64(out, c->total_bytes);
    put_i64(out, c->kept_bytes);
    put_i64(out, c->head_bytes);
    put_u8(out, c->spilled);
    put_bytes(out, c->spilled ? NULL : c->data, (size_t)c->kept_bytes);
}

static void put_cost(struct buf *out, const struct outcome *o)
{
    put_i64(out, o->started_at_us);
    put_i64(out, o->finished_at_us);
    put_i64(out, o->user_cpu_us);
    put_i64(out, o->system_cpu_us);
    put_i64(out, o->max_rss_bytes);
    put_i64(out, o->voluntary_switches);
    put_i64(out, o->involuntary_switches);
    put_u8(out, o->containment);
    put_u32(out, o->limits_enforced);
    put_u32(out, o->limits_by_cgroup);
    put_u32(out, o->limits_exceeded);
    put_i32(out, o->leftovers_killed);
    put_i32(out, o->pid);
}

void proto_put_outcome(struct buf *out, const struct outcome *outcome)
{
    size_t start = frame_begin(out, PROTO_OUTCOME);

    put_id(out, outcome->job_id);
    put_i32(out, outcome->attempt);
    put_u8(out, outcome->cause);
    put_i32(out, outcome->exit_code);
    put_i32(out, outcome->signal);
    put_text(out, outcome->message);
    put_text(out, outcome->spawn_stage);
    put_i32(out, outcome->spawn_errno);
    put_cost(out, outcome);
    for (int i = 0; i < STREAM_MAX_; i++)
        put_capture(out, &outcome->captures[i]);
    put_u8(out, outcome->result_kind);
    put_bytes(out, outcome->result, outcome->result_len);
    frame_end(out, start);
}

void proto_put_ack(struct buf *out, const struct proto_attempt *ack)
{
    size_t start = frame_begin(out, PROTO_ACK);

    put_id(out, ack->job_id);
    put_i32(out, ack->attempt);
    frame_end(out, start);
}

void proto_put_progress(struct buf *out, const struct proto_progress *progress)
{
    size_t start = frame_begin(out, PROTO_PROGRESS);

    put_id(out, progress->job_id);
    put_i32(out, progress->attempt);
    put_double(out, progress->fraction);
    put_text(out, progress->message);
    frame_end(out, start);
}

void proto_put_status(struct buf *out, const struct proto_status *status)
{
    size_t start = frame_begin(out, PROTO_STATUS);

    put_u8(out, status->state);
    put_u32(out, status->capacity);
    put_i32(out, status->program_pid);
    put_i64(out, status->rss_bytes);
    put_text(out, status->reason);
    frame_end(out, start);
}

void proto_put_tidy(struct buf *out)
{
    frame_end(out, frame_begin(out, PROTO_TIDY));
}

/* ---- decoding ---------------------------------------------------------------------------- */

/* What is left of a body. The first thing that does not fit sets `bad`, after which every
 * getter gives zero: a decoder asks once, at its end (body_end()). */
struct body {
    const char *next;
    size_t left;
    bool bad;
};

static const char *get_block(struct body *b, size_t len)
{
    const char *block = b->next;

    if (b->bad || len > b->left) {
        b->bad = true;
        return NULL;
    }
    b->next += len;
    b->left -= len;
    return block;
}

static unsigned get_u8(struct body *b)
{
    const char *block = get_block(b, 1);

    return block ? (unsigned char)*block : 0;
}

static uint32_t get_u32(struct body *b)
{
    const char *block = get_block(b, 4);
    uint32_t value = 0;

    for (size_t i = 0; block && i < 4; i++)
        value |= (uint32_t)(unsigned char)block[i] << (8 * i);
    return value;
}

static uint64_t get_u64(struct body *b)
{
    uint64_t low = get_u32(b);

    return low | (uint64_t)get_u32(b) << 32;
}

static int get_i32(struct body *b)
{
    return (int)get_u32(b);
}

static int64_t get_i64(struct body *b)
{
    return (int64_t)get_u64(b);
}

/* A number that is 0 or more. */
static int64_t get_size(struct body *b)
{
    int64_t value = get_i64(b);

    if (value < 0)
        b->bad = true;
    return b->bad ? 0 : value;
}

static bool get_bool(struct body *b)
{
    unsigned value = get_u8(b);

    if (value > 1)
        b->bad = true;
    return value == 1;
}

/* A value of an enum, 0..max-1. */
static unsigned get_enum(struct body *b, unsigned max)
{
    unsigned value = get_u8(b);

    if (value >= max)
        b->bad = true;
    return b->bad ? 0 : value;
}

static double get_double(struct body *b)
{
    uint64_t bits = get_u64(b);
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static struct uuid7 get_id(struct body *b)
{
    struct uuid7 id;

    id.hi = get_u64(b);
    id.lo = get_u64(b);
    return id;
}

/* A copy on the heap with a NUL behind it, or NULL. */
static char *get_bytes(struct body *b, size_t *ret_len)
{
    uint32_t len = get_u32(b);
    const char *block;

    *ret_len = 0;
    if (b->bad || len == TEXT_NULL)
        return NULL;
    block = get_block(b, len);
    if (!block)
        return NULL;
    *ret_len = len;
    return mem_dup(block, len);
}

static char *get_text(struct body *b)
{
    size_t len;
    char *text = get_bytes(b, &len);

    if (text && memchr(text, '\0', len))
        b->bad = true;
    return text;
}

static char **get_list(struct body *b)
{
    uint32_t count = get_u32(b);
    char **list;

    /* An entry takes at least its length: a torn count must not make a large allocation. */
    if (count > LIST_MAX || count > b->left / LENGTH_SIZE)
        b->bad = true;
    if (b->bad)
        count = 0;
    list = mem_array0((size_t)count + 1, sizeof *list);
    for (uint32_t i = 0; i < count; i++) {
        list[i] = get_text(b);
        if (!list[i]) { /* NULL would end the list early */
            b->bad = true;
            break;
        }
    }
    return list;
}

static struct limits get_limits(struct body *b)
{
    struct limits l;

    for (int i = 0; i < LIMIT_MAX_; i++)
        l.values[i] = get_size(b);
    return l;
}

/* A set of limits as bits. */
static unsigned get_limit_set(struct body *b)
{
    uint32_t set = get_u32(b);

    if (set >= 1u << LIMIT_MAX_)
        b->bad = true;
    return b->bad ? 0 : set;
}

static struct inputs get_inputs(struct body *b)
{
    struct inputs in = { 0 };
    uint32_t count = get_u32(b);

    if (count > INPUTS_MAX)
        b->bad = true;
    if (b->bad || count == 0)
        return in;
    in.items = mem_array0(count, sizeof *in.items);
    in.count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct input *item = &in.items[i];

        item->path = get_text(b);
        item->data = get_bytes(b, &item->len);
        if (!item->path || !item->data)
            b->bad = true;
    }
    return in;
}

static int body_end(const struct body *b, const char *what, struct errinfo *e)
{
    if (b->bad)
        return err_set(e, ERR_PROTOCOL, "the %s frame is torn or out of range", what);
    if (b->left > 0)
        return err_set(e, ERR_PROTOCOL, "the %s frame has %zu bytes too many", what, b->left);
    return 0;
}

int proto_next(const struct buf *in, enum proto_type *ret_type, const char **ret_body,
               size_t *ret_body_len, struct errinfo *e)
{
    struct body b = { .next = in->data, .left = in->len };
    uint32_t len;
    unsigned type;

    if (in->len < LENGTH_SIZE + 1)
        return 0;
    len = get_u32(&b);
    if (len < 1 || len > PROTO_FRAME_MAX)
        return err_set(e, ERR_PROTOCOL, "a frame of %u bytes", len);
    type = (unsigned char)*b.next;
    if (type < PROTO_HELLO || type > PROTO_TIDY)
        return err_set(e, ERR_PROTOCOL, "a frame of the unknown type %u", type);
    if (b.left < len)
        return 0;
    *ret_type = (enum proto_type)type;
    *ret_body = b.next + 1;
    *ret_body_len = len - 1;
    return (int)(LENGTH_SIZE + len);
}

static void get_held(struct body *b, struct proto_hello *hello)
{
    hello->held_count = get_u32(b);
    if (hello->held_count > PROTO_HELD_MAX) {
        b->bad = true;
        hello->held_count = 0;
    }
    for (unsigned i = 0; i < hello->held_count; i++) {
        hello->held[i].job_id = get_id(b);
        hello->held[i].attempt = get_i32(b);
    }
}

int proto_get_hello(const char *body, size_t len, struct proto_hello *ret, struct errinfo *e)
{
    struct body b = { .next = body, .left = len };
    struct proto_hello hello = { 0 };
    AUTO(mem) char *pool = NULL;
    uint32_t version = get_u32(&b);
    int r;

    if (!b.bad && version != PROTO_VERSION)
        return err_set(e, ERR_PROTOCOL, "protocol version %u, want %d", version, PROTO_VERSION);
    hello.worker_id = get_i64(&b);
    hello.pid = get_i32(&b);
    pool = get_text(&b);
    if (!pool || strlen(pool) >= sizeof hello.pool)
        b.bad = true;
    else
        text_copy(hello.pool, sizeof hello.pool, pool);
    hello.capacity = get_u32(&b);
    hello.started_at_us = get_i64(&b);
    hello.jobs_total = get_size(&b);
    get_held(&b, &hello);
    r = body_end(&b, "HELLO", e);
    if (r == 0)
        *ret = hello;
    return r;
}

int proto_get_run(const char *body, size_t len, struct order *ret, struct errinfo *e)
{
    struct body b = { .next = body, .left = len };
    struct order order = { 0 };
    int r;

    order.job_id = get_id(&b);
    order.attempt = get_i32(&b);
    order.priority = get_i32(&b);
    order.function = get_text(&b);
    order.argv = get_list(&b);
    order.env = get_list(&b);
    order.input = get_bytes(&b, &order.input_len);
    order.timeout_us = get_size(&b);
    order.grace_us = get_size(&b);
    order.result_from_stdout = get_bool(&b);
    order.limits = get_limits(&b);
    order.leftover = (enum leftover)get_enum(&b, LEFTOVER_MAX_);
    order.inputs = get_inputs(&b);
    r = body_end(&b, "RUN", e);
    if (r < 0)
        order_fini(&order);
    else
        *ret = order;
    return r;
}

int proto_get_cancel(const char *body, size_t len, struct proto_cancel *ret, struct errinfo *e)
{
    struct body b = { .next = body, .left = len };
    struct proto_cancel cancel;
    int r;

    cancel.job_id = get_id(&b);
    cancel.attempt = get_i32(&b);
    cancel.mode = (enum proto_cancel_mode)get_enum(&b, PROTO_CANCEL_SHUTDOWN + 1);
    cancel.grace_us = get_i64(&b);
    r = body_end(&b, "CANCEL", e);
    if (r == 0)
        *ret = cancel;
    return r;
}

static void get_capture(struct body *b, struct capture *c)
{
    size_t len;

    c->total_bytes = get_size(b);
    c->kept_bytes = get_size(b);
    c->head_bytes = get_size(b);
    c->spilled = get_bool(b);
    c->data = get_bytes(b, &len);
    if (c->spilled ? c->data != NULL : c->kept_bytes != (int64_t)len)
        b->bad = true;
    if (c->kept_bytes > c->total_bytes || c->head_bytes > c->kept_bytes)
        b->bad = true;
}

static void get_cost(struct body *b, struct outcome *o)
{
    o->started_at_us = get_i64(b);
    o->finished_at_us = get_i64(b);
    o->user_cpu_us = get_i64(b);
    o->system_cpu_us = get_i64(b);
    o->max_rss_bytes = get_i64(b);
    o->voluntary_switches = get_i64(b);
    o->involuntary_switches = get_i64(b);
    o->containment = (enum containment)get_enum(b, CONTAINMENT_MAX_);
    o->limits_enforced = get_limit_set(b);
    o->limits_by_cgroup = get_limit_set(b);
    o->limits_exceeded = get_limit_set(b);
    o->leftovers_killed = get_i32(b);
    o->pid = get_i32(b);
}

int proto_get_outcome(const char *body, size_t len, struct outcome *ret, struct errinfo *e)
{
    struct body b = { .next = body, .left = len };
    struct outcome o = { 0 };
    int r;

    o.job_id = get_id(&b);
    o.attempt = get_i32(&b);
    o.cause = (enum cause)get_enum(&b, CAUSE_MAX_);
    o.exit_code = get_i32(&b);
    o.signal = get_i32(&b);
    o.message = get_text(&b);
    o.spawn_stage = get_text(&b);
    o.spawn_errno = get_i32(&b);
    get_cost(&b, &o);
    for (int i = 0; i < STREAM_MAX_; i++)
        get_capture(&b, &o.captures[i]);
    o.result_kind = (enum result_kind)get_enum(&b, RESULT_KIND_MAX_);
    o.result = get_bytes(&b, &o.result_len);
    if ((o.result_kind == RESULT_JSON) != (o.result != NULL))
        b.bad = true;
    r = body_end(&b, "OUTCOME", e);
    if (r < 0)
        outcome_fini(&o);
    else
        *ret = o;
    return r;
}

int proto_get_ack(const char *body, size_t len, struct proto_attempt *ret, struct errinfo *e)
{
    struct body b = { .next = body, .left = len };
    struct proto_attempt ack;
    int r;

    ack.job_id = get_id(&b);
    ack.attempt = get_i32(&b);
    r = body_end(&b, "ACK", e);
    if (r == 0)
        *ret = ack;
    return r;
}

int proto_get_progress(const char *body, size_t len, struct proto_progress *ret,
                       struct errinfo *e)
{
    struct body b = { .next = body, .left = len };
    struct proto_progress p;
    int r;

    p.job_id = get_id(&b);
    p.attempt = get_i32(&b);
    p.fraction = get_double(&b);
    p.message = get_text(&b);
    if (!(p.fraction <= 1)) /* not a number is out of range too */
        b.bad = true;
    r = body_end(&b, "PROGRESS", e);
    if (r < 0) {
        free(p.message);
        return r;
    }
    *ret = p;
    return 0;
}

int proto_get_status(const char *body, size_t len, struct proto_status *ret, struct errinfo *e)
{
    struct body b = { .next = body, .left = len };
    struct proto_status status = { 0 };
    AUTO(mem) char *reason = NULL;
    int r;

    status.state = (enum proto_state)get_enum(&b, PROTO_STATE_MAX_);
    status.capacity = get_u32(&b);
    status.program_pid = get_i32(&b);
    status.rss_bytes = get_size(&b);
    reason = get_text(&b);
    if (!reason || strlen(reason) >= sizeof status.reason)
        b.bad = true;
    else
        text_copy(status.reason, sizeof status.reason, reason);
    r = body_end(&b, "STATUS", e);
    if (r == 0)
        *ret = status;
    return r;
}

int proto_get_tidy(const char *body, size_t len, struct errinfo *e)
{
    const struct body b = { .next = body, .left = len };

    return body_end(&b, "TIDY", e);
}
