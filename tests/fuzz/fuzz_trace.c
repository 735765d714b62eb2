/* traceparent, and lines of tracestate. */
#include "tests/fuzz/fuzz.h"

#include "domain/json_text.h"
#include "domain/trace.h"

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO(mem) char *text = fuzz_text(data, size);
    AUTO(json) json_t *payload = json_object();
    char parent[TRACE_PARENT_SIZE];
    struct trace t = { 0 };
    char *rest = text;
    const char *line;
    const char *state;

    if (!trace_parse(fuzz_line(&rest), &t))
        return 0;
    while ((line = fuzz_line(&rest)) != NULL)
        trace_add_state(&t, line);
    assert(strlen(t.state) <= TRACE_STATE_MAX_BYTES);
    assert(!t.state_lost || t.state[0] == '\0');
    (void)json_object_set_new(payload, "trace", trace_encode(&t));
    trace_of_job(payload, (struct uuid7){ 1, 2 }, parent, &state);
    return 0;
}
