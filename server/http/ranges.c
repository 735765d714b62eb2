#include "server/http/ranges.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define BLANKS " \t"

/* A decimal number at *at, which is moved behind it; false when there is no digit. What is too
 * large for the type reads as its maximum: it lies outside of any representation anyhow. */
static bool scan_number(const char **at, uint64_t *ret_number)
{
    const char *p = *at;
    uint64_t number = 0;

    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*p - '0'), &number))
            number = UINT64_MAX;
    if (p == *at)
        return false;
    *at = p;
    *ret_number = number;
    return true;
}

struct spec {
    bool has_first;
    bool has_last; /* without has_first: the length of a suffix */
    uint64_t first;
    uint64_t last;
};

/* Exactly one byte range; false for several, another unit and what is not a range at all. */
static bool parse_single(const char *range, struct spec *ret_spec)
{
    struct spec s = { 0 };
    const char *at = range;

    if (strncasecmp(at, "bytes=", 6) != 0)
        return false;
    at += 6;
    at += strspn(at, BLANKS);
    s.has_first = scan_number(&at, &s.first);
    if (*at++ != '-')
        return false;
    s.has_last = scan_number(&at, &s.last);
    at += strspn(at, BLANKS);
    if (*at || (!s.has_first && !s.has_last))
        return false;
    if (s.has_first && s.has_last && s.last < s.first)
        return false;
    *ret_spec = s;
    return true;
}

static bool resolve_suffix(uint64_t suffix, uint64_t total, struct http_range *ret_range)
{
    if (suffix == 0)
        return false;
    if (total == 0) /* nothing has no part: the whole */
        *ret_range = (struct http_range){ 0 };
    else
        *ret_range = (struct http_range){
            .partial = true,
            .offset = suffix < total ? total - suffix : 0,
            .len = suffix < total ? suffix : total,
        };
    return true;
}

static bool resolve(const struct spec *s, uint64_t total, struct http_range *ret_range)
{
    uint64_t last;

    if (!s->has_first)
        return resolve_suffix(s->last, total, ret_range);
    if (s->first >= total)
        return false;
    last = s->has_last && s->last < total ? s->last : total - 1;
    *ret_range = (struct http_range){
        .partial = true,
        .offset = s->first,
        .len = last - s->first + 1,
    };
    return true;
}

int range_parse(const char *range, const char *if_range, uint64_t total_bytes,
                const char *strong_etag, struct http_range *ret_range, struct errinfo *e)
{
    struct http_range whole = { .len = total_bytes };
    struct http_range part;
    struct spec spec;

    if (!range || !parse_single(range, &spec) ||
        (if_range && (!strong_etag || !text_equal(if_range, strong_etag)))) {
        *ret_range = whole;
        return 0;
    }
    if (!resolve(&spec, total_bytes, &part))
        return err_set(e, ERR_RANGE, "there are %" PRIu64 " bytes", total_bytes);
    *ret_range = part.partial ? part : whole;
    return 0;
}

/* Skip the W/ of a weak tag. */
static const char *opaque_part(const char *tag)
{
    return tag[0] == 'W' && tag[1] == '/' ? tag + 2 : tag;
}

static bool is_listed(const char *list, const char *want, bool weakly)
{
    size_t want_len = strlen(want);
    const char *at = list + strspn(list, BLANKS);

    if (at[0] == '*')
        return at[1 + strspn(at + 1, BLANKS)] == 0;
    while (*at) {
        const char *end;

        bool weak;

        at += strspn(at, BLANKS ",");
        weak = opaque_part(at) != at;
        at = opaque_part(at);
        if (*at != '"')
            return false; /* not a list of entity-tags: matches nothing */
        end = strchr(at + 1, '"');
        if (!end)
            return false;
        if ((weakly || !weak) && (size_t)(end + 1 - at) == want_len &&
            memcmp(at, want, want_len) == 0)
            return true;
        at = end + 1 + strspn(end + 1, BLANKS ",");
    }
    return false;
}

bool etag_listed(const char *list, const char *etag)
{
    return is_listed(list, opaque_part(etag), true);
}

bool etag_listed_strongly(const char *list, const char *etag)
{
    return is_listed(list, etag, false);
}
