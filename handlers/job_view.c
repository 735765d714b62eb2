#include "handlers/job_view.h"

#include "base/text.h"
#include "domain/job_json.h"
#include "handlers/common.h"

static const char *const names[JOB_VIEW_MAX_] = {
    [JOB_VIEW_MINIMAL] = "minimal",
    [JOB_VIEW_BASIC] = "basic",
    [JOB_VIEW_FULL] = "full",
};

const char *job_view_name(enum job_view view)
{
    return names[view];
}

int job_view_decode(const struct http_req *rq, struct http_resp *rs, enum job_view *ret_view)
{
    const char *name;
    int r;

    r = common_single(rq, rs, "view", &name);
    if (r < 0 || !name)
        return r;
    for (int view = 0; view < JOB_VIEW_MAX_; view++)
        if (text_equal(name, names[view])) {
            *ret_view = (enum job_view)view;
            return 0;
        }
    return common_bad_parameter(rs, "view", "unknown-value",
                                "\"%.40s\" is not a view: they are minimal, basic and full",
                                name);
}

static json_t *minimal(const struct job *job)
{
    char id[UUID7_TEXT_SIZE];

    return json_pack("{s:s, s:s, s:I}", "id", uuid7_format(job->id, id), "state",
                     job_state_name(job->state), "version", (json_int_t)job->version);
}

json_t *job_view_encode(const struct job *job, enum job_view view)
{
    static const char *const large[] = { "args", "env", "inputs", "result" };
    json_t *json;

    if (view == JOB_VIEW_MINIMAL)
        return minimal(job);
    json = job_encode(job);
    for (size_t i = 0; view == JOB_VIEW_BASIC && i < COUNT_OF(large); i++)
        (void)json_object_del(json, large[i]);
    return json;
}
