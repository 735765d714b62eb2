#include "tests/support/test.h"

#include <string.h>

#include "base/mem.h"
#include "domain/function.h"
#include "domain/job.h"
#include "domain/json_text.h"

static json_t *parse(const char *text)
{
    json_t *json = NULL;
    struct errinfo e = { 0 };

    if (json_text_parse(text, strlen(text), &json, &e) != 0)
        fail_msg("%s: %s", text, e.text);
    return json;
}

static void templates_are_checked(void **state)
{
    static const struct {
        const char *text;
        const char *says; /* NULL: it is right */
    } rows[] = {
        { "", NULL },
        { "-w", NULL },
        { "{input}", NULL },
        { "{a}{b}", NULL },
        { "x={_width2}x{height}", NULL },
        { "{{", NULL },
        { "}}", NULL },
        { "{{}}", NULL },
        { "{{name}}", NULL },
        { "{{{name}}}", NULL },
        { "{", "byte 1 of \"{\": { without }" },
        { "}", "byte 1 of \"}\": } without {" },
        { "a}b", "byte 2" },
        { "{}", "the name between" },
        { "ab{ name}", "byte 3" },
        { "{name }", "the name between" },
        { "{1a}", "the name between" },
        { "{a-b}", "the name between" },
        { "{a{b}}", "the name between" },
        { "{name", "{ without }" },
        { "{{a}", "byte 4" },
        { "{\xC3\xA4}", "the name between" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct errinfo e = { 0 };
        int r = function_check_template(rows[i].text, &e);

        if (r != (rows[i].says ? ERR_CONFIG : 0))
            fail_msg("\"%s\": result %d, %s", rows[i].text, r, e.text);
        if (rows[i].says && !strstr(e.text, rows[i].says))
            fail_msg("\"%s\": \"%s\" does not say \"%s\"", rows[i].text, e.text, rows[i].says);
    }
}

static char *convert_argv[] = { (char[]){ "convert" },  (char[]){ "{input}" },
                                (char[]){ "-resize" },  (char[]){ "{width}x{{{input}}}" },
                                (char[]){ "{output}" }, NULL };
static const struct function convert = {
    .name = (char[]){ "convert" },
    .kind = FUNCTION_COMMAND,
    .argv = convert_argv,
    .argc = 5,
};
static const struct function program = {
    .name = (char[]){ "score" },
    .kind = FUNCTION_PROGRAM,
    .argv = convert_argv,
    .argc = 5,
};

static void parameters_are_named_once_in_order_of_appearance(void **state)
{
    AUTO(json) json_t *names = function_parameters(&convert);
    AUTO(mem) char *text = NULL;
    size_t len;

    (void)state;
    text = json_text_dump(names, &len);
    assert_string_equal(text, "[\"input\",\"width\",\"output\"]");
}

static void a_program_has_no_parameters(void **state)
{
    AUTO(json) json_t *names = function_parameters(&program);
    AUTO_FINI(faults) struct faults f = { 0 };

    (void)state;
    assert_int_equal(json_array_size(names), 0);
    function_check_args(&program, NULL, &f);
    assert_int_equal(f.total, 0);
}

static void args_that_fill_every_placeholder_are_right(void **state)
{
    static const char *const texts[] = {
        "{\"input\":\"a\",\"width\":1,\"output\":\"\"}",
        "{\"input\":true,\"width\":1.5,\"output\":false,\"more\":[null]}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO(json) json_t *args = parse(texts[i]);
        AUTO_FINI(faults) struct faults f = { 0 };

        function_check_args(&convert, args, &f);
        assert_int_equal(f.total, 0);
    }
}

static void every_placeholder_that_is_not_filled_is_a_fault_once(void **state)
{
    AUTO(json) json_t *args = parse("{\"width\":null,\"output\":[\"a\"]}");
    AUTO_FINI(faults) struct faults f = { 0 };

    (void)state;
    function_check_args(&convert, args, &f);
    assert_int_equal(f.count, 3);
    assert_string_equal(f.items[0].pointer, "#/args/input");
    assert_string_equal(f.items[0].code, "missing");
    assert_string_equal(f.items[1].pointer, "#/args/width");
    assert_string_equal(f.items[1].code, "wrong-type");
    assert_string_equal(f.items[1].detail, "must be a string, a number or a boolean");
    assert_string_equal(f.items[2].pointer, "#/args/output");
}

static void args_that_were_not_sent_lack_every_placeholder(void **state)
{
    AUTO_FINI(faults) struct faults f = { 0 };

    (void)state;
    function_check_args(&convert, NULL, &f);
    assert_int_equal(f.count, 3);
}

static void args_of_another_type_are_one_fault(void **state)
{
    static const char *const texts[] = { "null", "[]", "\"input\"", "7" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO(json) json_t *args = parse(texts[i]);
        AUTO_FINI(faults) struct faults f = { 0 };

        function_check_args(&convert, args, &f);
        assert_int_equal(f.count, 1);
        assert_string_equal(f.items[0].pointer, "#/args");
        assert_string_equal(f.items[0].code, "wrong-type");
    }
}

static json_t *args_with_input_of(size_t len)
{
    AUTO(mem) char *text = mem_new0(len + 1);

    memset(text, 'x', len);
    return json_pack("{s:s, s:i, s:s}", "input", text, "width", 1, "output", "o");
}

static void a_value_that_no_argument_can_hold_is_a_fault(void **state)
{
    AUTO(json) json_t *fits = args_with_input_of(JOB_ARG_MAX_BYTES);
    AUTO(json) json_t *too_long = args_with_input_of(JOB_ARG_MAX_BYTES + 1);
    AUTO_FINI(faults) struct faults f = { 0 };

    (void)state;
    function_check_args(&convert, fits, &f);
    assert_int_equal(f.count, 0);
    function_check_args(&convert, too_long, &f);
    assert_int_equal(f.count, 1);
    assert_string_equal(f.items[0].code, "too-long");
}

static void placeholders_are_replaced(void **state)
{
    AUTO(json)
    json_t *args = parse(
        "{\"s\":\"a b{c}\",\"e\":\"\",\"i\":-7,\"r\":0.1,\"w\":2.0,"
        "\"t\":true,\"f\":false,\"big\":9223372036854775807}");
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "", "" },
        { "plain", "plain" },
        { "{s}", "a b{c}" }, /* what is filled in is not read again */
        { "<{e}>", "<>" },
        { "{i}x{r}", "-7x0.1" },
        { "{w}", "2.0" },
        { "{t}{f}", "truefalse" },
        { "{big}", "9223372036854775807" },
        { "{{i}}", "{i}" },
        { "{{{i}}}", "{-7}" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FINI(buf) struct buf b = { 0 };
        struct errinfo e = { 0 };

        buf_add_str(&b, "> ");
        assert_int_equal(function_expand(rows[i].text, args, &b, &e), 0);
        assert_string_equal(b.data + 2, rows[i].want);
    }
}

static void an_argument_that_cannot_be_filled_is_refused(void **state)
{
    AUTO(json) json_t *args = parse("{\"n\":null,\"o\":{}}");
    AUTO(json) json_t *list = parse("[]");
    AUTO(json) json_t *longest = args_with_input_of(JOB_ARG_MAX_BYTES);
    AUTO_FINI(buf) struct buf b = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(function_expand("{x}", args, &b, &e), ERR_VALIDATION);
    assert_string_equal(e.text, "args has no usable member x");
    assert_int_equal(function_expand("{n}", args, &b, &e), ERR_VALIDATION);
    assert_int_equal(function_expand("{o}", args, &b, &e), ERR_VALIDATION);
    assert_int_equal(function_expand("{x}", list, &b, &e), ERR_VALIDATION);
    assert_int_equal(function_expand("{x}", NULL, &b, &e), ERR_VALIDATION);
    assert_int_equal(function_expand("{", args, &b, &e), ERR_VALIDATION);
    assert_int_equal(function_expand("{input}", longest, &b, &e), 0);
    assert_int_equal(function_expand("{input}.", longest, &b, &e), ERR_VALIDATION);
}

static void functions_are_found_by_name_and_know_their_pool(void **state)
{
    struct function items[] = { convert, program };
    struct function_table t = { .items = items, .count = COUNT_OF(items) };

    (void)state;
    assert_ptr_equal(function_find(&t, "score"), &items[1]);
    assert_ptr_equal(function_find(&t, "convert"), &items[0]);
    assert_null(function_find(&t, "Score"));
    assert_null(function_find(&t, ""));
    assert_string_equal(function_pool(&items[0]), "");
    assert_string_equal(function_pool(&items[1]), "score");
}

static void fini_releases_all_and_may_be_called_twice(void **state)
{
    struct function_table t = { .items = mem_array0(1, sizeof *t.items), .count = 1 };

    (void)state;
    t.items[0].name = mem_str("n");
    t.items[0].description = mem_str("d");
    t.items[0].argv = mem_array0(2, sizeof *t.items[0].argv);
    t.items[0].argv[0] = mem_str("a");
    t.items[0].argc = 1;
    function_table_fini(&t); /* what is left behind is reported by the address sanitizer */
    assert_int_equal(t.count, 0);
    function_table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_checked),
        cmocka_unit_test(parameters_are_named_once_in_order_of_appearance),
        cmocka_unit_test(a_program_has_no_parameters),
        cmocka_unit_test(args_that_fill_every_placeholder_are_right),
        cmocka_unit_test(every_placeholder_that_is_not_filled_is_a_fault_once),
        cmocka_unit_test(args_that_were_not_sent_lack_every_placeholder),
        cmocka_unit_test(args_of_another_type_are_one_fault),
        cmocka_unit_test(a_value_that_no_argument_can_hold_is_a_fault),
        cmocka_unit_test(placeholders_are_replaced),
        cmocka_unit_test(an_argument_that_cannot_be_filled_is_refused),
        cmocka_unit_test(functions_are_found_by_name_and_know_their_pool),
        cmocka_unit_test(fini_releases_all_and_may_be_called_twice),
    };

    return cmocka_run_group_tests_name("domain/function", tests, NULL, NULL);
}
