#include "handlers/representation.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

/* A dictionary of algorithms and preferences from 0 to 10: "sha-512=3, sha-256=10". */
int representation_wants_sha256(const char *wanted)
{
    static const char name[] = "sha-256";
    const char *at = wanted ? wanted : "";

    while (*at) {
        at += strspn(at, " \t,");
        if (strncasecmp(at, name, sizeof name - 1) == 0) {
            at += sizeof name - 1;
            if (*at == '=')
                return at[1] == '0' ? -1 : 1;
            if (strchr(" \t,", *at)) /* its end, too */
                return 1;
        }
        at += strcspn(at, ",");
    }
    return 0;
}

bool representation_known(const struct http_req *rq, struct http_resp *rs, const char *etag)
{
    http_set_header(rs, "ETag", "%s", etag);
    return http_none_match(rq, etag);
}

static int set_digest(const struct http_req *rq, struct http_resp *rs,
                      const struct representation *what)
{
    int wanted = representation_wants_sha256(http_header(rq, "Want-Repr-Digest"));
    char field[SHA256_FIELD_SIZE];
    int r;

    if (wanted < 0 || what->bytes > REPRESENTATION_DIGEST_MAX_BYTES ||
        (wanted == 0 && what->bytes > REPRESENTATION_DIGEST_UNASKED_BYTES))
        return 0;
    r = what->digest(what->ctx, field, &rs->err);
    if (r < 0)
        return r;
    http_set_header(rs, "Repr-Digest", "%s", field);
    return 0;
}

int representation_part(const struct http_req *rq, struct http_resp *rs,
                        const struct representation *what, struct representation_part *ret_part)
{
    struct http_range range;
    int r;

    http_set_header(rs, "Accept-Ranges", "%s", "bytes");
    r = http_range(rq, what->bytes, what->etag, &range, &rs->err);
    if (r == ERR_RANGE)
        http_set_header(rs, "Content-Range", "bytes */%" PRIu64, what->bytes);
    if (r == 0)
        r = set_digest(rq, rs, what);
    if (r < 0)
        return r;
    if (range.partial)
        http_set_header(rs, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                        range.offset, range.offset + range.len - 1, what->bytes);
    *ret_part = (struct representation_part){ .status = range.partial ? 206 : 200,
                                              .offset = range.offset,
                                              .len = range.len };
    return 0;
}
