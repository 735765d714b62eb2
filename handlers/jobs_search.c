/* POST /v1/jobs:search (searchJobs): the list of jobs, asked for with a body, where a query
 * string would be too long, or told to whoever logs targets.
 *
 * The members become the parameters that they are named after, and the list is asked: it finds
 * their faults, and `self` and `next` are its paths. */
#include "handlers/handlers.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "domain/json_text.h"
#include "domain/suggest.h"
#include "handlers/common.h"
#include "handlers/job_filter.h"
#include "handlers/listing.h"

/* What is being put together. */
struct search {
    struct buf query;
    struct faults *faults; /* borrowed */
    bool lenient;
};

static void search_fini(struct search *s)
{
    buf_fini(&s->query);
}
DEFINE_AUTO_FINI(search, struct search)

static void add(struct search *s, const char *name, const char *value)
{
    buf_printf(&s->query, "%s%s=", s->query.len > 0 ? "&" : "", name);
    listing_encode(&s->query, value);
}

static void add_list(struct search *s, const char *name, const json_t *list,
                     const char *pointer)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item) {
        AUTO(mem) char *place = mem_printf("%s/%zu", pointer, i);

        if (json_is_string(item))
            add(s, name, json_string_value(item));
        else
            faults_add(s->faults, place, "wrong-type", "must be a string");
    }
}

static void add_labels(struct search *s, const json_t *labels, const char *pointer)
{
    const char *name;
    json_t *value;

    if (!json_is_object(labels))
        faults_add(s->faults, pointer, "wrong-type", "must be an object");
    json_object_foreach (json_iterable(labels), name, value) {
        AUTO(mem) char *place = faults_pointer(pointer, name);
        AUTO(mem) char *text = NULL;

        if (!json_is_string(value)) {
            faults_add(s->faults, place, "wrong-type", "must be a string");
            continue;
        }
        text = mem_printf("%s:%s", name, json_string_value(value));
        add(s, "label", text);
    }
}

static void add_member(struct search *s, const char *name, const json_t *value,
                       const char *pointer)
{
    AUTO(mem) char *number = NULL;

    if (text_equal(name, "labels")) {
        add_labels(s, value, pointer);
    } else if (json_is_string(value)) {
        add(s, name, json_string_value(value));
    } else if (json_is_array(value) &&
               (text_equal(name, "state") || text_equal(name, "fields"))) {
        add_list(s, name, value, pointer);
    } else if (json_is_integer(value) && text_equal(name, "limit")) {
        number = mem_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        add(s, name, number);
    } else {
        faults_add(s->faults, pointer, "wrong-type", "is not what the list takes");
    }
}

/* Those members of an object that are known; `filter` is an object of its own. */
static void add_members(struct search *s, const json_t *object, const char *at,
                        const char *const *known)
{
    const char *name;
    json_t *value;

    if (!json_is_object(object))
        faults_add(s->faults, at, "wrong-type", "must be an object");
    json_object_foreach (json_iterable(object), name, value) {
        AUTO(mem) char *pointer = faults_pointer(at, name);
        struct suggestion near = { .word = name };
        bool is_known = false;

        for (size_t i = 0; known[i]; i++) {
            suggest_consider(&near, known[i]);
            is_known = is_known || text_equal(known[i], name);
        }
        if (is_known)
            add_member(s, name, value, pointer);
        else if (!s->lenient && !text_equal(pointer, "#/filter"))
            faults_add(s->faults, pointer, "unknown-field", "there is no such field%s%s%s",
                       near.nearest ? "; did you mean " : "", near.nearest ? near.nearest : "",
                       near.nearest ? "?" : "");
    }
}

int h_search_jobs(struct http_req *rq, struct http_resp *rs)
{
    static const char *const filters[] = { JOB_FILTER_PARAMETERS, "labels", NULL };
    static const char *const shape[] = { "sort", "view", LISTING_PARAMETERS, NULL };
    AUTO_FINI(search) struct search s = { .faults = &rs->faults, .lenient = rq->lenient };
    AUTO(json) json_t *body = NULL;
    const json_t *filter;
    int r;

    r = common_no_query(rq, rs);
    if (r == 0)
        r = http_body_json(rq, &body, &rs->err);
    if (r < 0)
        return r;
    add_members(&s, body, "#", shape);
    filter = json_object_get(body, "filter");
    if (filter)
        add_members(&s, filter, "#/filter", filters);
    r = faults_judge(&rs->faults, 0, &rs->err);
    if (r < 0)
        return r;
    http_query_replace(rq, s.query.data ? s.query.data : "");
    return h_list_jobs(rq, rs);
}
