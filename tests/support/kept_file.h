/* tests/support/kept_file.h - what a file of kept output holds. */
#ifndef JOBD_TESTS_SUPPORT_KEPT_FILE_H
#define JOBD_TESTS_SUPPORT_KEPT_FILE_H

#include "base/buf.h"

/* Append what is kept, head and tail, to b. Fails the test when it cannot be read. */
void kept_file_read(const char *path, struct buf *b);

#endif
