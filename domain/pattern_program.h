/* domain/pattern_program.h - what a pattern is compiled to. Private to pattern. */
#ifndef JOBD_DOMAIN_PATTERN_PROGRAM_H
#define JOBD_DOMAIN_PATTERN_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODE_POINT_MAX 0x10FFFF

enum instruction_op {
    OP_CHAR,  /* a: the code point */
    OP_CLASS, /* a: index of the class */
    OP_SPLIT, /* go on at a and at b */
    OP_JUMP,  /* go on at a */
    OP_BEGIN, /* only at the beginning of the text */
    OP_END,   /* only at its end */
    OP_MATCH
};

/* Targets are relative to the instruction, so that a piece of program can be copied. */
struct instruction {
    enum instruction_op op;
    int32_t a;
    int32_t b;
};

struct char_range {
    uint32_t first;
    uint32_t last;
};

struct char_class {
    struct char_range *ranges;
    size_t count;
    bool negated;
};

struct pattern {
    struct instruction *code;
    size_t size;
    struct char_class *classes;
    size_t class_count;
};

/* The code point at p, of which *ret_len bytes are; a byte that is not UTF-8 stands for itself.
 * len > 0. */
uint32_t pattern_code_point(const char *p, size_t len, size_t *ret_len);

#endif
