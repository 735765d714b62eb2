#include "handlers/submission.h"

#include "base/mem.h"
#include "handlers/common.h"

void submission_init(struct submission *s, const struct http_req *rq)
{
    const struct service *sv = common_service(rq);

    *s = (struct submission){ .rq = rq, .now_us = clock_wall_us() };
    s->rules = (struct job_spec_rules){ .functions = sv->functions,
                                        .allow_commands = sv->allow_commands,
                                        .trace = http_trace(rq, &s->trace) ? &s->trace : NULL,
                                        .lenient = rq->lenient };
}

int submission_decode(const struct submission *s, const json_t *body, struct job *ret_job,
                      struct faults *f, struct errinfo *e)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    int r;

    r = job_spec_decode(body, &s->rules, &spec, f, e);
    if (r < 0)
        return r;
    job_spec_to_job(&spec, s->now_us, ret_job);
    r = common_set_creator(s->rq, ret_job, e);
    if (r < 0)
        job_fini(ret_job);
    return r;
}
