#include "domain/event.h"

#include <assert.h>

#include "base/text.h"

static const char *const names[EVENT_KIND_MAX_] = {
#define EVENT(symbol, name) [EVENT_##symbol] = (name),
#include "domain/event.def"
#undef EVENT
};

const char *event_kind_name(enum event_kind kind)
{
    assert(kind < EVENT_KIND_MAX_);
    return names[kind];
}

int event_kind_parse(const char *name)
{
    for (int kind = 0; kind < EVENT_KIND_MAX_; kind++)
        if (text_equal(names[kind], name))
            return kind;
    return -1;
}

bool event_kind_is_batch(enum event_kind kind)
{
    return text_starts(event_kind_name(kind), "batch.", NULL);
}

bool event_kind_is_final(enum event_kind kind)
{
    switch (kind) {
    case EVENT_JOB_SUCCEEDED:
    case EVENT_JOB_FAILED:
    case EVENT_JOB_CANCELED:
    case EVENT_JOB_EXPIRED:
    case EVENT_BATCH_SUCCEEDED:
    case EVENT_BATCH_FAILED:
    case EVENT_BATCH_CANCELED:
        return true;
    default:
        return false;
    }
}

bool event_matches(const struct event *ev, const struct event_filter *f)
{
    bool is_batch = event_kind_is_batch(ev->kind);

    if (f->kinds && !(f->kinds & UINT64_C(1) << ev->kind))
        return false;
    if (f->has_subject && !uuid7_equal(f->subject, ev->subject))
        return false;
    if (f->tenant && !text_equal(f->tenant, ev->tenant))
        return false;
    if (is_batch)
        return !f->states && !f->queue && !f->function;
    if (f->states && !(f->states & 1U << ev->state))
        return false;
    if (f->queue && !text_equal(f->queue, ev->queue))
        return false;
    return !f->function || text_equal(f->function, ev->function ? ev->function : "");
}
