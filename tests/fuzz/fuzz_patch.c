/* A merge patch of a job: PATCH and :clone. */
#include "tests/fuzz/fuzz.h"

#include "domain/job_json.h"
#include "domain/job_patch.h"
#include "domain/job_spec.h"
#include "domain/json_text.h"
#include "domain/merge_patch.h"

#define NOW_US (INT64_C(1795425153) * USEC_PER_SEC)

static const struct function_table no_functions;
static const struct job_spec_rules rules = { .functions = &no_functions,
                                             .allow_commands = true };

static const char original[] =
    "{\"command\":[\"true\"],\"env\":{\"A\":\"b\"},\"labels\":{\"k\":\"v\"},\"priority\":3,"
    "\"delay_seconds\":60,\"retry\":{\"max_attempts\":2},\"inputs\":[{\"path\":\"a\","
    "\"content\":\"x\"}],\"limits\":{\"cpu_seconds\":3},\"ttl_seconds_after_finished\":60}";

/* False: the body is refused. */
static bool make_job(const json_t *body, struct job *job)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    AUTO_FINI(faults) struct faults faults = { 0 };
    struct errinfo e;

    if (job_spec_decode(body, &rules, &spec, &faults, &e) < 0)
        return false;
    job_spec_to_job(&spec, NOW_US, job);
    return true;
}

static void make_original(struct job *job)
{
    AUTO(json) json_t *body = NULL;

    if (json_text_parse(original, sizeof original - 1, &body, NULL) < 0 || !make_job(body, job))
        abort();
}

/* What a job was asked for can be asked for again. */
static void ask_again(const struct job *job)
{
    AUTO_FINI(job) struct job same = { 0 };
    AUTO(json) json_t *request = NULL;
    struct errinfo e;

    if (job_patch_request(job, NULL, &no_functions.command_limits, &request, &e) < 0 ||
        !make_job(request, &same))
        abort();
}

static void clone(const struct job *job, json_t *patch)
{
    AUTO_FINI(job) struct job other = { 0 };
    AUTO(json) json_t *request = NULL;
    AUTO(json) json_t *merged = NULL;
    struct errinfo e;

    if (job_patch_request(job, NULL, &no_functions.command_limits, &request, &e) < 0)
        abort();
    merged = merge_patch(request, patch);
    if (make_job(merged, &other))
        ask_again(&other);
}

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO_FINI(faults) struct faults faults = { 0 };
    AUTO_FINI(job) struct job job = { 0 };
    AUTO(json) json_t *patch = NULL;
    AUTO(json) json_t *shown = NULL;
    struct errinfo e;

    if (json_text_parse((const char *)data, size, &patch, &e) < 0)
        return 0;
    make_original(&job);
    clone(&job, patch);
    if (job_patch_apply(patch, &rules, NOW_US, &job, &faults, &e) < 0)
        assert(faults.count > 0);
    else
        ask_again(&job);
    shown = job_encode(&job);
    assert(json_is_object(shown));
    return 0;
}
