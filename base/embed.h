/* base/embed.h - a file of the tree as bytes in the program.
 *
 * EMBED(sym, "path/from/the/root") at file scope defines `const char sym[]`, NUL-terminated,
 * and `const char sym_end[]`, which points at that NUL. The build passes -I. to the assembler
 * and lists the dependency.
 */
#ifndef JOBD_BASE_EMBED_H
#define JOBD_BASE_EMBED_H

#include <stddef.h>

/* clang-format off */
/* NOLINTBEGIN(bugprone-macro-parentheses): sym is a name to declare. */
#define EMBED(sym, path)                        \
    __asm__(".section .rodata\n"                \
            ".global " #sym "\n"                \
            ".type " #sym ", @object\n"         \
            #sym ":\n"                          \
            ".incbin \"" path "\"\n"            \
            ".global " #sym "_end\n"            \
            #sym "_end:\n"                      \
            ".byte 0\n"                         \
            ".size " #sym ", . - " #sym "\n"    \
            ".previous\n");                     \
    extern const char sym[];                    \
    extern const char sym##_end[]
/* NOLINTEND(bugprone-macro-parentheses) */
#define EMBED_LEN(sym) ((size_t)(sym##_end - (sym)))
/* clang-format on */

#endif
