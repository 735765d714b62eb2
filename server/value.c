#include "server/value.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "base/clean.h"
#include "base/text.h"

#define DURATION_MAX_US (INT64_C(36525) * 86400 * USEC_PER_SEC) /* 100 years */
#define DECIMALS_MAX    6

struct unit {
    const char *name;
    int64_t size;
};

/* From the largest: the first that divides a value without rest is how it is written. */
static const struct unit time_units[] = {
    { "d", 86400 * USEC_PER_SEC }, { "h", 3600 * USEC_PER_SEC }, { "m", 60 * USEC_PER_SEC },
    { "s", USEC_PER_SEC },         { "ms", USEC_PER_MS },        { "us", 1 },
};
static const struct unit byte_units[] = {
    { "GiB", INT64_C(1) << 30 },
    { "MiB", INT64_C(1) << 20 },
    { "KiB", INT64_C(1) << 10 },
    { "", 1 },
};

static int64_t unit_size(const struct unit *units, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(units[i].name, name))
            return units[i].size;
    return 0;
}

static char *format_with(const struct unit *units, size_t count, int64_t value,
                         char text[VALUE_TEXT_SIZE])
{
    size_t i = 0;

    while (i + 1 < count && (value == 0 || value % units[i].size != 0))
        i++;
    (void)snprintf(text, VALUE_TEXT_SIZE, "%" PRId64 "%s", value / units[i].size,
                   units[i].name);
    return text;
}

/* The digits at *p as a number of at most max; moves *p behind them. */
static bool read_digits(const char **p, int64_t max, int64_t *ret_number, int *ret_count)
{
    int64_t n = 0;
    int count = 0;

    for (; **p >= '0' && **p <= '9'; (*p)++, count++) {
        n = n * 10 + (**p - '0');
        if (n > max)
            return false;
    }
    *ret_number = n;
    *ret_count = count;
    return true;
}

/* One blank may stand before a unit. */
static const char *skip_blank(const char *p)
{
    return p[0] == ' ' && p[1] != '\0' ? p + 1 : p;
}

bool value_duration(const char *text, usec_t *ret_us)
{
    int64_t whole, part = 0, part_of = 1, unit;
    int digits, decimals;

    if (!read_digits(&text, DURATION_MAX_US, &whole, &digits) || digits == 0)
        return false;
    if (*text == '.') {
        text++;
        if (!read_digits(&text, 999999, &part, &decimals) || decimals == 0 ||
            decimals > DECIMALS_MAX)
            return false;
        while (decimals-- > 0)
            part_of *= 10;
    }
    text = skip_blank(text);
    unit = *text ? unit_size(time_units, COUNT_OF(time_units), text) : USEC_PER_SEC;
    if (unit == 0 || whole > (DURATION_MAX_US - unit) / unit)
        return false;
    *ret_us = whole * unit + part * unit / part_of;
    return true;
}

char *value_duration_format(usec_t us, char text[VALUE_TEXT_SIZE])
{
    if (us == 0)
        return text_copy(text, VALUE_TEXT_SIZE, "0s");
    return format_with(time_units, COUNT_OF(time_units), us, text);
}

bool value_bytes(const char *text, int64_t *ret_bytes)
{
    int64_t number, unit;
    int digits;

    if (!read_digits(&text, INT64_MAX / 10 - 1, &number, &digits) || digits == 0)
        return false;
    text = skip_blank(text);
    unit = unit_size(byte_units, COUNT_OF(byte_units), text);
    return unit > 0 && !__builtin_mul_overflow(number, unit, ret_bytes);
}

char *value_bytes_format(int64_t bytes, char text[VALUE_TEXT_SIZE])
{
    return format_with(byte_units, COUNT_OF(byte_units), bytes, text);
}

bool value_bool(const char *text, bool *ret_bool)
{
    static const char *const words[2][4] = { { "false", "no", "off", "0" },
                                             { "true", "yes", "on", "1" } };

    for (size_t i = 0; i < COUNT_OF(words); i++)
        for (size_t j = 0; j < COUNT_OF(words[i]); j++)
            if (text_equal(words[i][j], text)) {
                *ret_bool = i == 1;
                return true;
            }
    return false;
}
