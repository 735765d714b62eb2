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

static void put_minimal(struct json_put *w, const struct job *job)
{
    char id[UUID7_TEXT_SIZE];

    json_put_begin(w, NULL);
    json_put_text(w, "id", uuid7_format(job->id, id));
    json_put_text(w, "state", job_state_name(job->state));
    json_put_integer(w, "version", job->version);
    json_put_end(w);
}

void job_view_put(struct json_put *w, const struct job *job, enum job_view view)
{
    if (view == JOB_VIEW_MINIMAL)
        put_minimal(w, job);
    else if (view == JOB_VIEW_BASIC)
        job_put_small(w, job);
    else
        job_put(w, job);
}

json_t *job_view_encode(const struct job *job, enum job_view view)
{
    AUTO_FINI(buf) struct buf out = { 0 };
    struct json_put w = { .out = &out };

    job_view_put(&w, job, view);
    return json_put_parse(&w);
}
