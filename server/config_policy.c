/* server/config_policy.c - the keys of `limits`, `command_limits` and `retry`: those of a
 * request for a job, with the units that the file allows (64MiB, 1.5m). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "server/config_loader.h"

/* ---- limits ------------------------------------------------------------------------------ */

/* clang-format off */
#define KIND_CPU        OPTION_DURATION
#define KIND_MEMORY     OPTION_BYTES
#define KIND_PROCESSES  OPTION_NUMBER
#define KIND_OPEN_FILES OPTION_NUMBER
#define KIND_FILE_SIZE  OPTION_BYTES
#define KIND_OUTPUT     OPTION_BYTES

const struct option config_limit_keys[CONFIG_LIMIT_KEYS] = {
#define LIMIT(symbol, name, unit, min_, max_)                                                  \
    { .key = (name), .kind = KIND_##symbol,                                                    \
      .offset = offsetof(struct limits, values) + LIMIT_##symbol * sizeof(int64_t),            \
      .min = (int64_t)(min_) * (unit), .max = (int64_t)(max_) * (unit) },
#include "domain/limits.def"
#undef LIMIT
};
/* clang-format on */

/* ---- retry ------------------------------------------------------------------------------- */

/* A policy as it is written. */
struct retry_values {
    int64_t max_attempts;
    int64_t backoff; /* an index into the choices below */
    usec_t initial_delay_us;
    char *multiplier;
    usec_t max_delay_us;
    char *jitter;
    struct text_list on;
    struct text_list fatal_exit_codes;
};

static const enum retry_backoff backoffs[] = { RETRY_CONSTANT, RETRY_LINEAR,
                                               RETRY_EXPONENTIAL };

/* clang-format off */
#define AT(member) .offset = offsetof(struct retry_values, member)
const struct option config_retry_keys[CONFIG_RETRY_KEYS] = {
    { .key = "max_attempts", AT(max_attempts), .kind = OPTION_NUMBER, .min = 1,
      .max = RETRY_ATTEMPTS_MAX },
    { .key = "backoff", AT(backoff), .kind = OPTION_CHOICE,
      .choices = "constant|linear|exponential" },
    { .key = "initial_delay_seconds", AT(initial_delay_us), .kind = OPTION_DURATION, .min = 0,
      .max = (usec_t)RETRY_DELAY_MAX_SECONDS * USEC_PER_SEC },
    { .key = "multiplier", AT(multiplier), .kind = OPTION_TEXT },
    { .key = "max_delay_seconds", AT(max_delay_us), .kind = OPTION_DURATION, .min = 0,
      .max = (usec_t)RETRY_DELAY_MAX_SECONDS * USEC_PER_SEC },
    { .key = "jitter", AT(jitter), .kind = OPTION_TEXT },
    { .key = "on", AT(on), .kind = OPTION_LIST },
    { .key = "fatal_exit_codes", AT(fatal_exit_codes), .kind = OPTION_LIST },
};
/* clang-format on */

static void retry_values_fini(struct retry_values *v)
{
    free(v->multiplier);
    free(v->jitter);
    text_list_fini(&v->on);
    text_list_fini(&v->fatal_exit_codes);
}
DEFINE_AUTO_FINI(retry_values, struct retry_values)

/* A mapping in hand. */
struct policy_case {
    struct loader *loader;
    const struct raw *raw;
    const char *prefix;
};

static bool is_said(const struct policy_case *c, const char *key)
{
    for (size_t i = 0; i < CONFIG_RETRY_KEYS; i++)
        if (text_equal(config_retry_keys[i].key, key))
            return c->raw[i].text || c->raw[i].items;
    return false;
}

/* A plain decimal number; strtod() would also take blanks, "inf" and hexadecimals. */
static bool read_real(const char *text, double min, double max, double *ret_number)
{
    char *end;
    double number;

    if (*text == '\0' || text[strspn(text, "0123456789.")] != '\0')
        return false;
    errno = 0;
    number = strtod(text, &end);
    if (*end != '\0' || errno != 0 || number < min || number > max)
        return false;
    *ret_number = number;
    return true;
}

static void set_real(const struct policy_case *c, const char *key, const char *text, double min,
                     double max, double *number)
{
    AUTO(mem) char *path = mem_printf("%s%s", c->prefix, key);

    if (text && !read_real(text, min, max, number))
        config_fault(c->loader, yaml_lines_find(&c->loader->lines, path), path,
                     "\"%.100s\" is not a number from %g to %g", text, min, max);
}

static void set_causes(const struct policy_case *c, const struct text_list *on,
                       struct retry_policy *p)
{
    if (is_said(c, "on"))
        p->on = 0;
    for (size_t i = 0; i < on->count; i++) {
        int cause = cause_parse(on->items[i]);
        AUTO(mem) char *path = mem_printf("%son[%zu]", c->prefix, i);

        if (cause >= 0 && retry_cause_allowed((enum cause)cause))
            p->on |= 1u << cause;
        else
            config_fault(
                c->loader, yaml_lines_find(&c->loader->lines, path), path,
                "\"%.100s\" is no cause that another attempt could change; see jobd(1)",
                on->items[i]);
    }
}

static void set_fatal_codes(const struct policy_case *c, const struct text_list *codes,
                            struct retry_policy *p)
{
    for (size_t i = 0; i < codes->count; i++) {
        AUTO(mem) char *path = mem_printf("%sfatal_exit_codes[%zu]", c->prefix, i);
        int64_t code;

        if (text_to_i64(codes->items[i], 1, 255, &code))
            retry_add_fatal_code(p, (int)code);
        else
            config_fault(c->loader, yaml_lines_find(&c->loader->lines, path), path,
                         "\"%.100s\" is not a whole number from 1 to 255", codes->items[i]);
    }
}

void config_load_retry(struct loader *l, const struct raw *raw, const char *prefix,
                       struct retry_policy *ret_policy)
{
    struct policy_case c = { l, raw, prefix };
    struct retry_policy p = retry_default();
    AUTO_FINI(retry_values)
    struct retry_values v = {
        .max_attempts = p.max_attempts,
        .backoff = COUNT_OF(backoffs) - 1, /* exponential: the default */
        .initial_delay_us = p.initial_delay_us,
        .max_delay_us = p.max_delay_us,
    };

    config_set_values(l, config_retry_keys, CONFIG_RETRY_KEYS, raw, prefix, &v);
    p.max_attempts = (int)v.max_attempts;
    p.backoff = backoffs[v.backoff];
    p.initial_delay_us = v.initial_delay_us;
    p.max_delay_us = v.max_delay_us;
    set_real(&c, "multiplier", v.multiplier, 1, RETRY_MULTIPLIER_MAX, &p.multiplier);
    set_real(&c, "jitter", v.jitter, 0, 1, &p.jitter);
    set_causes(&c, &v.on, &p);
    set_fatal_codes(&c, &v.fatal_exit_codes, &p);
    *ret_policy = p;
}
