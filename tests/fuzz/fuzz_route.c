/* The path of a request, and percent-encoded text. */
#include "tests/fuzz/fuzz.h"

#include "handlers/handlers.h"
#include "server/http/percent.h"
#include "server/http/router.h"

static const struct router *router(void)
{
    static struct router *rt;
    struct errinfo e;

    if (!rt && router_new(handlers_routes, handlers_route_count, &rt, &e) < 0)
        abort();
    return rt;
}

static void match(const char *path)
{
    AUTO(mem) char *work = mem_printf("/%s", path);
    size_t room = strlen(work) + 1;
    struct route_match m;
    struct errinfo e;

    if (router_match(router(), work, &m, &e) < 0)
        return;
    assert(m.resource && m.param_count <= ROUTE_PARAMS_MAX);
    for (size_t i = 0; i < m.param_count; i++) {
        assert(*m.params[i].value);
        assert(m.params[i].value >= work && m.params[i].value < work + room);
    }
}

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO(mem) char *text = fuzz_text(data, size);
    AUTO(mem) char *to = mem_new0(size + 1);
    size_t len;

    if (percent_decode((const char *)data, size, size % 2, to, &len))
        assert(len <= size && to[len] == '\0');
    match(text);
    return 0;
}
