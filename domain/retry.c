#include "domain/retry.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"

static const char *const backoff_names[RETRY_BACKOFF_MAX_] = {
    [RETRY_EXPONENTIAL] = "exponential",
    [RETRY_LINEAR] = "linear",
    [RETRY_CONSTANT] = "constant",
};

const char *retry_backoff_name(enum retry_backoff backoff)
{
    assert(backoff < RETRY_BACKOFF_MAX_);
    return backoff_names[backoff];
}

int retry_backoff_parse(const char *name)
{
    for (int i = 0; i < RETRY_BACKOFF_MAX_; i++)
        if (strcmp(name, backoff_names[i]) == 0)
            return i;
    return -1;
}

bool retry_cause_allowed(enum cause cause)
{
    switch (cause) {
    case CAUSE_NONE: /* no failure */
    case CAUSE_NEVER_STARTED:
    case CAUSE_SHUTDOWN:
    case CAUSE_CANCELED: /* asked for */
    case CAUSE_REJECTED: /* the job would have to change */
    case CAUSE_QUARANTINED:
    case CAUSE_MAX_:
        return false;
    default:
        return true;
    }
}

static unsigned all_causes(void)
{
    unsigned set = 0;

    for (int i = 0; i < CAUSE_MAX_; i++)
        if (retry_cause_allowed((enum cause)i))
            set |= 1u << i;
    return set;
}

struct retry_policy retry_default(void)
{
    return (struct retry_policy){
        .max_attempts = 1,
        .backoff = RETRY_EXPONENTIAL,
        .initial_delay_us = USEC_PER_SEC,
        .multiplier = 2,
        .max_delay_us = 3600 * USEC_PER_SEC,
        .jitter = 0.2,
        .on = all_causes(),
    };
}

void retry_add_fatal_code(struct retry_policy *p, int exit_code)
{
    assert(exit_code >= 0 && exit_code <= 255);
    p->fatal_exit_codes[exit_code / 64] |= UINT64_C(1) << (exit_code % 64);
}

bool retry_is_fatal_code(const struct retry_policy *p, int exit_code)
{
    if (exit_code < 0 || exit_code > 255)
        return false;
    return (p->fatal_exit_codes[exit_code / 64] >> (exit_code % 64) & 1) != 0;
}

/* ---- the decision ------------------------------------------------------------------ */

/* A start that failed for what the program is, and not for the state of the machine. */
static bool is_hopeless(const struct outcome *o)
{
    static const int errors[] = { ENOENT, EACCES,       EPERM, ENOEXEC, ENOTDIR, EISDIR,
                                  ELOOP,  ENAMETOOLONG, E2BIG, EINVAL,  ELIBBAD };

    for (size_t i = 0; i < COUNT_OF(errors); i++)
        if (o->cause == CAUSE_SPAWN_FAILED && o->spawn_errno == errors[i])
            return true;
    return false;
}

static double at_most(double a, double b)
{
    return a < b ? a : b;
}

static double grown_delay(const struct retry_policy *p, int tried)
{
    double longest = (double)p->max_delay_us;
    double delay = (double)p->initial_delay_us;

    if (p->backoff == RETRY_LINEAR)
        delay *= tried;
    for (int i = 1; p->backoff == RETRY_EXPONENTIAL && i < tried && delay < longest; i++)
        delay *= p->multiplier;
    return at_most(delay, longest);
}

/* Between delay * (1 - jitter) and delay * (1 + jitter), each as likely, and never beyond the
 * longest. */
static usec_t delay_of(const struct retry_policy *p, int tried, uint64_t random)
{
    double delay = grown_delay(p, tried);
    double low = delay * (1 - p->jitter);
    double high = at_most(delay * (1 + p->jitter), (double)p->max_delay_us);
    double part = (double)(random >> 11) / (double)(UINT64_C(1) << 53); /* 0..1 */

    return (usec_t)(low + part * (high - low));
}

bool retry_decide(const struct retry_policy *p, const struct outcome *o, int tried,
                  uint64_t random, usec_t *ret_delay_us)
{
    assert(tried >= 1);
    if (tried >= p->max_attempts || (p->on >> o->cause & 1) == 0)
        return false;
    if (o->cause == CAUSE_EXIT_CODE && retry_is_fatal_code(p, o->exit_code))
        return false;
    if (is_hopeless(o))
        return false;
    *ret_delay_us = delay_of(p, tried, random);
    return true;
}

/* ---- JSON -------------------------------------------------------------------------- */

static json_t *seconds(usec_t us)
{
    if (us % USEC_PER_SEC == 0)
        return json_integer(us / USEC_PER_SEC);
    return json_real((double)us / (double)USEC_PER_SEC);
}

static json_t *real(double number)
{
    json_int_t whole = (json_int_t)number; /* a policy's numbers are small */

    return number == (double)whole ? json_integer(whole) : json_real(number);
}

static json_t *encode_on(unsigned on)
{
    json_t *array = json_array();

    for (int i = 0; i < CAUSE_MAX_; i++)
        if (on >> i & 1)
            (void)json_array_append_new(array, json_string(cause_meta((enum cause)i)->slug));
    return array;
}

static json_t *encode_codes(const struct retry_policy *p)
{
    json_t *array = json_array();

    for (int code = 0; code <= 255; code++)
        if (retry_is_fatal_code(p, code))
            (void)json_array_append_new(array, json_integer(code));
    return array;
}

json_t *retry_encode(const struct retry_policy *p)
{
    return json_pack(
        "{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "max_attempts", p->max_attempts, "backoff",
        retry_backoff_name(p->backoff), "initial_delay_seconds", seconds(p->initial_delay_us),
        "multiplier", real(p->multiplier), "max_delay_seconds", seconds(p->max_delay_us),
        "jitter", real(p->jitter), "on", encode_on(p->on), "fatal_exit_codes", encode_codes(p));
}

static void decode_on(const json_t *array, struct retry_policy *p)
{
    p->on = 0;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *slug = json_string_value(json_array_get(array, i));
        int cause = slug ? cause_parse(slug) : -1;

        if (cause >= 0)
            p->on |= 1u << cause;
    }
}

static void decode_codes(const json_t *array, struct retry_policy *p)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_int_t code = json_integer_value(json_array_get(array, i));

        if (code > 0 && code <= 255)
            retry_add_fatal_code(p, (int)code);
    }
}

static double number_of(const json_t *object, const char *name, double otherwise)
{
    const json_t *value = json_object_get(object, name);

    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static usec_t seconds_of(const json_t *object, const char *name, usec_t otherwise)
{
    double number = number_of(object, name, -1);
    usec_t us;

    return clock_seconds_to_us(number, RETRY_DELAY_MAX_SECONDS, &us) ? us : otherwise;
}

struct retry_policy retry_decode(const json_t *object)
{
    struct retry_policy p = retry_default();
    const char *backoff = json_string_value(json_object_get(object, "backoff"));
    int parsed = backoff ? retry_backoff_parse(backoff) : -1;

    p.max_attempts = (int)number_of(object, "max_attempts", p.max_attempts);
    if (parsed >= 0)
        p.backoff = (enum retry_backoff)parsed;
    p.initial_delay_us = seconds_of(object, "initial_delay_seconds", p.initial_delay_us);
    p.multiplier = number_of(object, "multiplier", p.multiplier);
    p.max_delay_us = seconds_of(object, "max_delay_seconds", p.max_delay_us);
    p.jitter = number_of(object, "jitter", p.jitter);
    if (json_object_get(object, "on"))
        decode_on(json_object_get(object, "on"), &p);
    decode_codes(json_object_get(object, "fatal_exit_codes"), &p);
    return p;
}
