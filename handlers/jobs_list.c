/* GET /v1/jobs (listJobs): jobs that match, the newest first, a page at a time. */
#include "handlers/handlers.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "domain/job_json.h"
#include "handlers/common.h"

#define LIMIT_DEFAULT 50

/* -- what is asked for ----------------------------------------------------------------------
 */

static int decode_state(struct http_resp *rs, const char *name, size_t len, unsigned *states)
{
    AUTO(mem) char *text = mem_dup(name, len);
    int state = job_state_parse(text);

    if (state < 0)
        return common_bad_parameter(rs, "state", "unknown-value",
                                    "\"%.40s\" is not a state: they are scheduled, queued, "
                                    "running, canceling, succeeded, failed and canceled",
                                    text);
    *states |= 1U << state;
    return 0;
}

/* One value of `state`: names with commas between them. */
static int decode_states(struct http_resp *rs, const char *list, unsigned *states)
{
    int r = 0;

    for (;;) {
        size_t len = strcspn(list, ",");

        r = decode_state(rs, list, len, states);
        if (r < 0 || list[len] == '\0')
            return r;
        list += len + 1;
    }
}

static int decode_name(const struct http_req *rq, struct http_resp *rs, const char *name,
                       size_t max_len, const char **ret_value)
{
    int r = common_single(rq, rs, name, ret_value);

    if (r < 0 || !*ret_value || text_is_token(*ret_value, max_len))
        return r;
    return common_bad_parameter(rs, name, "invalid-name",
                                "must have from 1 to %zu characters out of A-Z a-z 0-9 . _ -",
                                max_len);
}

static int decode_limit(const struct http_req *rq, struct http_resp *rs, size_t *ret_limit)
{
    const char *text;
    int64_t limit;
    int r = common_single(rq, rs, "limit", &text);

    if (r < 0 || !text)
        return r;
    if (!text_to_i64(text, 1, STORE_LIST_MAX, &limit))
        return common_bad_parameter(rs, "limit", "out-of-range",
                                    "must be a number from 1 to %d", STORE_LIST_MAX);
    *ret_limit = (size_t)limit;
    return 0;
}

/* Every fault at once; the code of the first is returned. */
static int decode_filter(const struct http_req *rq, struct http_resp *rs,
                         struct store_filter *ret_filter)
{
    const char *states;
    int worst = 0;
    int r;

    *ret_filter = (struct store_filter){ .limit = LIMIT_DEFAULT };
    for (size_t i = 0; (states = http_query(rq, "state", i)) != NULL; i++) {
        r = decode_states(rs, states, &ret_filter->states);
        worst = r < 0 ? r : worst;
    }
    r = decode_name(rq, rs, "function", FUNCTION_NAME_MAX, &ret_filter->function);
    worst = r < 0 ? r : worst;
    r = decode_name(rq, rs, "queue", JOB_QUEUE_MAX, &ret_filter->queue);
    worst = r < 0 ? r : worst;
    r = decode_limit(rq, rs, &ret_filter->limit);
    return r < 0 ? r : worst;
}

/* -- paths and cursors ----------------------------------------------------------------------
 */

static void add_parameter(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "%c%s=%s", b->len > 0 ? '&' : '?', name, value);
}

/* The query of these filters in one spelling. Nothing in it has to be percent-encoded: states
 * are words, and names and cursors were checked. */
static void add_filters(struct buf *b, const struct store_filter *filter)
{
    const char *before = "?state=";

    for (int state = 0; state < JOB_STATE_MAX_; state++) {
        if (!(filter->states & 1U << state))
            continue;
        buf_printf(b, "%s%s", before, job_state_name((enum job_state)state));
        before = ",";
    }
    if (filter->function)
        add_parameter(b, "function", filter->function);
    if (filter->queue)
        add_parameter(b, "queue", filter->queue);
}

/* The path of a page; cursor NULL: the first one. */
static char *page_path(const struct store_filter *filter, bool has_limit, const char *cursor)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    char limit[24];

    add_filters(&b, filter);
    (void)snprintf(limit, sizeof limit, "%zu", filter->limit);
    if (has_limit)
        add_parameter(&b, "limit", limit);
    if (cursor)
        add_parameter(&b, "cursor", cursor);
    return mem_printf("/v1/jobs%s", b.len > 0 ? b.data : "");
}

/* A cursor is the key of the last row that was looked at, good for these filters only; `limit`
 * may change on the way. */
static char *cursor_make(const struct service *sv, const struct store_filter *filter,
                         int64_t before_key, char text[TOKEN_TEXT_SIZE])
{
    AUTO_FINI(buf) struct buf context = { 0 };
    uint64_t key = htobe64((uint64_t)before_key);

    buf_add_str(&context, "jobs");
    add_filters(&context, filter);
    return token_make(&sv->cursor_key, context.data, &key, sizeof key, text);
}

static int cursor_open(const struct service *sv, struct http_resp *rs, const char *text,
                       struct store_filter *filter)
{
    AUTO_FINI(buf) struct buf context = { 0 };
    uint64_t key;

    buf_add_str(&context, "jobs");
    add_filters(&context, filter);
    if (!token_open(&sv->cursor_key, context.data, text, &key, sizeof key)) {
        faults_add(&rs->faults, "?cursor", "invalid-cursor", "not a cursor of this list");
        return err_set(&rs->err, ERR_INVALID_CURSOR,
                       "start again without it, or with the filters that it was given out for");
    }
    filter->before_key = (int64_t)be64toh(key);
    return 0;
}

/* -- the answer -----------------------------------------------------------------------------
 */

static int reply_page(const struct http_req *rq, struct http_resp *rs,
                      const struct store_filter *filter, const struct store_page *page)
{
    bool has_limit = http_query(rq, "limit", 0) != NULL;
    AUTO(mem) char *self = page_path(filter, has_limit, http_query(rq, "cursor", 0));
    char cursor[TOKEN_TEXT_SIZE];
    json_t *items = json_array();
    json_t *json = json_object();

    for (size_t i = 0; i < page->count; i++)
        (void)json_array_append_new(items, job_encode(&page->items[i]));
    (void)json_object_set_new(json, "items", items);
    (void)json_object_set_new(json, "self", json_string(self));
    if (page->next_before_key > 0) {
        AUTO(mem)
        char *next =
            page_path(filter, has_limit,
                      cursor_make(common_service(rq), filter, page->next_before_key, cursor));

        (void)json_object_set_new(json, "next", json_string(next));
        http_set_header(rs, "Link", "<%s>; rel=\"next\"", next);
    }
    return http_reply_json(rs, 200, json);
}

int h_list_jobs(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = {
        "state", "function", "queue", "limit", "cursor", NULL
    };
    AUTO_FINI(borrow) struct borrow b = { 0 };
    AUTO_FINI(store_page) struct store_page page = { 0 };
    struct store_filter filter;
    const char *cursor;
    int r;

    r = common_allow(rq, rs, known);
    if (r < 0)
        return r;
    r = decode_filter(rq, rs, &filter);
    if (r < 0)
        return r;
    r = common_single(rq, rs, "cursor", &cursor);
    if (r == 0 && cursor)
        r = cursor_open(common_service(rq), rs, cursor, &filter);
    if (r < 0)
        return r;
    r = borrow_get(&b, common_service(rq), &rs->err);
    if (r < 0)
        return r;
    r = store_read_jobs(b.reader, &filter, &page, &rs->err);
    if (r < 0)
        return r;
    return reply_page(rq, rs, &filter, &page);
}
