/* base/clean.h - scope-bound release of resources.
 *
 * AUTO(type) declares that a local pointer is released by type_free() at the end of its scope;
 * AUTO_FINI(type) the same for a local struct and type_fini(). TAKE(p) lets a pointer go.
 */
#ifndef JOBD_BASE_CLEAN_H
#define JOBD_BASE_CLEAN_H

#include <stddef.h>

/* clang-format off */
/* NOLINTBEGIN(bugprone-macro-parentheses): T is a type. */
/* DEFINE_AUTO(n, T): AUTO(n) runs n##_free on a T* when it leaves scope. */
#define DEFINE_AUTO(n, T) \
    static inline void n##_autop_(T **p) { (void)n##_free(*p); }
/* DEFINE_AUTO_FINI(n, T): AUTO_FINI(n) runs n##_fini on a T when it leaves scope. */
#define DEFINE_AUTO_FINI(n, T) \
    static inline void n##_autof_(T *p) { n##_fini(p); }
/* NOLINTEND(bugprone-macro-parentheses) */
#define AUTO(n) __attribute__((cleanup(n##_autop_)))
#define AUTO_FINI(n) __attribute__((cleanup(n##_autof_)))
/* TAKE(p): the value of p, leaving NULL behind, so AUTO() lets it go. */
#define TAKE(p) (__extension__({ __typeof__(p) take_ = (p); (p) = NULL; take_; }))
/* clang-format on */

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#endif
