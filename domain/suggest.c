#include "domain/suggest.h"

#include <string.h>

#define PREFIX_MIN                                                                             \
    3 /* characters, so that one letter does not suggest whatever begins with it */

static unsigned min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment; both lengths are at most SUGGEST_WORD_MAX. */
static unsigned edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][SUGGEST_WORD_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_len; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *oldest = before;

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = min(min(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min(row[j], before[j - 2] + 1);
        }
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_len];
}

void suggest_consider(struct suggestion *s, const char *candidate)
{
    size_t word_len = strnlen(s->word, SUGGEST_WORD_MAX + 1);
    size_t len = strnlen(candidate, SUGGEST_WORD_MAX + 1);
    unsigned distance;

    if (word_len > SUGGEST_WORD_MAX || len > SUGGEST_WORD_MAX)
        return;
    if (word_len >= PREFIX_MIN && strncmp(candidate, s->word, word_len) == 0)
        distance = 1;
    else
        distance = edit_distance(s->word, word_len, candidate, len);
    if (distance > (word_len + 2) / 3 || distance >= len)
        return;
    if (!s->nearest || distance < s->distance) {
        s->nearest = candidate;
        s->distance = distance;
    }
}
