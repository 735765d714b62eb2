/* tests/support/test.h - cmocka and the headers it needs, in the order it needs them. */
#ifndef JOBD_TESTS_SUPPORT_TEST_H
#define JOBD_TESTS_SUPPORT_TEST_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

/* How long to wait for what will come. Only a failure takes as long, on whatever machine, with
 * whatever sanitizer and beside whatever else runs there. */
#define PATIENCE_S  120
#define PATIENCE_MS (PATIENCE_S * 1000)
#define PATIENCE_US (PATIENCE_S * INT64_C(1000000))
/* For alarm(2), in programs that could wait for ever. */
#define HANG_S 600

#endif
