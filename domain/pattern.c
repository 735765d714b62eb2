/* domain/pattern.c - running a pattern: all its states at once, one character after another. */
#include "domain/pattern.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/pattern_program.h"

/* The states that are alive in front of a character; each at most once. */
struct states {
    uint32_t *items;
    size_t count;
};

struct run {
    const struct pattern *pattern;
    struct states now;
    struct states next;
    uint32_t *mark;  /* for each instruction: the last position at which it was added */
    uint32_t *stack; /* instructions that are still to be followed */
    uint32_t position;
    bool at_begin;
    bool at_end;
    bool matched;
    uint64_t *steps;
};

uint32_t pattern_code_point(const char *p, size_t len, size_t *ret_len)
{
    size_t n = text_utf8_len(p, len);
    uint32_t c = (unsigned char)p[0];

    *ret_len = n ? n : 1;
    if (n < 2)
        return c;
    c &= 0x7Fu >> n;
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)p[i] & 0x3Fu);
    return c;
}

static bool class_has(const struct char_class *class, uint32_t c)
{
    for (size_t i = 0; i < class->count; i++)
        if (c >= class->ranges[i].first && c <= class->ranges[i].last)
            return !class->negated;
    return class->negated;
}

static void spend(const struct run *run, size_t steps)
{
    *run->steps -= *run->steps < steps ? *run->steps : steps;
}

static bool takes(const struct run *run, const struct instruction *in, uint32_t c)
{
    const struct char_class *class;

    spend(run, 1);
    if (in->op == OP_CHAR)
        return (uint32_t)in->a == c;
    class = &run->pattern->classes[in->a];
    spend(run, class->count / 4); /* nearly all have a few ranges */
    return class_has(class, c);
}

/* Put an instruction on the stack unless it was there at this position already. */
static void push(struct run *run, size_t *depth, int64_t at)
{
    if (run->mark[at] == run->position)
        return;
    run->mark[at] = run->position;
    run->stack[(*depth)++] = (uint32_t)at;
}

/* Add what can be reached from an instruction without a character. */
static void add(struct run *run, struct states *to, size_t at)
{
    size_t depth = 0;

    push(run, &depth, (int64_t)at);
    while (depth > 0) {
        uint32_t i = run->stack[--depth];
        const struct instruction *in = &run->pattern->code[i];

        spend(run, 1);
        if (in->op == OP_SPLIT) {
            push(run, &depth, (int64_t)i + in->a);
            push(run, &depth, (int64_t)i + in->b);
        } else if (in->op == OP_JUMP) {
            push(run, &depth, (int64_t)i + in->a);
        } else if (in->op == OP_MATCH) {
            run->matched = true;
        } else if (in->op == OP_BEGIN || in->op == OP_END) {
            if (in->op == OP_BEGIN ? run->at_begin : run->at_end)
                push(run, &depth, (int64_t)i + 1);
        } else {
            to->items[to->count++] = i;
        }
    }
}

/* From the states in front of a character to those behind it. */
static void step(struct run *run, uint32_t c, bool at_end)
{
    struct states swap = run->now;

    run->position++;
    run->at_begin = false;
    run->at_end = at_end;
    run->next.count = 0;
    for (size_t i = 0; i < run->now.count && !run->matched; i++)
        if (takes(run, &run->pattern->code[run->now.items[i]], c))
            add(run, &run->next, run->now.items[i] + 1);
    add(run, &run->next, 0); /* it may begin anywhere */
    run->now = run->next;
    run->next = swap;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): spend() counts steps down */
int pattern_matches(const struct pattern *p, const char *text, size_t len, uint64_t *steps,
                    bool *ret_matches)
{
    size_t size = p->size;
    uint32_t *room = mem_array0(size * 4, sizeof *room);
    struct run run = {
        .pattern = p,
        .now = { room, 0 },
        .next = { room + size, 0 },
        .mark = room + 2 * size,
        .stack = room + 3 * size,
        .position = 1,
        .at_begin = true,
        .at_end = len == 0,
        .steps = steps,
    };

    add(&run, &run.now, 0);
    for (size_t at = 0, n; at < len && !run.matched && *steps > 0; at += n) {
        uint32_t c = pattern_code_point(text + at, len - at, &n);

        step(&run, c, at + n == len);
    }
    free(room);
    if (!run.matched && *steps == 0)
        return ERR_AGAIN;
    *ret_matches = run.matched;
    return 0;
}

struct pattern *pattern_free(struct pattern *p)
{
    if (!p)
        return NULL;
    for (size_t i = 0; i < p->class_count; i++)
        free(p->classes[i].ranges);
    free(p->classes);
    free(p->code);
    free(p);
    return NULL;
}
