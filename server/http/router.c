#include "server/http/router.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "server/http/percent.h"

struct pattern {
    char *param; /* NULL: the segment is literal */
    char *tail;  /* the literal, or what follows {param} */
    size_t tail_len;
    bool rest; /* {param*}: all segments from here on */
};

struct resource {
    const char *path;
    const struct http_route *routes[HTTP_METHOD_MAX_];
    char *allow;
    size_t count;
    size_t param_count;
    struct pattern patterns[ROUTE_SEGMENTS_MAX];
};

struct router {
    struct resource *resources; /* those with fewer parameters first: a literal wins */
    size_t count;
};

struct segment {
    char *text;
    size_t len;
};

/* -- compile --------------------------------------------------------------------------------
 */

static bool compile_segment(const char *text, size_t len, struct pattern *ret_pattern)
{
    const char *open = memchr(text, '{', len);
    const char *close = memchr(text, '}', len);

    if (!open && !close) {
        *ret_pattern = (struct pattern){ .tail = mem_dup(text, len), .tail_len = len };
        return true;
    }
    if (open != text || !close || close == text + 1)
        return false;

    size_t tail_len = len - (size_t)(close + 1 - text);
    if (tail_len > 0 && close[1] != ':')
        return false;
    bool rest = close[-1] == '*';
    if (rest && (tail_len > 0 || close == text + 2))
        return false;
    *ret_pattern = (struct pattern){
        .rest = rest,
        .param = mem_dup(text + 1, (size_t)(close - text) - 1 - rest),
        .tail = mem_dup(close + 1, tail_len),
        .tail_len = tail_len,
    };
    return true;
}

static bool compile(const char *path, struct resource *res)
{
    const char *at = path;

    res->path = path;
    if (*at++ != '/')
        return false;
    for (;;) {
        size_t len = strcspn(at, "/");

        if (res->count == ROUTE_SEGMENTS_MAX)
            return false;
        if (!compile_segment(at, len, &res->patterns[res->count]))
            return false;
        if (res->patterns[res->count++].param)
            res->param_count++;
        if (at[len] && res->patterns[res->count - 1].rest)
            return false;
        if (!at[len])
            return res->param_count <= ROUTE_PARAMS_MAX;
        at += len + 1;
    }
}

static struct resource *find(struct router *rt, const char *path)
{
    for (size_t i = 0; i < rt->count; i++)
        if (text_equal(rt->resources[i].path, path))
            return &rt->resources[i];
    return NULL;
}

static char *make_allow(const struct resource *res)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    if (res->routes[HTTP_GET])
        buf_add_str(&b, "GET, HEAD, ");
    if (res->routes[HTTP_POST])
        buf_add_str(&b, "POST, ");
    if (res->routes[HTTP_PATCH])
        buf_add_str(&b, "PATCH, ");
    if (res->routes[HTTP_DELETE])
        buf_add_str(&b, "DELETE, ");
    buf_add_str(&b, "OPTIONS");
    return buf_steal(&b);
}

static int by_param_count(const void *a, const void *b)
{
    const struct resource *x = a;
    const struct resource *y = b;

    return (x->param_count > y->param_count) - (x->param_count < y->param_count);
}

static int add_route(struct router *rt, const struct http_route *route, struct errinfo *e)
{
    struct resource *res = find(rt, route->path);

    if (!res) {
        res = &rt->resources[rt->count++];
        if (!compile(route->path, res))
            return err_set(e, ERR_INTERNAL, "route %s cannot be compiled", route->path);
    }
    if (res->routes[route->method])
        return err_set(e, ERR_INTERNAL, "route %s is there twice", route->path);
    res->routes[route->method] = route;
    return 0;
}

int router_new(const struct http_route *routes, size_t route_count, struct router **ret_router,
               struct errinfo *e)
{
    AUTO(router) struct router *rt = mem_new0(sizeof *rt);

    rt->resources = mem_array0(route_count + 1, sizeof *rt->resources);
    for (size_t i = 0; i < route_count; i++) {
        int r = add_route(rt, &routes[i], e);

        if (r < 0)
            return r;
    }
    qsort(rt->resources, rt->count, sizeof *rt->resources, by_param_count);
    for (size_t i = 0; i < rt->count; i++)
        rt->resources[i].allow = make_allow(&rt->resources[i]);
    *ret_router = TAKE(rt);
    return 0;
}

struct router *router_free(struct router *rt)
{
    if (!rt)
        return NULL;
    for (size_t i = 0; i < rt->count; i++) {
        struct resource *res = &rt->resources[i];

        for (size_t k = 0; k < res->count; k++) {
            free(res->patterns[k].param);
            free(res->patterns[k].tail);
        }
        free(res->allow);
    }
    free(rt->resources);
    free(rt);
    return NULL;
}

/* -- match ----------------------------------------------------------------------------------
 */

static bool segment_matches(const struct pattern *p, const struct segment *s)
{
    size_t value_len;

    if (!p->param)
        return s->len == p->tail_len && memcmp(s->text, p->tail, s->len) == 0;
    if (s->len <= p->tail_len)
        return false;
    value_len = s->len - p->tail_len;
    return memcmp(s->text + value_len, p->tail, p->tail_len) == 0 &&
           !memchr(s->text, ':', value_len);
}

static bool rest_matches(const struct segment *segments, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (segments[i].len == 0)
            return false;
    return true;
}

static bool resource_matches(const struct resource *res, const struct segment *segments,
                             size_t count)
{
    bool rest = res->patterns[res->count - 1].rest;
    size_t plain = rest ? res->count - 1 : res->count;

    if (rest ? count < res->count : count != res->count)
        return false;
    for (size_t i = 0; i < plain; i++)
        if (!segment_matches(&res->patterns[i], &segments[i]))
            return false;
    return !rest || rest_matches(segments + plain, count - plain);
}

/* Put them together again, decoded, with a slash between two. There is room: each slash was
 * there before. */
static char *join(const struct segment *segments, size_t count)
{
    char *to = segments[0].text + segments[0].len;

    for (size_t i = 1; i < count; i++) {
        *to++ = '/';
        memmove(to, segments[i].text, segments[i].len);
        to += segments[i].len;
    }
    *to = 0;
    return segments[0].text;
}

static void take_params(const struct resource *res, const struct segment *segments,
                        size_t count, struct route_match *ret_match)
{
    struct route_match m = { .resource = res };

    for (size_t i = 0; i < res->count; i++) {
        const struct pattern *p = &res->patterns[i];
        const char *value = segments[i].text;

        if (!p->param)
            continue;
        if (p->rest)
            value = join(segments + i, count - i);
        else
            segments[i].text[segments[i].len - p->tail_len] = 0; /* the verb goes */
        m.params[m.param_count++] = (struct route_param){ .name = p->param, .value = value };
    }
    *ret_match = m;
}

/* The number of segments, or an error. More than any template has is as good as not found. */
static int split(char *path, struct segment segments[PATH_SEGMENTS_MAX], size_t *ret_count,
                 struct errinfo *e)
{
    char *at = path + 1;
    size_t count = 0;
    bool last;

    do {
        size_t len = strcspn(at, "/");

        last = at[len] == 0;
        if (count == PATH_SEGMENTS_MAX)
            return err_set(e, ERR_NOT_FOUND, "no resource has so many segments");
        if (!percent_decode(at, len, false, at, &segments[count].len))
            return err_set(e, ERR_MALFORMED_REQUEST,
                           "segment %zu of the path is not percent-encoded UTF-8", count + 1);
        segments[count++].text = at;
        at += len + 1;
    } while (!last);
    *ret_count = count;
    return 0;
}

int router_match(const struct router *rt, char *path, struct route_match *ret_match,
                 struct errinfo *e)
{
    struct segment segments[PATH_SEGMENTS_MAX];
    size_t count = 0;
    int r;

    r = split(path, segments, &count, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < rt->count; i++) {
        if (!resource_matches(&rt->resources[i], segments, count))
            continue;
        take_params(&rt->resources[i], segments, count, ret_match);
        return 0;
    }
    return err_set(e, ERR_NOT_FOUND, "no resource has this path");
}

const struct http_route *resource_route(const struct resource *res, enum http_method method)
{
    return res->routes[method];
}

const char *resource_allow(const struct resource *res)
{
    return res->allow;
}

const char *resource_path(const struct resource *res)
{
    return res->path;
}
