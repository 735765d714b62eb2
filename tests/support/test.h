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

#endif
