/* pool/exit_text.h - how a process ended, in words for people. Any thread. */
#ifndef JOBD_POOL_EXIT_TEXT_H
#define JOBD_POOL_EXIT_TEXT_H

/* "exited with code 3", "was killed by signal 9 (KILL)"; of a waitpid(2) status. The caller
 * frees it. */
char *exit_text(int wait_status);

#endif
