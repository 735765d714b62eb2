#include "base/clock.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#define SEC_PER_DAY 86400
#define WALL_US_MAX (253402300800 * USEC_PER_SEC - 1) /* 9999-12-31T23:59:59.999999Z */

/* The conversions are done here and not with gmtime_r(), which takes a lock of the C library.
 */
struct civil {
    int64_t year;
    int64_t month; /* 1..12 */
    int64_t day;   /* 1..31 */
};

static usec_t read_clock(clockid_t id)
{
    struct timespec now;
    int r = clock_gettime(id, &now);

    assert(r == 0); /* both clocks exist on every Linux */
    (void)r;
    return (usec_t)now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

usec_t clock_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

usec_t clock_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

usec_t clock_mono_coarse_us(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

/*
 * Days are counted from 0000-03-01, so that the leap day is the last day of a year and the
 * lengths of the months repeat in five-month groups of 153 days. 719468 of them lie before
 * 1970-01-01.
 */
#define DAYS_TO_1970 719468
#define DAYS_PER_ERA 146097 /* 400 years */

static int64_t civil_to_days(struct civil c)
{
    int64_t year =
        c.month <= 2 ? c.year + 399 : c.year + 400; /* one era ahead: never negative */
    int64_t month = (c.month + 9) % 12;             /* March is 0 */
    int64_t day_of_year = (153 * month + 2) / 5 + c.day - 1;

    return year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - DAYS_PER_ERA -
           DAYS_TO_1970;
}

static struct civil days_to_civil(int64_t days)
{
    int64_t from_march = days + DAYS_TO_1970;
    int64_t era = from_march / DAYS_PER_ERA;
    int64_t day_of_era = from_march % DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    struct civil c = {
        .year = era * 400 + year_of_era + (month >= 10),
        .month = (month + 2) % 12 + 1,
        .day = day_of_year - (153 * month + 2) / 5 + 1,
    };

    return c;
}

/* Write the last `digits` digits of number; returns the place behind them. */
static char *put_number(char *to, int64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        to[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return to + digits;
}

static char *put_char(char *to, char c)
{
    *to = c;
    return to + 1;
}

static char *format_wall(usec_t wall_us, bool micros, char text[CLOCK_TEXT_SIZE])
{
    usec_t us = wall_us < 0 ? 0 : wall_us > WALL_US_MAX ? WALL_US_MAX : wall_us;
    int64_t seconds = us / USEC_PER_SEC;
    int64_t fraction_us = us % USEC_PER_SEC;
    int64_t of_day = seconds % SEC_PER_DAY;
    struct civil c = days_to_civil(seconds / SEC_PER_DAY);
    char *p = text;

    p = put_char(put_number(p, c.year, 4), '-');
    p = put_char(put_number(p, c.month, 2), '-');
    p = put_char(put_number(p, c.day, 2), 'T');
    p = put_char(put_number(p, of_day / 3600, 2), ':');
    p = put_char(put_number(p, of_day / 60 % 60, 2), ':');
    p = put_char(put_number(p, of_day % 60, 2), '.');
    p = micros ? put_number(p, fraction_us, 6) : put_number(p, fraction_us / 1000, 3);
    p = put_char(p, 'Z');
    *p = '\0';
    return text;
}

char *clock_format(usec_t wall_us, char text[CLOCK_TEXT_SIZE])
{
    return format_wall(wall_us, false, text);
}

char *clock_format_us(usec_t wall_us, char text[CLOCK_TEXT_SIZE])
{
    return format_wall(wall_us, true, text);
}

/* The parser: each step eats from *p and says whether it liked what it found. */

static bool eat_number(const char **p, int digits, int64_t min, int64_t max,
                       int64_t *ret_number)
{
    int64_t number = 0;

    for (int i = 0; i < digits; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        number = number * 10 + (**p - '0');
    }
    if (number < min || number > max)
        return false;
    *ret_number = number;
    return true;
}

static bool eat_any(const char **p, const char *choices)
{
    if (**p == '\0' || !strchr(choices, **p))
        return false;
    (*p)++;
    return true;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int64_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[month - 1];
}

static bool eat_date(const char **p, int64_t *ret_days)
{
    struct civil c;

    if (!eat_number(p, 4, 0, 9999, &c.year) || !eat_any(p, "-") ||
        !eat_number(p, 2, 1, 12, &c.month) || !eat_any(p, "-") ||
        !eat_number(p, 2, 1, days_in_month(c.year, c.month), &c.day))
        return false;
    *ret_days = civil_to_days(c);
    return true;
}

static bool eat_time(const char **p, int64_t *ret_second_of_day, bool *ret_leap)
{
    int64_t hour, minute, second;

    if (!eat_number(p, 2, 0, 23, &hour) || !eat_any(p, ":") ||
        !eat_number(p, 2, 0, 59, &minute) || !eat_any(p, ":") ||
        !eat_number(p, 2, 0, 60, &second))
        return false;
    *ret_second_of_day = hour * 3600 + minute * 60 + second;
    *ret_leap = second == 60;
    return true;
}

static bool eat_fraction(const char **p, usec_t *ret_us)
{
    usec_t us = 0;
    usec_t weight_us = USEC_PER_SEC / 10;
    int digits = 0;

    *ret_us = 0;
    if (!eat_any(p, "."))
        return true;
    for (; **p >= '0' && **p <= '9'; (*p)++, digits++) {
        us += weight_us * (**p - '0'); /* the weight is 0 behind the sixth digit */
        weight_us /= 10;
    }
    *ret_us = us;
    return digits >= 1 && digits <= 9;
}

static bool eat_offset(const char **p, int64_t *ret_seconds)
{
    int64_t sign = **p == '-' ? -1 : 1;
    int64_t hour, minute;

    *ret_seconds = 0;
    if (eat_any(p, "Zz"))
        return true;
    if (!eat_any(p, "+-") || !eat_number(p, 2, 0, 23, &hour) || !eat_any(p, ":") ||
        !eat_number(p, 2, 0, 59, &minute))
        return false;
    *ret_seconds = sign * (hour * 3600 + minute * 60);
    return true;
}

bool clock_parse(const char *text, usec_t *ret_wall_us)
{
    int64_t days, second_of_day, offset, seconds;
    usec_t fraction_us, wall_us;
    bool leap;

    if (!eat_date(&text, &days) || !eat_any(&text, "Tt") ||
        !eat_time(&text, &second_of_day, &leap) || !eat_fraction(&text, &fraction_us) ||
        !eat_offset(&text, &offset) || *text != '\0')
        return false;
    seconds = days * SEC_PER_DAY + second_of_day - offset;
    if (leap && seconds % SEC_PER_DAY != 0)
        return false;
    wall_us = seconds * USEC_PER_SEC + fraction_us;
    if (wall_us < 0 || wall_us > WALL_US_MAX)
        return false;
    *ret_wall_us = wall_us;
    return true;
}

bool clock_seconds_to_us(double seconds, double max_seconds, usec_t *ret_us)
{
    const double limit_seconds = 9e12; /* below INT64_MAX microseconds */

    /* Written so that a NaN on either side is refused. */
    if (!(seconds >= 0 && seconds <= max_seconds && seconds <= limit_seconds))
        return false;
    *ret_us = (usec_t)(seconds * (double)USEC_PER_SEC + 0.5);
    return true;
}
