/* Batches for readers. */
#include <assert.h>

#include "base/mem.h"
#include "base/text.h"
#include "store/sqlite/batch_row.h"
#include "store/sqlite/sq.h"

static const char SCAN[] = "SELECT " BATCH_COLUMNS " FROM batch WHERE id < ?1 ORDER BY id DESC";

int sq_read_batch(struct store_reader *rd, struct uuid7 id, struct batch *ret_batch,
                  struct errinfo *e)
{
    AUTO_FINI(batch) struct batch b = { 0 };
    int r;

    r = batch_row_find(sq_reader_db(rd), id, &b, e);
    if (r < 0)
        return r;
    *ret_batch = b;
    b = (struct batch){ 0 };
    return 0;
}

static bool matches(const struct batch *b, const struct store_batch_filter *f)
{
    if (f->states && !(f->states & 1U << b->state))
        return false;
    return !f->tenant || text_equal(f->tenant, batch_tenant(b));
}

/* Look for one match beyond a full page, so that its cursor is given only when there is more.
 */
static int fill(struct stmt *s, const struct store_batch_filter *f, struct store_batches *page,
                struct errinfo *e)
{
    int64_t last_key = 0;
    int r;

    for (size_t rows = 0; (r = stmt_step(s, e)) > 0; rows++) {
        AUTO_FINI(batch) struct batch b = { 0 };

        r = batch_row_read(s, &b, e);
        if (r < 0)
            return r;
        if (rows == STORE_LIST_SCAN_MAX || (page->count == f->limit && matches(&b, f))) {
            page->next_before_key = last_key;
            return 0;
        }
        last_key = uuid7_key(b.id);
        if (!matches(&b, f))
            continue;
        page->items[page->count++] = b;
        b = (struct batch){ 0 };
    }
    return r;
}

int sq_read_batches(struct store_reader *rd, const struct store_batch_filter *filter,
                    struct store_batches *ret_batches, struct errinfo *e)
{
    AUTO_FINI(store_batches) struct store_batches page = { 0 };
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    assert(filter->limit >= 1 && filter->limit <= STORE_LIST_MAX);
    r = stmt_get(sq_reader_db(rd), SCAN, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, filter->before_key ? filter->before_key : INT64_MAX);
    page.items = mem_array0(filter->limit, sizeof *page.items);
    r = fill(s, filter, &page, e);
    if (r < 0)
        return r;
    *ret_batches = page;
    page = (struct store_batches){ 0 };
    return 0;
}
