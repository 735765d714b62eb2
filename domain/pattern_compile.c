/* domain/pattern_compile.c - from the text of a pattern to its program, in one pass. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/pattern.h"
#include "domain/pattern_program.h"

struct compiler {
    const char *text;
    const char *p; /* what comes next */
    struct pattern *out;
    unsigned depth;
    struct errinfo *e;
};

#define REPEAT_FOREVER (-1)

static int refuse(const struct compiler *c, const char *why)
{
    return err_set(c->e, ERR_CONFIG, "byte %td of the pattern \"%.200s\": %s",
                   c->p - c->text + 1, c->text, why);
}

/* ---- the program ------------------------------------------------------------------- */

static int emit(struct compiler *c, enum instruction_op op, int32_t a, int32_t b)
{
    struct pattern *out = c->out;

    if (out->size >= PATTERN_SIZE_MAX)
        return refuse(c, "it is too large");
    if (out->size % 16 == 0)
        out->code = mem_resize(out->code, out->size + 16, sizeof *out->code);
    out->code[out->size++] = (struct instruction){ op, a, b };
    return 0;
}

/* Make room for one instruction at `at` and put it there. What is behind moves as a whole, so
 * that its relative targets stay right. */
static int insert(struct compiler *c, size_t at, struct instruction in)
{
    struct pattern *out = c->out;
    int r = emit(c, OP_MATCH, 0, 0);

    if (r < 0)
        return r;
    memmove(&out->code[at + 1], &out->code[at], (out->size - 1 - at) * sizeof *out->code);
    out->code[at] = in;
    return 0;
}

static struct char_class *new_class(struct compiler *c)
{
    struct pattern *out = c->out;

    out->classes = mem_resize(out->classes, out->class_count + 1, sizeof *out->classes);
    out->classes[out->class_count] = (struct char_class){ 0 };
    return &out->classes[out->class_count++];
}

static void add_range(struct char_class *class, uint32_t first, uint32_t last)
{
    class->ranges = mem_resize(class->ranges, class->count + 1, sizeof *class->ranges);
    class->ranges[class->count++] = (struct char_range){ first, last };
}

/* ---- characters and classes -------------------------------------------------------- */

static const struct char_range digits[] = { { '0', '9' } };
static const struct char_range words[] = {
    { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' }
};
static const struct char_range spaces[] = { { '\t', '\r' },     { ' ', ' ' },
                                            { 0xA0, 0xA0 },     { 0x1680, 0x1680 },
                                            { 0x2000, 0x200A }, { 0x2028, 0x2029 },
                                            { 0x202F, 0x202F }, { 0x205F, 0x205F },
                                            { 0x3000, 0x3000 }, { 0xFEFF, 0xFEFF } };
static const struct char_range line_ends[] = { { '\n', '\n' },
                                               { '\r', '\r' },
                                               { 0x2028, 0x2029 } };

/* ranges are in order; `negated`: all that lies between them. */
static void add_ranges(struct char_class *class, const struct char_range *ranges, size_t count,
                       bool negated)
{
    uint32_t from = 0;

    for (size_t i = 0; i < count; i++) {
        if (!negated)
            add_range(class, ranges[i].first, ranges[i].last);
        else if (ranges[i].first > from)
            add_range(class, from, ranges[i].first - 1);
        from = ranges[i].last + 1;
    }
    if (negated)
        add_range(class, from, CODE_POINT_MAX);
}

/* \d and its like; false when the letter is not one of them. */
static bool add_shorthand(struct char_class *class, char letter)
{
    switch (letter) {
    case 'd':
    case 'D':
        add_ranges(class, digits, COUNT_OF(digits), letter == 'D');
        return true;
    case 'w':
    case 'W':
        add_ranges(class, words, COUNT_OF(words), letter == 'W');
        return true;
    case 's':
    case 'S':
        add_ranges(class, spaces, COUNT_OF(spaces), letter == 'S');
        return true;
    default:
        return false;
    }
}

static bool is_shorthand(const char *p)
{
    return p[0] == '\\' && p[1] != '\0' && strchr("dDwWsS", p[1]);
}

static int hex_value(char c)
{
    static const char hex[] = "0123456789abcdef";
    const char *at = c ? strchr(hex, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

    return at ? (int)(at - hex) : -1;
}

/* 1 to max digits at c->p, all of them if exact. */
static int read_hex(struct compiler *c, int max, bool exact, uint32_t *ret_value)
{
    uint32_t value = 0;
    int n = 0;

    for (; n < max && hex_value(c->p[n]) >= 0; n++)
        value = value << 4 | (uint32_t)hex_value(c->p[n]);
    if (n == 0 || (exact && n < max) || value > CODE_POINT_MAX)
        return refuse(c, "this is not the number of a character");
    c->p += n;
    *ret_value = value;
    return 0;
}

/* c->p is behind \u or \x, which `letter` is. */
static int read_numbered(struct compiler *c, char letter, uint32_t *ret_c)
{
    int r;

    if (letter == 'x')
        return read_hex(c, 2, true, ret_c);
    if (*c->p != '{')
        return read_hex(c, 4, true, ret_c);
    c->p++;
    r = read_hex(c, 6, false, ret_c);
    if (r < 0)
        return r;
    if (*c->p != '}')
        return refuse(c, "a } is missing");
    c->p++;
    return 0;
}

/* c->p is behind the backslash. */
static int read_escape(struct compiler *c, uint32_t *ret_c)
{
    static const char controls[] = "t\tn\nr\rf\fv\v";
    static const char marks[] = "^$\\.*+?()[]{}|/-";
    char letter = *c->p;

    for (size_t i = 0; i + 1 < sizeof controls; i += 2) {
        if (controls[i] == letter) {
            c->p++;
            *ret_c = (unsigned char)controls[i + 1];
            return 0;
        }
    }
    if (letter == '\0' || (!strchr(marks, letter) && letter != 'x' && letter != 'u'))
        return refuse(c,
                      "there is no such escape here (no \\b, \\p or back reference, either)");
    c->p++;
    if (letter == 'x' || letter == 'u')
        return read_numbered(c, letter, ret_c);
    *ret_c = (unsigned char)letter;
    return 0;
}

static int read_char(struct compiler *c, uint32_t *ret_c)
{
    size_t n;

    if (*c->p == '\\') {
        c->p++;
        return read_escape(c, ret_c);
    }
    *ret_c = pattern_code_point(c->p, strlen(c->p), &n);
    c->p += n;
    return 0;
}

static int read_range(struct compiler *c, struct char_class *class)
{
    uint32_t first, last;
    int r = read_char(c, &first);

    if (r < 0)
        return r;
    last = first;
    if (c->p[0] == '-' && c->p[1] != ']' && c->p[1] != '\0') {
        c->p++;
        if (is_shorthand(c->p))
            return refuse(c, "a range ends with a single character");
        r = read_char(c, &last);
        if (r < 0)
            return r;
    }
    if (last < first)
        return refuse(c, "this range is upside down");
    add_range(class, first, last);
    return 0;
}

/* c->p is behind the [. */
static int compile_class(struct compiler *c)
{
    struct char_class *class = new_class(c);
    int r = 0;

    class->negated = *c->p == '^';
    c->p += class->negated;
    while (*c->p != ']' && r == 0) {
        if (*c->p == '\0')
            return refuse(c, "a ] is missing");
        if (class->count >= PATTERN_SIZE_MAX)
            return refuse(c, "it is too large");
        if (is_shorthand(c->p)) {
            (void)add_shorthand(class, c->p[1]);
            c->p += 2;
        } else {
            r = read_range(c, class);
        }
    }
    if (r < 0)
        return r;
    c->p++;
    return emit(c, OP_CLASS, (int32_t)(c->out->class_count - 1), 0);
}

/* ---- repetition -------------------------------------------------------------------- */

static int emit_copy(struct compiler *c, const struct instruction *part, size_t size)
{
    int r = 0;

    for (size_t i = 0; i < size && r == 0; i++)
        r = emit(c, part[i].op, part[i].a, part[i].b);
    return r;
}

/* The part as often as one likes, once at least if it is there already. */
static int emit_loop(struct compiler *c, const struct instruction *part, int32_t size, int min)
{
    int r;

    if (min > 0)
        return emit(c, OP_SPLIT, -size, 1);
    r = emit(c, OP_SPLIT, 1, size + 2);
    if (r == 0)
        r = emit_copy(c, part, (size_t)size);
    return r < 0 ? r : emit(c, OP_JUMP, -(size + 1), 0);
}

/* Replace what is behind start by min to max of it. */
static int repeat(struct compiler *c, size_t start, int min, int max)
{
    int32_t size = (int32_t)(c->out->size - start);
    AUTO(mem) struct instruction *part = NULL;
    int r = 0;

    if (size == 0)
        return 0;
    part = mem_array0((size_t)size, sizeof *part);
    memcpy(part, &c->out->code[start], (size_t)size * sizeof *part);
    c->out->size = start;
    for (int i = 0; i < min && r == 0; i++)
        r = emit_copy(c, part, (size_t)size);
    if (r == 0 && max == REPEAT_FOREVER)
        return emit_loop(c, part, size, min);
    for (int i = min; i < max && r == 0; i++) {
        r = emit(c, OP_SPLIT, 1, (max - i) * (size + 1)); /* to behind the last one */
        if (r == 0)
            r = emit_copy(c, part, (size_t)size);
    }
    return r;
}

static int read_count(struct compiler *c, int *ret_count)
{
    int count = 0;
    const char *start = c->p;

    for (; *c->p >= '0' && *c->p <= '9'; c->p++) {
        count = count * 10 + (*c->p - '0');
        if (count > PATTERN_REPEAT_MAX)
            return refuse(c, "this is more often than 1000 times");
    }
    if (c->p == start)
        return refuse(c, "a { begins a number of times; write \\{ for the brace itself");
    *ret_count = count;
    return 0;
}

/* c->p is behind the {. */
static int read_braces(struct compiler *c, int *ret_min, int *ret_max)
{
    int r = read_count(c, ret_min);

    if (r < 0)
        return r;
    *ret_max = *ret_min;
    if (*c->p == ',') {
        c->p++;
        *ret_max = REPEAT_FOREVER;
        if (*c->p != '}')
            r = read_count(c, ret_max);
    }
    if (r < 0)
        return r;
    if (*c->p != '}')
        return refuse(c, "a } is missing");
    if (*ret_max != REPEAT_FOREVER && *ret_max < *ret_min)
        return refuse(c, "this range is upside down");
    c->p++;
    return 0;
}

/* What may follow an atom that begins at start. */
static int compile_quantifier(struct compiler *c, size_t start)
{
    int min = 0, max = REPEAT_FOREVER, r = 0;

    switch (*c->p) {
    case '*':
        c->p++;
        break;
    case '+':
        min = 1;
        c->p++;
        break;
    case '?':
        max = 1;
        c->p++;
        break;
    case '{':
        c->p++;
        r = read_braces(c, &min, &max);
        break;
    default:
        return 0;
    }
    if (r < 0)
        return r;
    c->p += *c->p == '?';
    if (*c->p != '\0' && strchr("*+?{", *c->p))
        return refuse(c, "there is nothing here to repeat");
    return repeat(c, start, min, max);
}

/* ---- the grammar ------------------------------------------------------------------- */

/* NOLINTBEGIN(misc-no-recursion): at most PATTERN_DEPTH_MAX deep */
static int compile_alternatives(struct compiler *c);

/* c->p is behind the (. */
static int compile_group(struct compiler *c)
{
    int r;

    if (c->p[0] == '?' && c->p[1] != ':')
        return refuse(c, "look-around and named groups are not supported");
    if (c->p[0] == '?')
        c->p += 2;
    if (++c->depth > PATTERN_DEPTH_MAX)
        return refuse(c, "it is nested too deep");
    r = compile_alternatives(c);
    if (r < 0)
        return r;
    if (*c->p != ')')
        return refuse(c, "a ) is missing");
    c->p++;
    c->depth--;
    return 0;
}

static int compile_backslash(struct compiler *c)
{
    uint32_t point;
    int r;

    if (is_shorthand(c->p)) {
        (void)add_shorthand(new_class(c), c->p[1]);
        c->p += 2;
        return emit(c, OP_CLASS, (int32_t)(c->out->class_count - 1), 0);
    }
    r = read_char(c, &point);
    return r < 0 ? r : emit(c, OP_CHAR, (int32_t)point, 0);
}

static int compile_dot(struct compiler *c)
{
    add_ranges(new_class(c), line_ends, COUNT_OF(line_ends), true);
    c->p++;
    return emit(c, OP_CLASS, (int32_t)(c->out->class_count - 1), 0);
}

static int compile_atom(struct compiler *c)
{
    uint32_t point;
    int r;

    switch (*c->p) {
    case '*':
    case '+':
    case '?':
    case '{':
        return refuse(c, "there is nothing here to repeat");
    case '(':
        c->p++;
        return compile_group(c);
    case '[':
        c->p++;
        return compile_class(c);
    case '.':
        return compile_dot(c);
    case '\\':
        return compile_backslash(c);
    default:
        r = read_char(c, &point);
        return r < 0 ? r : emit(c, OP_CHAR, (int32_t)point, 0);
    }
}

/* An atom with its quantifier, or an anchor, which has none. */
static int compile_piece(struct compiler *c)
{
    size_t start = c->out->size;
    int r;

    if (*c->p == '^' || *c->p == '$') {
        r = emit(c, *c->p == '^' ? OP_BEGIN : OP_END, 0, 0);
        c->p++;
        return r;
    }
    r = compile_atom(c);
    return r < 0 ? r : compile_quantifier(c, start);
}

static int compile_sequence(struct compiler *c)
{
    int r = 0;

    while (*c->p != '\0' && *c->p != '|' && *c->p != ')' && r == 0)
        r = compile_piece(c);
    return r;
}

/* a|b|c: each but the last begins with a split, whose other way leads to the next, and ends
 * with a jump behind all of them; until that place is known, jumps are a list by their a. */
static int compile_alternatives(struct compiler *c)
{
    struct instruction *jump;
    int32_t last_jump = -1;
    size_t start = c->out->size;
    int r = compile_sequence(c);

    while (r == 0 && *c->p == '|') {
        c->p++;
        r = insert(c, start,
                   (struct instruction){ OP_SPLIT, 1, (int32_t)(c->out->size - start) + 2 });
        if (r == 0)
            r = emit(c, OP_JUMP, last_jump, 0);
        last_jump = (int32_t)c->out->size - 1;
        start = c->out->size;
        if (r == 0)
            r = compile_sequence(c);
    }
    for (int32_t at = last_jump; r == 0 && at >= 0;) {
        jump = &c->out->code[at];
        last_jump = jump->a;
        jump->a = (int32_t)c->out->size - at;
        at = last_jump;
    }
    return r;
}
/* NOLINTEND(misc-no-recursion) */

int pattern_compile(const char *text, struct pattern **ret_pattern, struct errinfo *e)
{
    AUTO(pattern) struct pattern *p = mem_new0(sizeof *p);
    struct compiler c = { .text = text, .p = text, .out = p, .e = e };
    int r = compile_alternatives(&c);

    if (r == 0 && *c.p == ')')
        r = refuse(&c, "there is no ( for this");
    if (r == 0)
        r = emit(&c, OP_MATCH, 0, 0);
    if (r < 0)
        return r;
    *ret_pattern = TAKE(p);
    return 0;
}
