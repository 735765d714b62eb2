#include "tests/support/test.h"

#include "server/yaml_lines.h"

#include <string.h>

#include "base/buf.h"

static void every_value_has_its_line(void **state)
{
    static const char text[] =
        "# a comment\n"
        "workers: 4\n"
        "\n"
        "listen: [a,\n"
        "         b]\n"
        "functions:\n"
        "  - name: f\n"
        "    command:\n"
        "      - wc\n"
        "      - -w\n"
        "  -\n"
        "    name: >\n"
        "      folded\n"
        "    timeout: 3\n";
    static const struct {
        const char *path;
        size_t line;
    } cases[] = {
        { "workers", 2 },
        { "listen", 4 },
        { "listen[0]", 4 },
        { "listen[1]", 5 },
        { "functions[0]", 7 },
        { "functions[0].name", 7 },
        { "functions[0].command[1]", 10 },
        { "functions[1].name", 12 },
        { "functions[1].timeout", 14 },
        /* What is not there is looked for in what is around it. */
        { "functions[0].command[7]", 8 },
        { "functions[0].timeout", 7 },
        { "functions[9]", 6 },
        { "work", 1 },
        { "workersx", 1 },
        { "", 1 },
    };
    AUTO_FINI(yaml_lines) struct yaml_lines lines = { 0 };
    struct errinfo e = { 0 };
    size_t line = 0;

    (void)state;
    assert_int_equal(yaml_lines_read(text, strlen(text), &lines, &line, &e), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(yaml_lines_find(&lines, cases[i].path), cases[i].line);
}

static void an_empty_document_has_no_entry(void **state)
{
    static const char *const texts[] = { "", "\n\n", "# nothing\n", "---\n" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO_FINI(yaml_lines) struct yaml_lines lines = { 0 };
        struct errinfo e = { 0 };
        size_t line = 0;

        assert_int_equal(yaml_lines_read(texts[i], strlen(texts[i]), &lines, &line, &e), 0);
        assert_int_equal(lines.count, 0);
    }
}

static void what_is_not_plain_yaml_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text, *says;
        size_t line;
    } cases[] = {
        { "a: 1\nb: c: d\n", "not YAML", 2 },
        { "a: 1\nb: \"x\n", "not YAML", 3 },
        { "a: 1\n\tb: 2\n", "not YAML", 2 },
        { "a: [1, 2\n", "not YAML", 2 },
        { "a: 1\nb: 2\na: 3\n", "a is here a second time", 3 },
        { "f:\n  - x: 1\n    x: 2\n", "f[0].x is here a second time", 3 },
        { "a: &n 1\nb: *n\n", "aliases", 2 },
        { "a: 1\n---\nb: 2\n", "second document", 2 },
        { "a: 1\n? [x]\n: 2\n", "a key must be a plain word", 2 },
        { "a: \"x\\0y\"\n", "NUL", 1 },
        { "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1\n", "nested too deep", 1 },
        { "a: \xff\n", "UTF-8", 1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(yaml_lines) struct yaml_lines lines = { 0 };
        struct errinfo e = { 0 };
        size_t line = 0;

        assert_int_equal(
            yaml_lines_read(cases[i].text, strlen(cases[i].text), &lines, &line, &e),
            ERR_CONFIG);
        if (!strstr(e.text, cases[i].says) || line != cases[i].line)
            fail_msg("%s: line %zu: %s", cases[i].text, line, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_has_its_line),
        cmocka_unit_test(an_empty_document_has_no_entry),
        cmocka_unit_test(what_is_not_plain_yaml_is_refused_with_its_line),
    };

    return cmocka_run_group_tests_name("server/yaml_lines", tests, NULL, NULL);
}
