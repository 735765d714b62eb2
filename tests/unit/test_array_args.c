#include "tests/support/test.h"

#include "base/clean.h"
#include "domain/array_args.h"
#include "domain/json_text.h"

static char arg_echo[] = "echo";
static char arg_index[] = "{array_index}";
static char arg_path[] = "{path}";
static char *with_index[] = { arg_echo, arg_path, arg_index, NULL };
static char *without[] = { arg_echo, arg_path, NULL };

static void the_index_is_added_where_the_command_wants_it(void **state)
{
    static const struct {
        char **argv;
        size_t argc;
        const char *args; /* NULL: none */
        long long want;   /* the index; -1: there is none */
    } rows[] = {
        { with_index, 3, NULL, 7 },
        { with_index, 3, "{\"path\":\"x\"}", 7 },
        { with_index, 3, "{\"array_index\":3}", 3 }, /* what the args say is meant */
        { with_index, 3, "[1]", -1 },
        { without, 2, NULL, -1 },
        { without, 2, "{\"path\":\"x\"}", -1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct function fn = { .kind = FUNCTION_COMMAND,
                               .argv = rows[i].argv,
                               .argc = rows[i].argc };
        AUTO(json) json_t *args = rows[i].args ? json_loads(rows[i].args, 0, NULL) : NULL;
        AUTO(json) json_t *got = array_args(&fn, args, 7);
        const json_t *index = json_object_get(got, "array_index");

        assert_int_equal(index ? json_integer_value(index) : -1, rows[i].want);
        if (args && rows[i].want == 7) /* the others stay, and the original as it is */
            assert_null(json_object_get(args, "array_index"));
        if (args && json_object_get(args, "path"))
            assert_string_equal(json_string_value(json_object_get(got, "path")), "x");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_is_added_where_the_command_wants_it),
    };

    return cmocka_run_group_tests_name("domain/array_args", tests, NULL, NULL);
}
