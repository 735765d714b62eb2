/* tests/support/keys.h - bearer keys for a server under test, made by `jobd key` as a person
 * would.
 */
#ifndef JOBD_TESTS_SUPPORT_KEYS_H
#define JOBD_TESTS_SUPPORT_KEYS_H

#include "tests/support/api.h"

#define KEYS_TOKEN_SIZE 80

/* `jobd key <words>` in the data directory of a, which may run; words are separated by blanks.
 * What it prints goes to ret_out (with a NUL, cut at room). Returns its exit code. */
int keys_run(const struct api *a, const char *words, char *ret_out, size_t room);
/* `jobd key create <words>`: the token goes to token, which is returned. */
char *keys_make(const struct api *a, const char *words, char token[KEYS_TOKEN_SIZE]);

/* Send a request with this token (NULL: without). */
void keys_send(const struct api *a, const char *token, const char *method, const char *path,
               const char *body, struct api_reply *ret_reply);
/* Submit: 202 is expected; the id goes to id, which is returned. */
char *keys_submit(const struct api *a, const char *token, const char *body,
                  char id[API_ID_SIZE]);

#endif
