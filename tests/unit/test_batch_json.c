#include "tests/support/test.h"

#include <string.h>

#include "base/clean.h"
#include "base/mem.h"
#include "domain/batch_json.h"
#include "domain/json_text.h"

static struct batch example(void)
{
    static char labels[] = "{\"a\":\"b\"}";
    static char name[] = "nightly";

    return (
        struct batch){ .id = { UINT64_C(0x01937f6c2b9a7c31), UINT64_C(0x8e5d3f1a9b7c2d00) },
                       .state = BATCH_FAILED,
                       .version = 9,
                       .name = name,
                       .labels = labels,
                       .closed = true,
                       .array_size = 10,
                       .array_made = 4,
                       .stop = BATCH_STOP_FAIL_FAST,
                       .counts = { [JOB_SUCCEEDED] = 2, [JOB_FAILED] = 1, [JOB_CANCELED] = 1 },
                       .created_at_us = USEC_PER_SEC };
}

static long long count(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(object, "counts"), name));
}

static void members_that_were_never_made_count_as_canceled(void **state)
{
    struct batch b = example();
    AUTO(json) json_t *json = batch_encode(&b);

    (void)state;
    assert_int_equal(json_integer_value(json_object_get(json, "total")), 10);
    assert_int_equal(count(json, "pending"), 0);
    assert_int_equal(count(json, "canceled"), 7);
    assert_int_equal(count(json, "failed"), 1);
    assert_string_equal(json_string_value(json_object_get(json, "state")), "failed");
    assert_null(json_object_get(json, "finished_at")); /* what is not set is absent */
    assert_null(json_object_get(json, "max_concurrency"));
}

static void a_callback_learns_what_the_batch_has_come_to(void **state)
{
    static const char payload[] = "{\"command\":[\"true\"]}";
    struct batch b = example();
    size_t len;
    AUTO(mem)
    char *text =
        batch_callback_payload(&b, BATCH_SPEC_COMPLETE, payload, sizeof payload - 1, &len);
    AUTO(json) json_t *json = NULL;
    const json_t *callback;

    (void)state;
    assert_int_equal(len, strlen(text));
    assert_int_equal(json_text_parse(text, len, &json, NULL), 0);
    assert_int_equal(json_array_size(json_object_get(json, "command")), 1);
    callback = json_object_get(json, "callback");
    assert_string_equal(json_string_value(json_object_get(callback, "event")), "on_complete");
    assert_string_equal(json_string_value(json_object_get(callback, "batch_id")),
                        "01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d00");
    assert_int_equal(count(callback, "succeeded"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_that_were_never_made_count_as_canceled),
        cmocka_unit_test(a_callback_learns_what_the_batch_has_come_to),
    };

    return cmocka_run_group_tests_name("domain/batch_json", tests, NULL, NULL);
}
