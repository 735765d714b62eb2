#include "domain/outcome_record.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/packed.h"

#define FORMAT 1

static bool is_empty(const struct capture *c)
{
    return c->total_bytes == 0 && c->kept_bytes == 0 && !c->spilled;
}

/* "" is how a record says NULL. */
static bool is_told(const char *text)
{
    return !text || *text;
}

bool outcome_record_suits(const struct outcome *o)
{
    for (int i = 0; i < STREAM_MAX_; i++)
        if (!is_empty(&o->captures[i]))
            return false;
    return is_told(o->message) && is_told(o->spawn_stage);
}

static void add_cost(struct buf *b, const struct outcome *o)
{
    packed_add_signed(b, o->user_cpu_us);
    packed_add_signed(b, o->system_cpu_us);
    packed_add_signed(b, o->max_rss_bytes);
    packed_add_signed(b, o->voluntary_switches);
    packed_add_signed(b, o->involuntary_switches);
    packed_add_number(b, o->containment);
    packed_add_number(b, o->limits_enforced);
    packed_add_number(b, o->limits_by_cgroup);
    packed_add_number(b, o->limits_exceeded);
    packed_add_signed(b, o->leftovers_killed);
}

void outcome_record_add(struct buf *b, const struct outcome *o)
{
    assert(outcome_record_suits(o));
    buf_add_char(b, FORMAT);
    packed_add_text(b, cause_meta(o->cause)->slug);
    packed_add_number(b, o->result_kind);
    packed_add_signed(b, o->started_at_us);
    packed_add_signed(b, o->finished_at_us - o->started_at_us);
    packed_add_signed(b, o->exit_code);
    packed_add_signed(b, o->signal);
    packed_add_signed(b, o->pid);
    add_cost(b, o);
    packed_add_signed(b, o->spawn_errno);
    packed_add_text(b, o->spawn_stage ? o->spawn_stage : "");
    packed_add_text(b, o->message ? o->message : "");
    if (o->result_kind == RESULT_JSON)
        buf_add(b, o->result, o->result_len);
}

static int read_int(struct packed *p)
{
    int64_t n = packed_signed(p);

    if (n < INT32_MIN || n > INT32_MAX) {
        p->broken = true;
        return 0;
    }
    return (int)n;
}

static unsigned read_bits(struct packed *p)
{
    return (unsigned)packed_small(p, UINT32_MAX);
}

static char *read_text(struct packed *p)
{
    const char *text = packed_text(p);

    return *text ? mem_str(text) : NULL;
}

static void read_cost(struct packed *p, struct outcome *o)
{
    o->user_cpu_us = packed_signed(p);
    o->system_cpu_us = packed_signed(p);
    o->max_rss_bytes = packed_signed(p);
    o->voluntary_switches = packed_signed(p);
    o->involuntary_switches = packed_signed(p);
    o->containment = (enum containment)packed_small(p, CONTAINMENT_MAX_ - 1);
    o->limits_enforced = read_bits(p);
    o->limits_by_cgroup = read_bits(p);
    o->limits_exceeded = read_bits(p);
    o->leftovers_killed = read_int(p);
}

static void read_result(struct packed *p, struct outcome *o)
{
    if (p->broken || o->result_kind != RESULT_JSON)
        return;
    o->result_len = (size_t)(p->end - p->at);
    o->result = mem_dup(p->at, o->result_len);
    p->at = p->end;
}

bool outcome_record_read(const void *bytes, size_t len, struct outcome *o)
{
    struct packed p = { .at = bytes, .end = (const unsigned char *)bytes + len };
    int cause;

    if (packed_byte(&p) != FORMAT)
        return false;
    cause = cause_parse(packed_text(&p));
    if (cause < 0)
        return false;
    o->cause = (enum cause)cause;
    o->result_kind = (enum result_kind)packed_small(&p, RESULT_KIND_MAX_ - 1);
    o->started_at_us = packed_signed(&p);
    if (__builtin_add_overflow(o->started_at_us, packed_signed(&p), &o->finished_at_us))
        return false;
    o->exit_code = read_int(&p);
    o->signal = read_int(&p);
    o->pid = read_int(&p);
    read_cost(&p, o);
    o->spawn_errno = read_int(&p);
    o->spawn_stage = read_text(&p);
    o->message = read_text(&p);
    read_result(&p, o);
    return !p.broken && p.at == p.end;
}
