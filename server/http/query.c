#include "server/http/query.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "server/http/percent.h"

static size_t count_params(const char *raw)
{
    size_t n = 1;

    for (const char *p = raw; *p; p++)
        n += *p == '&';
    return n;
}

/* One "name=value" of raw text into *to, which is moved behind what was written. */
static bool decode_pair(const char *pair, size_t len, char **to, struct query_param *ret_param)
{
    const char *eq = memchr(pair, '=', len);
    size_t name_len = eq ? (size_t)(eq - pair) : len;
    struct query_param p;
    size_t n;

    p.name = *to;
    if (!percent_decode(pair, name_len, true, *to, &n))
        return false;
    *to += n + 1;
    p.value = *to;
    if (!percent_decode(eq ? eq + 1 : "", eq ? len - name_len - 1 : 0, true, *to, &n))
        return false;
    *to += n + 1;
    *ret_param = p;
    return true;
}

void query_parse(const char *raw, struct query *ret_query)
{
    struct query q = { 0 };
    size_t expected;
    const char *at = raw;
    char *to;

    *ret_query = q;
    if (!*raw)
        return;
    expected = count_params(raw);
    if (expected > QUERY_PARAMS_MAX) {
        ret_query->fault = ERR_INVALID_PARAMETER;
        (void)snprintf(ret_query->fault_text, sizeof ret_query->fault_text,
                       "the query has %zu parameters, at most %d are read", expected,
                       QUERY_PARAMS_MAX);
        return;
    }
    q.params = mem_array0(expected, sizeof *q.params);
    to = q.text =
        mem_new0(strlen(raw) + expected + 1); /* a NUL more for each "&" and none "=" */
    for (size_t i = 0; i < expected; i++) {
        size_t len = strcspn(at, "&");

        if (len > 0 && !decode_pair(at, len, &to, &q.params[q.count++])) {
            q.count--;
            q.fault = ERR_INVALID_PARAMETER;
            (void)snprintf(q.fault_text, sizeof q.fault_text,
                           "parameter %zu of the query is not percent-encoded UTF-8", i + 1);
            break;
        }
        at += len + 1;
    }
    *ret_query = q;
}

const char *query_value(const struct query *q, const char *name, size_t n)
{
    for (size_t i = 0; i < q->count; i++)
        if (text_equal(q->params[i].name, name) && n-- == 0)
            return q->params[i].value;
    return NULL;
}

static bool is_listed(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (text_equal(name, *names))
            return true;
    return false;
}

int query_allow(const struct query *q, const char *const *names, struct errinfo *e)
{
    if (q->fault < 0)
        return err_set(e, q->fault, "%s", q->fault_text);
    for (size_t i = 0; i < q->count; i++)
        if (!is_listed(q->params[i].name, names))
            return err_set(e, ERR_INVALID_PARAMETER,
                           "the query parameter \"%.100s\" is not known here",
                           q->params[i].name);
    return 0;
}

void query_fini(struct query *q)
{
    free(q->params);
    free(q->text);
    *q = (struct query){ 0 };
}
