/* store/sqlite/row_queue.h - new rows of a table, inserted many at a time.
 *
 * Internal to store/sqlite/. Around each INSERT SQLite opens a cursor for the table and for
 * each of its indexes, looks for the place of the row in all of them, and closes them again:
 * half of what an insert costs. So new rows wait here, and one statement takes them all:
 *
 *     INSERT INTO t (a, b, c) SELECT a, 0, c FROM <name of the queue>
 *
 * The queue is a table-valued function of the connection. Nobody else sees that its rows have
 * waited: stmt_get() inserts them before it hands out a statement that names their table, the
 * caller of the commit inserts what is left, and a rollback forgets them. What is wrong with a
 * row is said by the call that inserts it: as after any write that fails, the transaction can
 * only be rolled back.
 */
#ifndef JOBD_STORE_SQLITE_ROW_QUEUE_H
#define JOBD_STORE_SQLITE_ROW_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct db;
struct row_queue;

/* What one is. All texts are constants of the program. */
struct row_queue_conf {
    const char *name;    /* of the function */
    const char *table;   /* that the rows are for */
    const char *columns; /* of the function: "a, c" */
    const char *insert;  /* the statement above. It is cheapest when it has the columns of the
                          * table in their order and leaves out none but the last ones: then
                          * SQLite does not copy the values once more */
};

/* Add one to a connection, which owns it, before its first statement: one that is prepared
 * before is not known to name the table. */
int row_queue_new(struct db *db, const struct row_queue_conf *conf,
                  struct row_queue **ret_queue, struct errinfo *e);

/* The values of a row, one for each column, in their order, then its end. Texts are copied;
 * NULL is NULL. Ends with an insert, and its error, when many wait. */
void row_i64(struct row_queue *q, int64_t number);
void row_null(struct row_queue *q);
void row_text(struct row_queue *q, const char *text);
void row_text_len(struct row_queue *q, const char *text, size_t len);
int row_end(struct row_queue *q, struct errinfo *e);

/* Insert the rows of those queues of a connection whose bits are set; ~0u: of all. */
int row_queues_insert(struct db *db, unsigned queues, struct errinfo *e);
/* Forget all rows. */
void row_queues_clear(struct db *db);
/* The end of the connection, after that of its statements. */
void row_queues_free(struct db *db);

#endif
