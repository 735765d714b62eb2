/* The query of GET /v1/jobs: filters, order, fields, cursor. What an answer says of itself must
 * lead to itself. */
#include "tests/fuzz/fuzz.h"

#include "domain/json_text.h"
#include "domain/principal.h"
#include "handlers/common.h"
#include "handlers/job_filter.h"
#include "handlers/job_view.h"
#include "handlers/listing.h"
#include "server/http/request.h"

static const struct service service = { .cursor_key = { "0123456789abcdef0123456789abcde" } };

/* The answer's `self`; NULL: the query was refused. */
static char *ask(const char *query)
{
    static const char *const known[] = { JOB_FILTER_PARAMETERS, "view", LISTING_PARAMETERS,
                                         NULL };
    AUTO_FINI(job_filter) struct job_filter filter = { 0 };
    AUTO_FINI(listing) struct listing l = { .path = "/v1/jobs", .of = FIELDS_JOB };
    AUTO(json) json_t *json = NULL;
    struct request r = { .rq = { .service = &service, .principal = &principal_anybody },
                         .answer = { .fd = -1 } };
    enum job_view view = JOB_VIEW_BASIC;
    json_t *items = json_pack("[{s:s},{s:s}]", "id", "a", "id", "b");
    char *self = NULL;

    r.rs.body = &r.answer;
    query_parse(query, &r.query);
    if (common_allow(&r.rq, &r.rs, known) == 0 &&
        job_filter_decode(&filter, &r.rq, &r.rs) == 0 &&
        job_view_decode(&r.rq, &r.rs, &view) == 0 && listing_decode(&l, &r.rq, &r.rs) == 0) {
        job_filter_add(&filter, &r.rq, &l);
        if (listing_reply_whole(&l, &r.rq, &r.rs, json_incref(items)) == 0) {
            assert(json_text_parse(r.answer.bytes, r.answer.len, &json, NULL) == 0);
            self = mem_str(json_string_value(json_object_get(json, "self")));
        }
    }
    json_decref(items);
    answer_fini(&r.answer);
    faults_fini(&r.rs.faults);
    json_decref(r.rs.members);
    query_fini(&r.query);
    return self;
}

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO(mem) char *query = fuzz_text(data, size);
    AUTO(mem) char *self = ask(query);
    AUTO(mem) char *again = NULL;

    if (!self)
        return 0;
    again = ask(strchr(self, '?') ? strchr(self, '?') + 1 : "");
    assert(again && strcmp(self, again) == 0);
    return 0;
}
