/* base/clock.h - one time type for the tree, and its RFC 3339 text.
 *
 * usec_t counts microseconds: since 1970 UTC on the wall clock (fields *_at_us), since boot on
 * the monotonic clock (timers). The two are never mixed. Any thread.
 */
#ifndef JOBD_BASE_CLOCK_H
#define JOBD_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t usec_t;

#define USEC_PER_SEC    ((usec_t)1000000)
#define USEC_PER_MS     ((usec_t)1000)
#define CLOCK_TEXT_SIZE 32 /* room for clock_format(), with its NUL */

usec_t clock_wall_us(void);
usec_t clock_mono_us(void);
/* The same up to 10 ms late, for a quarter of the price. */
usec_t clock_mono_coarse_us(void);

/* "2026-11-23T09:12:33.120Z": UTC with milliseconds, cut not rounded (RFC 3339). A time outside
 * the years 1970..9999 is written as the nearest one inside. Returns text. */
char *clock_format(usec_t wall_us, char text[CLOCK_TEXT_SIZE]);
/* The same with six digits, for the log. */
char *clock_format_us(usec_t wall_us, char text[CLOCK_TEXT_SIZE]);

/* Parse an RFC 3339 date-time (offset Z or +hh:mm, fraction of at most 9 digits, of which six
 * count, years 1970..9999 in UTC). A leap second, which is 23:59:60 in UTC, is read as the next
 * second. False, and *ret_wall_us untouched, for anything else. */
bool clock_parse(const char *text, usec_t *ret_wall_us);

/* Seconds (finite, >= 0, at most max_seconds) to microseconds, rounded; false when out of
 * range. */
bool clock_seconds_to_us(double seconds, double max_seconds, usec_t *ret_us);

#endif
