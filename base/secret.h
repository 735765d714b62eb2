/* base/secret.h - what needs care because it is secret: drawn, compared, wiped. Any thread. */
#ifndef JOBD_BASE_SECRET_H
#define JOBD_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Fill text with len characters out of [0-9A-Za-z], each as likely as the others, and a NUL:
 * 5.95 bits each. */
void secret_draw(char *text, size_t len);
/* Whether two blocks are equal, in a time that does not depend on where they differ. */
bool secret_equal(const void *a, const void *b, size_t len);
/* Overwrite, in a way that no compiler leaves out. */
void secret_wipe(void *block, size_t len);

#endif
