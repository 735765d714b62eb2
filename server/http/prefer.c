#include "server/http/prefer.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

#define BLANKS    " \t"
#define WAIT_MAX  ((int64_t)1000000000)
#define NAME_MAX_ 32 /* longer names and values are none that matter here */

static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~/", c) != NULL);
}

/* The length of the element at text: up to a separator that no quoted string holds. */
static size_t element_len(const char *text, char separator)
{
    bool quoted = false;
    size_t n = 0;

    for (; text[n]; n++) {
        if (quoted && text[n] == '\\' && text[n + 1])
            n++;
        else if (text[n] == '"')
            quoted = !quoted;
        else if (!quoted && text[n] == separator)
            break;
    }
    return n;
}

struct pair {
    char name[NAME_MAX_];
    char value[NAME_MAX_];
};

/* A token or quoted string; one that is too long reads as empty. Returns what follows it. */
static const char *copy_word(const char *at, char word[NAME_MAX_])
{
    bool quoted = *at == '"';
    size_t n = 0;

    if (quoted)
        at++;
    for (; quoted ? *at && *at != '"' : is_token_char(*at); at++, n++)
        if (n < NAME_MAX_)
            word[n] = *at;
    word[n < NAME_MAX_ ? n : 0] = 0;
    return quoted && *at == '"' ? at + 1 : at;
}

/* name [= value], blanks around "=" tolerated; false when there is no name. */
static bool scan_pair(const char *text, struct pair *ret_pair)
{
    const char *at = text + strspn(text, BLANKS);

    *ret_pair = (struct pair){ 0 };
    at = copy_word(at, ret_pair->name);
    at += strspn(at, BLANKS);
    if (*at == '=')
        (void)copy_word(at + 1 + strspn(at + 1, BLANKS), ret_pair->value);
    return ret_pair->name[0] != 0;
}

static void take_preference(struct prefer *p, const struct pair *pair)
{
    int64_t seconds;

    if (strcasecmp(pair->name, "wait") == 0 && !p->has_wait) {
        if (!text_to_i64(pair->value, 0, WAIT_MAX, &seconds))
            return;
        p->has_wait = true;
        p->wait_seconds = seconds;
    } else if (strcasecmp(pair->name, "handling") == 0 && !p->has_handling) {
        p->has_handling = true;
        p->lenient = text_equal(pair->value, "lenient");
    } else if (strcasecmp(pair->name, "return") == 0 && !p->has_return) {
        p->has_return = true;
        p->total_count = text_equal(pair->value, "total-count");
    }
}

void prefer_feed(struct prefer *p, const char *line)
{
    struct pair pair;

    for (const char *at = line; *at;) {
        size_t len = element_len(at, ',');

        if (scan_pair(at, &pair))
            take_preference(p, &pair);
        at += len + (at[len] == ',');
    }
}

/* -- Accept ---------------------------------------------------------------------------------
 */

static int closeness(const char *range)
{
    if (strcasecmp(range, "application/json") == 0)
        return 3;
    if (strcasecmp(range, "application/*") == 0)
        return 2;
    return text_equal(range, "*/*") ? 1 : 0;
}

/* Whether the parameters of a media range say q=0, in any of its spellings. */
static bool has_zero_q(const char *params, size_t len)
{
    for (const char *at = params; at < params + len;) {
        size_t n = element_len(at, ';');
        struct pair pair;

        if (scan_pair(at, &pair) && strcasecmp(pair.name, "q") == 0)
            return pair.value[0] == '0' && strspn(pair.value, "0.") == strlen(pair.value);
        at += n + (at[n] == ';');
    }
    return false;
}

static void take_range(struct accept *a, const char *element, size_t len)
{
    struct pair range;
    size_t type_len = element_len(element, ';');
    int close;
    bool wanted;

    if (!scan_pair(element, &range) || !strchr(range.name, '/'))
        return;
    a->readable = true;
    wanted = type_len >= len || !has_zero_q(element + type_len + 1, len - type_len - 1);
    if (strcasecmp(range.name, "text/event-stream") == 0)
        a->events = wanted;
    if (strcasecmp(range.name, "text/html") == 0)
        a->html = wanted;
    close = closeness(range.name);
    if (close < a->best || close == 0)
        return;
    a->wanted = wanted || (close == a->best && a->wanted);
    a->best = close;
}

void accept_feed_json(struct accept *a, const char *line)
{
    for (const char *at = line; *at;) {
        size_t len = element_len(at, ',');

        take_range(a, at, len);
        at += len + (at[len] == ',');
    }
}

bool accept_is_html(const struct accept *a)
{
    return a->html && a->best < 3;
}

bool accept_allows(const struct accept *a)
{
    return !a->readable || (a->best > 0 && a->wanted);
}
