/* What a key or an identity may do, as the configuration, the command line and gateways say it.
 */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "domain/grant.h"
#include "domain/principal.h"

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO(mem) char *text = fuzz_text(data, size);
    AUTO_FINI(grant) struct grant g = { 0 };
    AUTO_FINI(grant) struct grant same = { 0 };
    AUTO_FINI(buf) struct buf scopes = { 0 };
    struct errinfo e;

    if (grant_parse(&g, text, &e) < 0 || g.scopes == 0)
        return 0;
    grant_format_scopes(g.scopes, ',', &scopes);
    assert(grant_set(&same, "scopes", scopes.data, &e) == 0);
    assert(same.scopes == g.scopes);
    return 0;
}
