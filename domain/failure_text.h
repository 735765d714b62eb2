/* domain/failure_text.h - what failures say of themselves, without what is different each time.
 *
 *     "timeout after 31.5 s for /srv/in/4711.png"  ->  "timeout after <num> s for <path>"
 *
 * Texts of the same fault become the same text, so that they can be counted. The placeholders:
 *
 *     <num>   a number, a date, a time, an address such as 10.0.0.7:8080; the digits of a word
 *     <hex>   0x7ffe12ab, 9f86d081
 *     <uuid>  0190f0c2-7a11-7c3e-8f43-9f86d0818844
 *     <id>    a word that is letters and digits in a mix: i9Zk3QxT
 *     <path>  /tmp/x, ./x, ~/x, C:\x, src/x.c
 *     <url>   https://example.org/x?y=1
 *     <str>   what is in quotes: "x", 'x' or `x`
 *
 * Pure, any thread. Linear in the length of the text, which is bounded.
 */
#ifndef JOBD_DOMAIN_FAILURE_TEXT_H
#define JOBD_DOMAIN_FAILURE_TEXT_H

#include <stddef.h>

#define FAILURE_TEXT_IN_MAX_BYTES ((size_t)2048) /* of a text: the rest is not looked at */
#define FAILURE_TEXT_SIZE         257            /* of what becomes of it, with the NUL */

/* The text of len bytes in its general form: valid UTF-8, one line, no control characters, no
 * blanks at the ends and never two in a row. "" when nothing is left. Returns room. */
char *failure_text_general(const char *text, size_t len, char room[FAILURE_TEXT_SIZE]);

/* The last line of a block of output that is not blank; *ret_len == 0: there is none. Looks at
 * no more than the last FAILURE_TEXT_IN_MAX_BYTES bytes. Borrowed from block. */
const char *failure_text_last_line(const char *block, size_t len, size_t *ret_len);

#endif
