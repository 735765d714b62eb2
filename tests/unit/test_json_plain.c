#include "tests/support/test.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "domain/json_plain.h"
#include "domain/json_text.h"
#include "tests/support/json_oracle.h"

static json_t *by_jansson(const char *text, size_t len)
{
    return json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

static void plain_text_is_read_as_jansson_reads_it(void **state)
{
    static const char *const texts[] = {
        "null",
        " true ",
        "false",
        "0",
        "-1",
        "123456789012345678",
        "-999999999999999999",
        "\"\"",
        "\"1234567\"",
        "\"12345678\"",
        "\"123456789 \x7f\"",
        "[]",
        "{ }",
        "[ 1 , [ ] , { } ]",
        "{\"a\":[1,\"x\",null,true,false,{\"a\":-7}],\"\":{}}\r\n\t ",
        "{\"function\":\"true\",\"delay_seconds\":86400,\"args\":{\"path\":\"xxxxxxxxxxx\"}}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO(json) json_t *json = json_plain_parse(texts[i], strlen(texts[i]), 4);
        AUTO(json) json_t *same = by_jansson(texts[i], strlen(texts[i]));

        if (!json || !same || !json_equal(json, same))
            fail_msg("%s", texts[i]);
    }
}

static void what_is_not_plain_is_left_alone(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "nul",
        "nulll",
        "truefalse",
        "+1",
        "01",
        "-",
        "-01",
        "1.0",
        "1e3",
        "0x1",
        "1234567890123456789",
        "\"",
        "\"a",
        "\"a\\n\"",
        "\"12345678\\\"",
        "\"\n\"",
        "\"1234567\x1f\"",
        "\"\xC3\xA4\"",
        "\"1234567\xC3\xA4 890123456\"",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{\"a\":1,\"a\":1}",
        "{\"a\":{\"b\":1,\"c\":2,\"b\":3}}",
        "[1]]",
        "1 2",
        "[[[[[]]]]]",
        "{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}",
    };
    char long_name[80];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (json_plain_parse(texts[i], strlen(texts[i]), 4))
            fail_msg("%s", texts[i]);
    assert_null(json_plain_parse("1\0", 2, 4));
    assert_null(json_plain_parse("\"a\0b\"", 5, 4));
    (void)snprintf(long_name, sizeof long_name, "{\"%065d\":1}", 0);
    assert_null(json_plain_parse(long_name, strlen(long_name), 4));
}

/* One byte after the other replaced by each that means something: where it says that it can
 * read what came of it, jansson reads the same. */
static void it_never_takes_what_jansson_refuses(void **state)
{
    static const char text[] =
        "{\"ab\":[1,-20,\"123456789\",{\"c\":null}], \"d\":true,\"e\":[]}";
    static const char bytes[] = "{}[]:,\"\\ \n\0019-.eEu0a\x7f\x80\xC3";
    size_t read = 0;

    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        for (size_t k = 0; k < sizeof bytes; k++) { /* with the NUL at its end */
            char other[sizeof text];

            memcpy(other, text, sizeof text);
            other[i] = bytes[k];
            for (size_t len = i + 1; len < sizeof text; len++) {
                AUTO(json) json_t *json = json_plain_parse(other, len, 32);
                AUTO(json) json_t *same = json ? by_jansson(other, len) : NULL;

                read += json != NULL;
                if (json && (!same || !json_equal(json, same)))
                    fail_msg("%.*s", (int)len, other);
            }
        }
    }
    assert_true(read > 50);
}

/* -- made-up texts: both readers against jansson ---------------------------------------------
 */

#define TEXT_ROOM   6000
#define TEXTS       20000
#define CHANGED     4 /* of each text, each with one byte more changed, inserted or left out */
#define DEEPEST     40
#define MEMBERS_MAX 5

struct made {
    char text[TEXT_ROOM + 1];
    size_t len;
};

static uint32_t dice_state;

/* The same numbers each time. */
static unsigned dice(unsigned sides)
{
    dice_state = dice_state * 1664525u + 1013904223u;
    return (dice_state >> 8) % sides;
}

static void add_bytes(struct made *m, const char *bytes, size_t len)
{
    if (len > TEXT_ROOM - m->len)
        return;
    memcpy(m->text + m->len, bytes, len);
    m->len += len;
}

static void add(struct made *m, const char *text)
{
    add_bytes(m, text, strlen(text));
}

static void add_one_of(struct made *m, const char *const *texts, size_t count)
{
    add(m, texts[dice((unsigned)count)]);
}

static void add_blank(struct made *m)
{
    static const char *const blanks[] = { "", "", "", "", " ", "\n", "\t \r\n", "\v" };

    add_one_of(m, blanks, COUNT_OF(blanks) - (dice(200) != 0));
}

/* Most are plain; `odd`, one in so many, is not, and some of those are no string. */
static void add_text(struct made *m, unsigned odd)
{
    static const char *const oddities[] = {
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u0041",
        "\\u00e4",
        "\\ud83d\\ude00",
        "\\ud83d",
        "\\ude00",
        "\\ud83d\\u0041",
        "\\u0000",
        "\\uZZZZ",
        "\\x",
        "\\",
        "\x7f",
        "\x1f",
        "\n",
        "\xC3\xA4",
        "\xF0\x9F\x98\x80",
        "\xC3",
        "\xFF",
        "\xC0\x80",
        "\xED\xA0\x80",
        "\xF4\x90\x80\x80",
        "\xEF\xBB\xBF",
    };
    static const unsigned lengths[] = { 0, 1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 300 };
    unsigned len = lengths[dice(dice(8) == 0 ? COUNT_OF(lengths) : 6)];
    unsigned odd_at = dice(odd) == 0 ? dice(len + 1) : len + 1;

    add(m, "\"");
    for (unsigned i = 0; i <= len; i++) {
        char c = (char)(' ' + dice('~' - ' ' + 1));

        if (i == odd_at)
            add_one_of(m, oddities, COUNT_OF(oddities));
        if (i < len && c != '"' && c != '\\')
            add_bytes(m, &c, 1);
    }
    add(m, "\"");
}

static void add_number(struct made *m)
{
    static const char *const numbers[] = {
        "0",
        "-0",
        "1",
        "-1",
        "42",
        "99999999999999999",
        "999999999999999999",
        "-999999999999999999",
        "1000000000000000000",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "-9223372036854775809",
        "100000000000000000000000000",
        "0.0",
        "-0.0",
        "1.5",
        "-2.25",
        "1e3",
        "1E-3",
        "1e+3",
        "1e400",
        "-1e400",
        "1e-400",
        "123456789012345678.5",
        "12345678901234567e2",
        "01",
        "-01",
        "-",
        "+1",
        ".5",
        "5.",
        "1e",
        "1e+",
        "0x1",
        "1_0",
        "NaN",
        "Infinity",
    };

    add_one_of(m, numbers, dice(6) == 0 ? COUNT_OF(numbers) : 7);
}

static void add_value(struct made *m, int depth_left);

static void add_members(struct made *m, int depth_left)
{
    static const char *const names[] = { "\"a\"", "\"b\"", "\"\"", "\"\\u0061\"" };
    unsigned count = dice(MEMBERS_MAX);

    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            add(m, ",");
        add_blank(m);
        if (dice(6) == 0) /* so that some come twice */
            add_one_of(m, names, COUNT_OF(names));
        else
            add_text(m, 60);
        add_blank(m);
        add(m, ":");
        add_value(m, depth_left);
    }
}

static void add_items(struct made *m, int depth_left)
{
    unsigned count = dice(MEMBERS_MAX);

    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            add(m, ",");
        add_value(m, depth_left);
    }
}

static void add_value(struct made *m, int depth_left)
{
    static const char *const words[] = { "null", "true", "false", "nul", "True" };

    add_blank(m);
    switch (dice(depth_left > 0 ? 8 : 4)) {
    case 0:
        add_one_of(m, words, dice(20) == 0 ? COUNT_OF(words) : 3);
        break;
    case 1:
        add_number(m);
        break;
    case 2:
    case 3:
        add_text(m, 20);
        break;
    case 4:
    case 5:
        add(m, "[");
        add_items(m, depth_left - 1);
        add(m, "]");
        break;
    default:
        add(m, "{");
        add_members(m, depth_left - 1);
        add(m, "}");
    }
    add_blank(m);
}

/* Brackets around it, to about the depth that is allowed. */
static void add_deep_value(struct made *m)
{
    int depth = (int)dice(DEEPEST);
    bool objects[DEEPEST];

    for (int i = 0; i < depth; i++) {
        objects[i] = dice(2) == 0;
        add(m, objects[i] ? "{\"a\":" : "[");
    }
    add_value(m, 1);
    for (int i = depth - 1; i >= 0; i--)
        add(m, objects[i] ? "}" : "]");
}

static void change_one_byte(struct made *m)
{
    static const char bytes[] = "{}[]:,\"\\ \n\0019-+.eEu0atfn\x7f\x80\xC3\xFF"; /* and NUL */
    size_t at = dice((unsigned)m->len + 1);
    char byte = bytes[dice(sizeof bytes)];

    switch (dice(3)) {
    case 0:
        if (at < m->len)
            m->text[at] = byte;
        break;
    case 1:
        if (at < m->len)
            memmove(m->text + at, m->text + at + 1, --m->len - at);
        break;
    default:
        if (m->len < TEXT_ROOM) {
            memmove(m->text + at + 1, m->text + at, m->len++ - at);
            m->text[at] = byte;
        }
    }
}

/* In memory of just its size, for what guards the end. */
static void judge(const struct made *m, size_t *read, size_t *read_plain)
{
    AUTO(mem) char *exact = mem_dup(m->text, m->len);
    const char *fault = json_oracle_judge(exact, m->len);
    AUTO(json) json_t *json = NULL;
    AUTO(json) json_t *plain = json_plain_parse(exact, m->len, JSON_DEPTH_MAX);

    if (fault)
        fail_msg("%s: %.*s", fault, (int)m->len, m->text);
    *read += json_text_parse(exact, m->len, &json, NULL) == 0;
    *read_plain += plain != NULL;
}

static void both_readers_say_what_jansson_says_of_texts_without_end(void **state)
{
    size_t read = 0, read_plain = 0;

    (void)state;
    dice_state = 1;
    for (int i = 0; i < TEXTS; i++) {
        struct made m = { .len = 0 };

        if (dice(300) == 0)
            add(&m, "\xEF\xBB\xBF");
        if (dice(10) == 0)
            add_deep_value(&m);
        else
            add_value(&m, 5);
        judge(&m, &read, &read_plain);
        for (int k = 0; k < CHANGED; k++) {
            change_one_byte(&m);
            judge(&m, &read, &read_plain);
        }
    }
    /* There is enough of each kind: plain, read by jansson, refused by both. */
    assert_in_range(read_plain, TEXTS / 4, TEXTS * (CHANGED + 1) / 2);
    assert_in_range(read, read_plain + TEXTS / 20, TEXTS * (CHANGED + 1) * 3 / 4);
}

static void strings_of_any_length_and_place_end_where_they_end(void **state)
{
    static const char stops[] = "\"\\\n\x1f\x7f\x80\xC3\xFF ";

    (void)state;
    for (size_t len = 0; len < 40; len++)
        for (size_t at = 0; at <= len; at++)
            for (size_t k = 0; k < sizeof stops; k++) { /* with the NUL */
                struct made m = { .len = 0 };
                size_t read = 0;

                add(&m, "[\"");
                for (size_t i = 0; i < len; i++)
                    add_bytes(&m, i == at ? &stops[k] : "x", 1);
                add(&m, "\"]");
                judge(&m, &read, &read);
            }
}

static void a_very_long_string_is_the_same(void **state)
{
    size_t len = (size_t)3 << 20;
    AUTO(mem) char *text = mem_new0(len + 2);
    const char *fault;

    (void)state;
    memset(text, 'x', len + 2);
    text[0] = text[len + 1] = '"';
    fault = json_oracle_judge(text, len + 2);
    assert_null(fault);
    text[len] = '\\';
    fault = json_oracle_judge(text, len + 2);
    assert_null(fault);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_is_read_as_jansson_reads_it),
        cmocka_unit_test(what_is_not_plain_is_left_alone),
        cmocka_unit_test(it_never_takes_what_jansson_refuses),
        cmocka_unit_test(both_readers_say_what_jansson_says_of_texts_without_end),
        cmocka_unit_test(strings_of_any_length_and_place_end_where_they_end),
        cmocka_unit_test(a_very_long_string_is_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
