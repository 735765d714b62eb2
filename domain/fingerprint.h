/* domain/fingerprint.h - what tells one kind of failure from another.
 *
 * Failures are of the same kind when their function, queue, reason, exit code, signal and
 * message in its general form (domain/failure_text.h) are the same. The fingerprint is a number
 * made of these: equal for equal kinds, also across restarts and versions of jobd. Pure, any
 * thread.
 */
#ifndef JOBD_DOMAIN_FINGERPRINT_H
#define JOBD_DOMAIN_FINGERPRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "domain/failure_text.h"
#include "domain/outcome.h"

#define FINGERPRINT_TEXT_SIZE 17 /* 16 hexadecimal digits and the NUL */
/* Stands for all kinds of a group that has had too many. No failure has it. */
#define FINGERPRINT_OTHER INT64_C(1)

struct failure_kind {
    int64_t fingerprint; /* > FINGERPRINT_OTHER */
    enum cause cause;
    int exit_code; /* -1: none */
    int signal;    /* 0: none */
    char message[FAILURE_TEXT_SIZE];
};

/* The kind of a failed attempt of a job with this function (NULL: a command) and queue.
 *
 * The message is what the program or jobd said. jobd only repeats the exit code of a command
 * that has failed by itself, so there it is the last line of its stderr, if that is kept in the
 * outcome; without either it is the general sentence for the cause. */
void failure_kind_of(const struct outcome *o, const char *function, const char *queue,
                     struct failure_kind *ret_kind);

/* "00c0ffee12345678". Returns text. */
char *fingerprint_format(int64_t fingerprint, char text[FINGERPRINT_TEXT_SIZE]);
/* 16 hexadecimal digits, either case, of a number from 1 on; false, and *ret_fingerprint is
 * untouched, for all else. */
bool fingerprint_parse(const char *text, int64_t *ret_fingerprint);

#endif
