#include "tests/support/test.h"

#include <string.h>

#include "handlers/handlers.h"

static void only_probes_and_descriptions_need_no_key(void **state)
{
    static const char *const open_paths[] = { "/",     "/livez",    "/readyz",      "/openapi.",
                                              "/docs", "/problems", "/.well-known/" };

    (void)state;
    for (size_t i = 0; i < handlers_route_count; i++) {
        const struct http_route *route = &handlers_routes[i];
        bool open = strcmp(route->path, "/") == 0;

        for (size_t k = 1; k < sizeof open_paths / sizeof *open_paths; k++)
            open = open || strncmp(route->path, open_paths[k], strlen(open_paths[k])) == 0;
        if (open != (route->scope == SCOPE_PUBLIC))
            fail_msg("%s: %s a key", route->operation_id, open ? "needs" : "does not need");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_probes_and_descriptions_need_no_key),
    };

    return cmocka_run_group_tests_name("handlers/routes", tests, NULL, NULL);
}
