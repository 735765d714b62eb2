/* The body of an operation on many jobs: ids, or a filter. */
#include "tests/fuzz/fuzz.h"

#include "domain/json_text.h"
#include "domain/principal.h"
#include "handlers/bulk_body.h"
#include "handlers/service.h"
#include "server/http/request.h"

static const struct service service = { .max_batch_jobs = 100 };

int fuzz_one(const uint8_t *data, size_t size)
{
    struct request r = { .rq = { .service = &service, .principal = &principal_anybody },
                         .answer = { .fd = -1 } };
    AUTO_FINI(bulk_body) struct bulk_body b = { 0 };
    AUTO(json) json_t *body = NULL;

    if (json_text_parse((const char *)data, size, &body, NULL) < 0)
        return 0;
    r.rs.body = &r.answer;
    if (bulk_body_decode(&b, body, BULK_CANCEL, &r.rq, &r.rs) < 0)
        assert(r.rs.faults.count > 0 || r.rs.err.text[0]);
    else if (b.items)
        assert(b.count <= service.max_batch_jobs);
    answer_fini(&r.answer);
    faults_fini(&r.rs.faults);
    json_decref(r.rs.members);
    return 0;
}
