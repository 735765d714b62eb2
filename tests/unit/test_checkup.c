#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/checkup.h"
#include "domain/json_text.h"

static void fill(struct checkup *c)
{
    *c = (struct checkup){ .containment = CONTAINMENT_SUBREAPER };
    c->scopes[LIMIT_CPU] = SCOPE_PROCESS;
    c->scopes[LIMIT_OUTPUT] = SCOPE_ATTEMPT;
    checkup_add(c, "one", CHECK_OK, mem_str("is there"), NULL, NULL);
    checkup_add(c, "two", CHECK_DEGRADED, mem_str("is not"), mem_str("less \"so\""),
                mem_str("more"));
}

static void the_worst_check_counts(void **state)
{
    AUTO_FINI(checkup) struct checkup c = { 0 };

    (void)state;
    assert_int_equal(checkup_state(&c), CHECK_OK);
    fill(&c);
    assert_int_equal(checkup_state(&c), CHECK_DEGRADED);
    checkup_add(&c, "three", CHECK_FAILED, mem_str("bad"), NULL, NULL);
    assert_int_equal(checkup_state(&c), CHECK_FAILED);
}

static void people_read_what_follows_and_what_helps(void **state)
{
    AUTO_FINI(checkup) struct checkup c = { 0 };
    AUTO_FINI(buf) struct buf text = { 0 };

    (void)state;
    fill(&c);
    checkup_print(&c, &text);
    assert_non_null(strstr(text.data, "ok        one             is there\n"));
    assert_non_null(strstr(text.data, "degraded  two             is not\n"));
    assert_non_null(strstr(text.data, "it follows    less \"so\"\n"));
    assert_non_null(strstr(text.data, "remedy        more\n"));
    assert_non_null(strstr(text.data, "processes are held by: subreaper\n"));
    assert_non_null(strstr(text.data, "  limit cpu_seconds       of each process\n"));
    assert_non_null(strstr(text.data, "  limit processes         not enforced\n"));
    assert_non_null(strstr(text.data, "Not all works"));
}

static void machines_read_json(void **state)
{
    AUTO_FINI(checkup) struct checkup c = { 0 };
    AUTO_FINI(buf) struct buf text = { 0 };
    AUTO(json) json_t *json = NULL;
    const json_t *two;

    (void)state;
    fill(&c);
    checkup_print_json(&c, &text);
    assert_int_equal(text.data[text.len - 1], '\n');
    assert_int_equal(json_text_parse(text.data, text.len, &json, NULL), 0);
    assert_string_equal(json_string_value(json_object_get(json, "state")), "degraded");
    assert_string_equal(json_string_value(json_object_get(json, "containment")), "subreaper");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(json, "limits"), "output_bytes")),
        "attempt");
    two = json_array_get(json_object_get(json, "checks"), 1);
    assert_string_equal(json_string_value(json_object_get(two, "name")), "two");
    assert_string_equal(json_string_value(json_object_get(two, "follows")), "less \"so\"");
    assert_null(json_object_get(json_array_get(json_object_get(json, "checks"), 0), "remedy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_check_counts),
        cmocka_unit_test(people_read_what_follows_and_what_helps),
        cmocka_unit_test(machines_read_json),
    };

    return cmocka_run_group_tests_name("domain/checkup", tests, NULL, NULL);
}
