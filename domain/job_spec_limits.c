/* domain/job_spec_limits.c - what a job says of its limits and of what it leaves behind. */
#include <inttypes.h>

#include "base/mem.h"
#include "domain/job_spec_members.h"
#include "domain/json_text.h"

static void decode_limit(struct job_spec_draft *d, enum limit limit, const json_t *value,
                         const char *pointer)
{
    const struct limit_meta *meta = limit_meta(limit);
    double number = json_number_value(value);

    if (!job_spec_want(d, json_is_number(value), value, pointer,
                       meta->unit > 1 ? "a number" : "an integer"))
        return;
    if (!limit_from_number(limit, number, &d->spec->limits.values[limit]))
        faults_add(d->faults, pointer, "out-of-range", "must be from %" PRId64 " to %" PRId64,
                   meta->min, meta->max);
    else if (meta->unit == 1 && number != (double)d->spec->limits.values[limit])
        faults_add(d->faults, pointer, "wrong-type", "must be an integer");
}

void job_spec_limits_decode(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    const char *names[LIMIT_MAX_];
    const char *name;
    json_t *member;

    if (!job_spec_want(d, json_is_object(value), value, pointer, "an object"))
        return;
    for (int i = 0; i < LIMIT_MAX_; i++)
        names[i] = limit_meta((enum limit)i)->name;
    json_object_foreach (json_iterable(value), name, member) {
        int limit = limit_parse(name);
        AUTO(mem) char *at = faults_pointer(pointer, name);

        if (limit >= 0)
            decode_limit(d, (enum limit)limit, member, at);
        else
            job_spec_unknown(d, pointer, name, names, LIMIT_MAX_);
    }
}

void job_spec_leftover_decode(struct job_spec_draft *d, const json_t *value,
                              const char *pointer)
{
    const char *name = json_string_value(value);
    int leftover;

    if (!job_spec_want(d, name != NULL, value, pointer, "a string"))
        return;
    leftover = leftover_parse(name);
    if (leftover < 0)
        faults_add(d->faults, pointer, "invalid-value", "must be kill, wait or detach");
    else
        d->spec->leftover = (enum leftover)leftover;
}

static const struct limits *ceiling_of(const struct job_spec_draft *d)
{
    return function_ceiling(d->rules->functions, d->spec->fn);
}

void job_spec_limits_check(struct job_spec_draft *d)
{
    const struct limits *ceiling = ceiling_of(d);

    for (int i = 0; i < LIMIT_MAX_; i++) {
        const struct limit_meta *meta = limit_meta((enum limit)i);
        int64_t most = ceiling->values[i];
        AUTO(mem) char *at = NULL;

        if (most == 0 || d->spec->limits.values[i] <= most)
            continue;
        at = faults_pointer("#/limits", meta->name);
        faults_add(d->faults, at, "above-function-limit",
                   "%s at most %.10g; a job may lower it",
                   d->spec->fn ? "the function allows" : "command_limits of the server allow",
                   (double)most / (double)meta->unit);
    }
}

void job_spec_limits_fill(struct job_spec_draft *d)
{
    struct job_spec *spec = d->spec;

    spec->limits = limits_lower(&spec->limits, ceiling_of(d));
    if (!d->sent[SPEC_LEFTOVER] && spec->fn)
        spec->leftover = spec->fn->leftover;
}
