/* tests/support/tmp.h - a temporary directory for a test, and its removal with all that is in
 * it. */
#ifndef JOBD_TESTS_SUPPORT_TMP_H
#define JOBD_TESTS_SUPPORT_TMP_H

#define TMP_SIZE 64

/* Make a new one (0700) under /tmp; its path goes to room, which is returned. Fails the test if
 * it cannot. */
char *tmp_dir_make(char room[TMP_SIZE]);
void tmp_dir_remove(const char *path);

#endif
