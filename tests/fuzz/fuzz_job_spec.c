/* The body of POST /v1/jobs, through to what a worker would be told. */
#include "tests/fuzz/fuzz.h"

#include "domain/job_json.h"
#include "domain/job_spec.h"
#include "domain/json_text.h"
#include "domain/order.h"
#include "server/config.h"

#define NOW_US (INT64_C(1795425153) * USEC_PER_SEC)

static const char config[] =
    "allow_commands: true\n"
    "functions:\n"
    "  - name: f\n"
    "    command: [echo, '{a}', '--b={b}', '{{c}}']\n"
    "    limits: {memory_bytes: 100000000, cpu_seconds: 10}\n"
    "    retry: {max_attempts: 3}\n"
    "  - name: g\n"
    "    program: [cat]\n";

static const struct function_table *functions(void)
{
    static struct settings settings;
    AUTO_FINI(buf) struct buf faults = { 0 };

    if (settings.functions.count == 0) {
        settings_init(&settings);
        if (!config_load_text("fuzz", config, sizeof config - 1, &settings, &faults))
            abort();
    }
    return &settings.functions;
}

/* What was accepted can be stored, shown and run. */
static void use(struct job_spec *spec)
{
    const struct function *fn = spec->fn;
    AUTO_FINI(job) struct job job = { 0 };
    AUTO_FINI(order) struct order order = { 0 };
    AUTO(json) json_t *json = NULL;
    struct errinfo e;

    job_spec_to_job(spec, NOW_US, &job);
    json = job_encode(&job);
    assert(json_is_object(json));
    if (order_build(&job, fn, function_ceiling(functions(), fn), &order, &e) < 0)
        abort();
}

int fuzz_one(const uint8_t *data, size_t size)
{
    const struct job_spec_rules rules = { .functions = functions(),
                                          .allow_commands = true,
                                          .lenient = size % 2 };
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    AUTO_FINI(faults) struct faults faults = { 0 };
    AUTO(json) json_t *body = NULL;
    struct errinfo e;

    if (json_text_parse((const char *)data, size, &body, &e) < 0)
        return 0;
    if (job_spec_decode(body, &rules, &spec, &faults, &e) == 0) {
        assert(faults.count == 0);
        use(&spec);
    }
    return 0;
}
