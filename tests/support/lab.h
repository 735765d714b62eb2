/* tests/support/lab.h - a bench for what runs attempts: a loop, a reaper, a data directory.
 *
 * The process becomes a subreaper. lab_close() fails the test when a child is left.
 */
#ifndef JOBD_TESTS_SUPPORT_LAB_H
#define JOBD_TESTS_SUPPORT_LAB_H

#include <stdbool.h>

#include "domain/order.h"
#include "domain/outcome.h"
#include "pool/attempt.h"
#include "pool/reaper.h"
#include "tests/support/tmp.h"

#define LAB_OUTPUT_MAX ((int64_t)1 << 20)

struct lab {
    char data_dir[TMP_SIZE];
    struct loop *loop;
    struct reaper reaper;
    struct workdirs workdirs;
    struct attempt_host host;

    struct outcome outcome; /* the last one */
    unsigned done_count;
    double fraction; /* the last progress */
    char *message;
    unsigned progress_count;
};

void lab_open(struct lab *l);
void lab_close(struct lab *l);

/* An order for attempt 1 of a new job. Arguments end with NULL; none is fine. */
struct order lab_order(const char *first, ...) __attribute__((sentinel));
/* /bin/sh -c script */
struct order lab_script(const char *script);
void lab_input(struct order *o, const char *text);

/* Let the loop run until count attempts have ended. */
void lab_await(struct lab *l, unsigned count);
void lab_await_progress(struct lab *l, unsigned count);
/* The kept bytes of a stream, wherever they are. The caller frees them. */
char *lab_output(const struct lab *l, enum stream stream);

#endif
