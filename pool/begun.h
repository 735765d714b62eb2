/* pool/begun.h - run/begun/<worker_id>: which attempts a worker has begun, for those who come
 * after its death.
 *
 * A worker is given attempts before it can begin them, so its death alone does not say whether
 * an attempt has run. It notes each in this table just before it begins it. The table is a page
 * of a file that the worker has mapped: a note is a store to memory, and stays when the process
 * is killed at the very next instruction. It does not survive the kernel, so it names the boot
 * that it was written in, and says nothing after the next one.
 *
 * One thread.
 */
#ifndef JOBD_POOL_BEGUN_H
#define JOBD_POOL_BEGUN_H

#include <stdint.h>

#include "base/err.h"
#include "base/uuid7.h"

#define BEGUN_MAX 256 /* attempts in one table */

struct begun_page;

/* -- the worker ----------------------------------------------------------------------------
 */

/* Zeroed: a table that notes nothing, so that all attempts count as perhaps begun. */
struct begun {
    struct begun_page *page;
};

int begun_open(const char *data_dir, int64_t worker_id, struct begun *b, struct errinfo *e);
/* Before it begins. ERR_AGAIN: the table is full. */
int begun_add(struct begun *b, struct uuid7 job_id, int attempt);
/* The ledger has its outcome. One that is not there is fine. */
void begun_remove(struct begun *b, struct uuid7 job_id, int attempt);
/* The file stays. */
void begun_close(struct begun *b);

/* -- the front, once the worker is dead -----------------------------------------------------
 */

enum begun_answer { BEGUN_UNKNOWN, BEGUN_YES, BEGUN_NO };

enum begun_answer begun_ask(const char *data_dir, int64_t worker_id, struct uuid7 job_id,
                            int attempt);
/* Nobody will ask for this worker any more. */
void begun_forget(const char *data_dir, int64_t worker_id);

#endif
