/* domain/job_spec_retry.c - what a job says of its retries. */
#include "base/mem.h"
#include "base/text.h"
#include "domain/job_spec_members.h"
#include "domain/json_text.h"
#include "domain/suggest.h"

/* A number from min to max. */
static bool decode_real(struct job_spec_draft *d, const json_t *value, const char *pointer,
                        double min, double max, double *ret_number)
{
    double number = json_number_value(value);

    if (!job_spec_want(d, json_is_number(value), value, pointer, "a number"))
        return false;
    if (!(number >= min && number <= max)) {
        faults_add(d->faults, pointer, "out-of-range", "must be from %g to %g", min, max);
        return false;
    }
    *ret_number = number;
    return true;
}

static bool decode_int(struct job_spec_draft *d, const json_t *value, const char *pointer,
                       int min, int max, int *ret_number)
{
    double number;

    if (!decode_real(d, value, pointer, min, max, &number))
        return false;
    if (number != (double)(int)number) {
        faults_add(d->faults, pointer, "wrong-type", "must be an integer");
        return false;
    }
    *ret_number = (int)number;
    return true;
}

static void decode_max_attempts(struct job_spec_draft *d, const json_t *value,
                                const char *pointer)
{
    (void)decode_int(d, value, pointer, 1, RETRY_ATTEMPTS_MAX, &d->spec->retry.max_attempts);
}

static void decode_backoff(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    const char *name = json_string_value(value);
    int backoff;

    if (!job_spec_want(d, name != NULL, value, pointer, "a string"))
        return;
    backoff = retry_backoff_parse(name);
    if (backoff < 0)
        faults_add(d->faults, pointer, "invalid-value",
                   "must be constant, linear or exponential");
    else
        d->spec->retry.backoff = (enum retry_backoff)backoff;
}

static void decode_initial_delay(struct job_spec_draft *d, const json_t *value,
                                 const char *pointer)
{
    job_spec_seconds_decode(d, value, pointer, true, RETRY_DELAY_MAX_SECONDS,
                            &d->spec->retry.initial_delay_us);
}

static void decode_max_delay(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    job_spec_seconds_decode(d, value, pointer, true, RETRY_DELAY_MAX_SECONDS,
                            &d->spec->retry.max_delay_us);
}

static void decode_multiplier(struct job_spec_draft *d, const json_t *value,
                              const char *pointer)
{
    (void)decode_real(d, value, pointer, 1, RETRY_MULTIPLIER_MAX, &d->spec->retry.multiplier);
}

static void decode_jitter(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    (void)decode_real(d, value, pointer, 0, 1, &d->spec->retry.jitter);
}

static void decode_cause(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    const char *slug = json_string_value(value);
    struct suggestion s = { .word = slug };
    int cause;

    if (!job_spec_want(d, slug != NULL, value, pointer, "a string"))
        return;
    cause = cause_parse(slug);
    if (cause >= 0 && retry_cause_allowed((enum cause)cause)) {
        d->spec->retry.on |= 1u << cause;
        return;
    }
    for (int i = 0; i < CAUSE_MAX_; i++)
        if (retry_cause_allowed((enum cause)i))
            suggest_consider(&s, cause_meta((enum cause)i)->slug);
    faults_add(d->faults, pointer, "unknown-cause",
               "there is no such cause that another attempt could change%s%s%s",
               s.nearest ? "; did you mean " : "", s.nearest ? s.nearest : "",
               s.nearest ? "?" : "");
}

static void decode_on(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    if (!job_spec_want(d, json_is_array(value), value, pointer, "an array of strings"))
        return;
    if (json_array_size(value) > CAUSE_MAX_) {
        faults_add(d->faults, pointer, "too-long", "must have at most %d items", CAUSE_MAX_);
        return;
    }
    d->spec->retry.on = 0;
    for (size_t i = 0; i < json_array_size(value); i++) {
        AUTO(mem) char *at = mem_printf("%s/%zu", pointer, i);

        decode_cause(d, json_array_get(value, i), at);
    }
}

static void decode_fatal(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    struct retry_policy *p = &d->spec->retry;

    if (!job_spec_want(d, json_is_array(value), value, pointer, "an array of integers"))
        return;
    if (json_array_size(value) > 255) {
        faults_add(d->faults, pointer, "too-long", "must have at most 255 items");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(p->fatal_exit_codes); i++)
        p->fatal_exit_codes[i] = 0;
    for (size_t i = 0; i < json_array_size(value); i++) {
        AUTO(mem) char *at = mem_printf("%s/%zu", pointer, i);
        int code;

        if (decode_int(d, json_array_get(value, i), at, 1, 255, &code))
            retry_add_fatal_code(p, code);
    }
}

static const struct retry_member {
    const char *name;
    void (*decode)(struct job_spec_draft *d, const json_t *value, const char *pointer);
} members[] = {
    { "max_attempts", decode_max_attempts },
    { "backoff", decode_backoff },
    { "initial_delay_seconds", decode_initial_delay },
    { "multiplier", decode_multiplier },
    { "max_delay_seconds", decode_max_delay },
    { "jitter", decode_jitter },
    { "on", decode_on },
    { "fatal_exit_codes", decode_fatal },
};

static const struct retry_member *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (text_equal(members[i].name, name))
            return &members[i];
    return NULL;
}

void job_spec_retry_decode(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    const char *names[COUNT_OF(members)];
    const char *name;
    json_t *member;

    if (!job_spec_want(d, json_is_object(value), value, pointer, "an object"))
        return;
    for (size_t i = 0; i < COUNT_OF(members); i++)
        names[i] = members[i].name;
    json_object_foreach (json_iterable(value), name, member) {
        const struct retry_member *known = find(name);
        AUTO(mem) char *at = faults_pointer(pointer, name);

        if (known)
            known->decode(d, member, at);
        else
            job_spec_unknown(d, pointer, name, names, COUNT_OF(names));
    }
}

/* The job's own members on top of its function's: decoded once more, now that the function is
 * known. They are without fault. */
void job_spec_retry_fill(struct job_spec_draft *d)
{
    const struct function *fn = d->spec->fn;

    d->spec->retry = fn && fn->retry.max_attempts > 0 ? fn->retry : retry_default();
    if (d->sent[SPEC_RETRY])
        job_spec_retry_decode(d, d->sent[SPEC_RETRY], "#/retry");
}
