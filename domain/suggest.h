/* domain/suggest.h - "did you mean ...?": the known name that is nearest to a misspelt one.
 *
 *     struct suggestion s = { .word = word };
 *     for each known name: suggest_consider(&s, name);
 *     if (s.nearest) ...
 *
 * Pure, any thread.
 */
#ifndef JOBD_DOMAIN_SUGGEST_H
#define JOBD_DOMAIN_SUGGEST_H

#define SUGGEST_WORD_MAX 64 /* longer words have no near name */

struct suggestion {
    const char *word;    /* what was written */
    const char *nearest; /* borrowed from the candidates; NULL while none is near enough */
    unsigned distance;   /* of nearest; only with it */
};

/* Keep candidate when it is near to the word and nearer than those before. Near: one edit for
 * each three characters (an edit adds, drops or replaces a character or swaps two neighbours),
 * or a candidate of which the word is the beginning. */
void suggest_consider(struct suggestion *s, const char *candidate);

#endif
