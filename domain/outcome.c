#include "domain/outcome.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const struct cause_meta causes[CAUSE_MAX_] = {
#define CAUSE(symbol, slug, kind, message) [CAUSE_##symbol] = { slug, kind, message },
#include "domain/cause.def"
#undef CAUSE
};

static const char *const stream_names[STREAM_MAX_] = {
    [STREAM_STDOUT] = "stdout",
    [STREAM_STDERR] = "stderr",
};

static const char *const containment_names[CONTAINMENT_MAX_] = {
    [CONTAINMENT_NONE] = "none",
    [CONTAINMENT_SUBREAPER] = "subreaper",
    [CONTAINMENT_CGROUP] = "cgroup",
};

const struct cause_meta *cause_meta(enum cause cause)
{
    assert(cause < CAUSE_MAX_);
    return &causes[cause];
}

int cause_parse(const char *slug)
{
    for (int i = 0; i < CAUSE_MAX_; i++)
        if (strcmp(slug, causes[i].slug) == 0)
            return i;
    return -1;
}

const char *stream_name(enum stream stream)
{
    assert(stream < STREAM_MAX_);
    return stream_names[stream];
}

int stream_parse(const char *name)
{
    for (int i = 0; i < STREAM_MAX_; i++)
        if (strcmp(name, stream_names[i]) == 0)
            return i;
    return -1;
}

const char *containment_name(enum containment containment)
{
    assert(containment < CONTAINMENT_MAX_);
    return containment_names[containment];
}

bool outcome_is_release(const struct outcome *o)
{
    return o->cause == CAUSE_NEVER_STARTED || o->cause == CAUSE_SHUTDOWN;
}

void outcome_fini(struct outcome *o)
{
    free(o->message);
    free(o->spawn_stage);
    free(o->result);
    for (int i = 0; i < STREAM_MAX_; i++)
        free(o->captures[i].data);
    *o = (struct outcome){ 0 };
}
