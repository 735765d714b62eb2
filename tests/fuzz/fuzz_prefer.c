/* Prefer, Accept, Forwarded and X-Forwarded-For, a line each. */
#include "tests/fuzz/fuzz.h"

#include "base/cidr.h"
#include "server/http/forwarded.h"
#include "server/http/prefer.h"

static void check_forwarded(const struct forwarded *f)
{
    struct ip_address nearest;
    struct ip_address client;
    AUTO_FINI(cidr_list) struct cidr_list trusted = { 0 };
    char room[IP_TEXT_SIZE];
    struct errinfo e;

    assert(f->count <= FORWARDED_HOPS_MAX);
    if (cidr_list_add(&trusted, "10.0.0.0/8", &e) < 0 || !ip_parse("10.0.0.1", 8, &nearest))
        abort();
    if (forwarded_client(f, &nearest, &trusted, &client))
        assert(*ip_format(&client, room));
    (void)forwarded_client(f, NULL, &trusted, &client);
    (void)forwarded_is_https(f);
}

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO(mem) char *text = fuzz_text(data, size);
    struct prefer prefer = { 0 };
    struct accept accept = { 0 };
    struct forwarded forwarded = { 0 };
    struct forwarded x = { 0 };
    char *rest = text;
    const char *line;

    for (int i = 0; (line = fuzz_line(&rest)) != NULL; i++) {
        prefer_feed(&prefer, line);
        accept_feed_json(&accept, line);
        forwarded_feed(&forwarded, line);
        forwarded_feed_x(&x, line);
        (void)forwarded_x_proto_is_https(line);
    }
    assert(!prefer.has_wait || prefer.wait_seconds >= 0);
    (void)accept_allows(&accept);
    (void)accept_is_html(&accept);
    check_forwarded(&forwarded);
    check_forwarded(&x);
    return 0;
}
