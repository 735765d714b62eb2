/* A scanner over the text: at each place the first of the forms below that matches is copied in
 * its general form. A form that looks further ahead than it takes notes how far it has looked,
 * so that no byte is looked at more than a few times. */
#include "domain/failure_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

#define HEX_MIN   6  /* characters: shorter words of hexadecimal digits are words */
#define MIXED_MIN 8  /* a word with both cases and digits is an id from here on */
#define LONG_MIN  16 /* and any with a digit */

struct scanner {
    const char *p;
    const char *end;
    bool in_word;          /* the byte before p belongs to a word */
    const char *no_path;   /* up to here there is no path within a word */
    const char *no_number; /* ... and no number that ends where a number may */
    unsigned quotes_over;  /* bit i: no further quotes[i] is closed */
    char *room;
    size_t len;
    bool full;
};

static const char quotes[] = { '"', '\'', '`' };

/* -- bytes ----------------------------------------------------------------------------------
 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
    return is_digit(c) || is_lower(c) || is_upper(c);
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_blank(char c)
{
    return c == ' ' || (unsigned char)c < 0x20 || c == 0x7f;
}

static bool is_path_char(char c)
{
    return is_alnum(c) || (unsigned char)c >= 0x80 ||
           (c != '\0' && strchr("_./+@~%=-\\", c) != NULL);
}

/* The byte at p + n, or NUL. */
static char at(const struct scanner *s, size_t n)
{
    if (n < (size_t)(s->end - s->p))
        return s->p[n];
    return '\0';
}

/* -- what is written ------------------------------------------------------------------------
 */

static void put(struct scanner *s, const char *text, size_t len)
{
    if (s->full || len >= FAILURE_TEXT_SIZE - s->len) {
        s->full = true; /* nothing after a gap */
        return;
    }
    memcpy(s->room + s->len, text, len);
    s->len += len;
}

static void put_blank(struct scanner *s)
{
    if (s->len > 0 && s->room[s->len - 1] != ' ')
        put(s, " ", 1);
}

/* The n bytes at p are what the placeholder stands for. */
static bool take(struct scanner *s, size_t n, const char *placeholder)
{
    put(s, placeholder, strlen(placeholder));
    s->p += n;
    s->in_word = false;
    return true;
}

/* -- forms that begin anywhere but within a word --------------------------------------------
 */

static bool take_quoted(struct scanner *s)
{
    for (size_t i = 0; i < sizeof quotes; i++) {
        if (at(s, 0) != quotes[i] || s->quotes_over & 1U << i)
            continue;
        for (size_t n = 1; s->p + n < s->end; n++)
            if (at(s, n) == quotes[i] && !is_alnum(at(s, n + 1)))
                return take(s, n + 1, "<str>");
        s->quotes_over |= 1U << i;
    }
    return false;
}

static bool take_url(struct scanner *s)
{
    size_t n = 0;

    while (is_alnum(at(s, n)))
        n++;
    if (n == 0 || at(s, n) != ':' || at(s, n + 1) != '/' || at(s, n + 2) != '/')
        return false;
    while (at(s, n) != '\0' && !is_blank(at(s, n)) && !strchr("\"'`<>()[]{}", at(s, n)))
        n++;
    while (strchr(".,:;", at(s, n - 1)))
        n--;
    return take(s, n, "<url>");
}

static bool begins_path(const struct scanner *s)
{
    char c = at(s, 0);

    if (c == '/')
        return is_path_char(at(s, 1));
    if (c == '~' || (c == '.' && at(s, 1) == '/'))
        return at(s, 1) == '/';
    if (c == '.')
        return at(s, 1) == '.' && at(s, 2) == '/';
    return is_alnum(c) && at(s, 1) == ':' && at(s, 2) == '\\';
}

/* One that does not begin as paths do must look like one: src/x.c, a/b/c, but not and/or. */
static bool take_path(struct scanner *s)
{
    bool sure = begins_path(s);
    size_t n = is_alnum(at(s, 0)) && at(s, 1) == ':' && sure ? 2 : 0;
    unsigned slashes = 0;
    bool dot = false;

    if (!sure && s->p < s->no_path)
        return false;
    for (; is_path_char(at(s, n)); n++) {
        slashes += at(s, n) == '/';
        dot = at(s, n) == '/' ? false : dot || (at(s, n) == '.' && is_alnum(at(s, n + 1)));
    }
    if (!sure && (slashes == 0 || !(dot || slashes > 1) || is_digit(at(s, 0)))) {
        s->no_path = s->p + n;
        return false;
    }
    while (n > 1 && at(s, n - 1) == '.')
        n--;
    return take(s, n, "<path>");
}

static bool take_uuid(struct scanner *s)
{
    for (size_t n = 0; n < 36; n++) {
        bool dash = n == 8 || n == 13 || n == 18 || n == 23;

        if (dash ? at(s, n) != '-' : !is_hex(at(s, n)))
            return false;
    }
    return !is_alnum(at(s, 36)) && take(s, 36, "<uuid>");
}

static bool take_address(struct scanner *s)
{
    size_t n = 2;

    if (at(s, 0) != '0' || (at(s, 1) | 0x20) != 'x')
        return false;
    while (is_hex(at(s, n)))
        n++;
    return n > 2 && !is_alnum(at(s, n)) && take(s, n, "<hex>");
}

/* What may stand between digits of one number, date or time, and how many bytes it has. */
static size_t joint(const struct scanner *s, size_t n)
{
    if (at(s, n) != '\0' && strchr(".,:/-+T_", at(s, n)) && is_digit(at(s, n + 1)))
        return 1;
    if ((at(s, n) | 0x20) != 'e')
        return 0;
    if (is_digit(at(s, n + 1)))
        return 1;
    return (at(s, n + 1) == '-' || at(s, n + 1) == '+') && is_digit(at(s, n + 2)) ? 2 : 0;
}

static bool take_number(struct scanner *s)
{
    size_t n = 0;
    size_t more = 1;

    if (!is_digit(at(s, 0)) || s->p < s->no_number)
        return false;
    for (; more > 0; more = joint(s, n))
        for (n += n > 0 ? more : 0; is_digit(at(s, n)); n++)
            ;
    if (at(s, n) == 'Z')
        n++;
    s->no_number = s->p + n;
    /* 12ms is a word, and so is 8f3a2b. */
    return !is_alnum(at(s, n)) && at(s, n) != '_' && take(s, n, "<num>");
}

/* -- words ----------------------------------------------------------------------------------
 */

struct word {
    size_t len;
    size_t digit_runs;
    size_t digits;
    bool lower;
    bool upper;
    bool hex; /* all of it */
};

static struct word look_at_word(const struct scanner *s)
{
    struct word w = { .hex = true };

    for (; is_alnum(at(s, w.len)); w.len++) {
        char c = at(s, w.len);

        w.digit_runs += is_digit(c) && !(w.len > 0 && is_digit(at(s, w.len - 1)));
        w.digits += is_digit(c);
        w.lower |= is_lower(c);
        w.upper |= is_upper(c);
        w.hex &= is_hex(c);
    }
    return w;
}

static bool is_id(const struct word *w)
{
    if (w->digits == w->len)
        return false;
    return w->digit_runs > 1 || (w->len >= MIXED_MIN && w->lower && w->upper) ||
           w->len >= LONG_MIN;
}

/* Letters and digits up to anything else. */
static bool take_word(struct scanner *s)
{
    struct word w = look_at_word(s);
    bool after_digit = false;

    if (w.len == 0)
        return false;
    if (w.digits > 0 && w.digits < w.len && w.hex && w.len >= HEX_MIN)
        return take(s, w.len, "<hex>");
    if (w.digits > 0 && is_id(&w))
        return take(s, w.len, "<id>");
    for (size_t i = 0; i < w.len; i++) {
        bool digit = is_digit(at(s, i));

        if (!digit)
            put(s, s->p + i, 1);
        else if (!after_digit)
            put(s, "<num>", 5);
        after_digit = digit;
    }
    s->p += w.len;
    s->in_word = true;
    return true;
}

/* -- the rest -------------------------------------------------------------------------------
 */

/* The colours of a terminal: ECMA-48 5.4, the control sequences that begin with ESC [. */
static bool skip_escape(struct scanner *s)
{
    size_t n = 2;

    if (at(s, 0) != 0x1b || at(s, 1) != '[')
        return false;
    while (s->p + n < s->end && at(s, n) >= 0x20 && at(s, n) < 0x40)
        n++;
    s->p += s->p + n < s->end ? n + 1 : n;
    return true;
}

static void copy_character(struct scanner *s)
{
    size_t n = text_utf8_len(s->p, (size_t)(s->end - s->p));

    s->in_word = at(s, 0) == '_' || n > 1;
    put(s, n > 0 ? s->p : "?", n > 0 ? n : 1);
    s->p += n > 0 ? n : 1;
}

static void step(struct scanner *s)
{
    if (skip_escape(s))
        return;
    if (is_blank(at(s, 0))) {
        put_blank(s);
        s->p++;
        s->in_word = false;
        return;
    }
    if (!s->in_word && (take_quoted(s) || take_url(s) || take_path(s) || take_uuid(s) ||
                        take_address(s) || take_number(s)))
        return;
    if (!take_word(s))
        copy_character(s);
}

char *failure_text_general(const char *text, size_t len, char room[FAILURE_TEXT_SIZE])
{
    struct scanner s = { .p = text, .room = room };

    s.end = text + (len < FAILURE_TEXT_IN_MAX_BYTES ? len : FAILURE_TEXT_IN_MAX_BYTES);
    s.no_path = text;
    s.no_number = text;
    while (s.p < s.end && !s.full)
        step(&s);
    while (s.len > 0 && room[s.len - 1] == ' ')
        s.len--;
    room[s.len] = '\0';
    return room;
}

const char *failure_text_last_line(const char *block, size_t len, size_t *ret_len)
{
    size_t first = len > FAILURE_TEXT_IN_MAX_BYTES ? len - FAILURE_TEXT_IN_MAX_BYTES : 0;
    size_t begin;

    while (len > first && is_blank(block[len - 1]))
        len--;
    for (begin = len; begin > first && block[begin - 1] != '\n';)
        begin--;
    *ret_len = len - begin;
    return block + begin;
}
