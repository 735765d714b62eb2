/* server/value.h - what people write for a setting, read strictly. Pure, any thread. */
#ifndef JOBD_SERVER_VALUE_H
#define JOBD_SERVER_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* A time: a number with at most six decimals and one of the units us, ms, s, m, h, d; without a
 * unit it counts seconds. "500ms" "30s" "1.5h" "90". False for anything else, and for more than
 * 100 years. */
bool value_duration(const char *text, usec_t *ret_us);
/* The shortest exact way to write it: "500ms" "30s" "5m". us >= 0. Returns text. */
#define VALUE_TEXT_SIZE 32
char *value_duration_format(usec_t us, char text[VALUE_TEXT_SIZE]);

/* A size: a whole number of bytes, or of KiB, MiB, GiB. "65536" "64KiB" "1 MiB" */
bool value_bytes(const char *text, int64_t *ret_bytes);
char *value_bytes_format(int64_t bytes, char text[VALUE_TEXT_SIZE]);

/* "true" "yes" "on" "1", or "false" "no" "off" "0". */
bool value_bool(const char *text, bool *ret_bool);

#endif
