#include "store/sqlite/row_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/sqlite/db.h"
#include "store/sqlite/stmt.h"

#define ROWS_MAX 64 /* beyond it nothing is gained, but memory taken */

/* A value: a number, or a text somewhere in row_queue.texts. */
struct cell {
    enum { CELL_NULL, CELL_NUMBER, CELL_TEXT } type;
    uint32_t text_at;
    int64_t number; /* of a text: its length */
};

struct row_queue {
    sqlite3_vtab vtab; /* first: SQLite knows the queue by it */
    struct db *db;
    struct row_queue_conf conf;
    size_t columns;
    unsigned bit;       /* in db.waiting and the like */
    size_t rows;        /* that wait */
    size_t cell_count;  /* those of the row that is made included */
    struct cell *cells; /* ROWS_MAX rows, one behind the other */
    struct buf texts;
};

struct row_cursor {
    sqlite3_vtab_cursor cursor; /* first, as above */
    size_t row;
};

/* -- what SQLite sees -----------------------------------------------------------------------
 */

static int on_connect(sqlite3 *handle, void *context, int argc, const char *const *argv,
                      sqlite3_vtab **ret_vtab, char **ret_error)
{
    struct row_queue *q = context;
    AUTO(mem) char *sql = mem_printf("CREATE TABLE q (%s)", q->conf.columns);

    (void)argc;
    (void)argv;
    (void)ret_error;
    (void)sqlite3_vtab_config(handle,
                              SQLITE_VTAB_DIRECTONLY); /* fails outside of this function */
    *ret_vtab = &q->vtab;
    return sqlite3_declare_vtab(handle, sql);
}

static int on_disconnect(sqlite3_vtab *vtab)
{
    (void)vtab; /* the connection's */
    return SQLITE_OK;
}

static int on_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    (void)vtab;
    info->estimatedRows = ROWS_MAX;
    info->estimatedCost = ROWS_MAX;
    return SQLITE_OK;
}

static int on_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **ret_cursor)
{
    struct row_cursor *c = mem_new0(sizeof *c);

    (void)vtab; /* SQLite sets it in the cursor */
    *ret_cursor = &c->cursor;
    return SQLITE_OK;
}

static int on_close(sqlite3_vtab_cursor *cursor)
{
    free(cursor);
    return SQLITE_OK;
}

static int on_filter(sqlite3_vtab_cursor *cursor, int number, const char *text, int argc,
                     sqlite3_value **argv)
{
    (void)number;
    (void)text;
    (void)argc;
    (void)argv;
    ((struct row_cursor *)cursor)->row = 0;
    return SQLITE_OK;
}

static int on_next(sqlite3_vtab_cursor *cursor)
{
    ((struct row_cursor *)cursor)->row++;
    return SQLITE_OK;
}

static int on_eof(sqlite3_vtab_cursor *cursor)
{
    return ((struct row_cursor *)cursor)->row >= ((struct row_queue *)cursor->pVtab)->rows;
}

/* No text is copied: they stay until the statement has ended. */
static int on_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
    const struct row_queue *q = (const struct row_queue *)cursor->pVtab;
    const struct row_cursor *c = (const struct row_cursor *)cursor;
    const struct cell *cell = &q->cells[c->row * q->columns + (size_t)column];

    if (cell->type == CELL_NUMBER)
        sqlite3_result_int64(context, cell->number);
    else if (cell->type == CELL_TEXT)
        sqlite3_result_text64(context, q->texts.data + cell->text_at,
                              (sqlite3_uint64)cell->number, SQLITE_STATIC, SQLITE_UTF8);
    return SQLITE_OK; /* it is NULL as it comes */
}

static int on_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret_rowid)
{
    *ret_rowid = (sqlite3_int64)((struct row_cursor *)cursor)->row;
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .xConnect = on_connect, /* and no xCreate: it is there without CREATE VIRTUAL TABLE */
    .xBestIndex = on_best_index,
    .xDisconnect = on_disconnect,
    .xOpen = on_open,
    .xClose = on_close,
    .xFilter = on_filter,
    .xNext = on_next,
    .xEof = on_eof,
    .xColumn = on_column,
    .xRowid = on_rowid,
};

/* While a statement is prepared: which tables it names. */
static int on_table(void *context, int action, const char *table, const char *column,
                    const char *database, const char *trigger)
{
    struct db *db = context;

    (void)column;
    (void)database;
    (void)trigger;
    if (action != SQLITE_READ && action != SQLITE_INSERT && action != SQLITE_UPDATE &&
        action != SQLITE_DELETE)
        return SQLITE_OK;
    for (size_t i = 0; i < db->queue_count; i++)
        if (strcmp(table, db->queues[i]->conf.table) == 0)
            db->named |= db->queues[i]->bit;
    return SQLITE_OK;
}

/* -- what the store sees --------------------------------------------------------------------
 */

static size_t count_columns(const char *columns)
{
    size_t count = 1;

    for (const char *c = columns; *c; c++)
        count += *c == ',';
    return count;
}

int row_queue_new(struct db *db, const struct row_queue_conf *conf,
                  struct row_queue **ret_queue, struct errinfo *e)
{
    struct row_queue *q;
    int rc;

    assert(db->queue_count < DB_QUEUES_MAX && db->statement_count == 0);
    q = mem_new0(sizeof *q);
    q->db = db;
    q->conf = *conf;
    q->bit = 1u << db->queue_count;
    q->columns = count_columns(conf->columns);
    q->cells = mem_array0(ROWS_MAX * q->columns, sizeof *q->cells);
    db->queues[db->queue_count++] = q;
    rc = sqlite3_create_module_v2(db->handle, conf->name, &module, q, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_set_authorizer(db->handle, on_table, db);
    if (rc != SQLITE_OK)
        return db_fail(db, rc, "register a table", e);
    *ret_queue = q;
    return 0;
}

static struct cell *next_cell(struct row_queue *q)
{
    assert(q->cell_count < (q->rows + 1) * q->columns);
    return &q->cells[q->cell_count++];
}

void row_i64(struct row_queue *q, int64_t number)
{
    *next_cell(q) = (struct cell){ .type = CELL_NUMBER, .number = number };
}

void row_null(struct row_queue *q)
{
    next_cell(q)->type = CELL_NULL;
}

void row_text(struct row_queue *q, const char *text)
{
    if (text)
        row_text_len(q, text, strlen(text));
    else
        row_null(q);
}

void row_text_len(struct row_queue *q, const char *text, size_t len)
{
    assert(q->texts.len <= UINT32_MAX);
    *next_cell(q) = (struct cell){ .type = CELL_TEXT,
                                   .text_at = (uint32_t)q->texts.len,
                                   .number = (int64_t)len };
    buf_add(&q->texts, text, len);
}

static void clear(struct row_queue *q)
{
    q->db->waiting &= ~q->bit;
    q->rows = 0;
    q->cell_count = 0;
    buf_clear(&q->texts);
}

static int insert(struct row_queue *q, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    size_t rows = q->rows;
    int r;

    q->db->waiting &= ~q->bit; /* this statement names the table, too */
    r = stmt_get(q->db, q->conf.insert, &s, e);
    if (r >= 0)
        r = stmt_change(s, e);
    assert(r < 0 || (size_t)r == rows);
    clear(q); /* after an error there is only the rollback */
    return r < 0 ? r : 0;
}

int row_end(struct row_queue *q, struct errinfo *e)
{
    q->rows++;
    q->db->waiting |= q->bit;
    assert(q->cell_count == q->rows * q->columns);
    return q->rows < ROWS_MAX && !q->db->broken ? 0 : insert(q, e);
}

int row_queues_insert(struct db *db, unsigned queues, struct errinfo *e)
{
    int r = 0;

    for (size_t i = 0; i < db->queue_count && r == 0; i++)
        if (db->waiting & queues & db->queues[i]->bit)
            r = insert(db->queues[i], e);
    return r;
}

void row_queues_clear(struct db *db)
{
    for (size_t i = 0; i < db->queue_count; i++)
        clear(db->queues[i]);
}

void row_queues_free(struct db *db)
{
    for (size_t i = 0; i < db->queue_count; i++) {
        buf_fini(&db->queues[i]->texts);
        free(db->queues[i]->cells);
        free(db->queues[i]);
    }
    db->queue_count = 0;
}
