/* GET /v1/whoami (getWhoami): what the server makes of the credential. */
#include "domain/api_key_json.h"
#include "handlers/common.h"
#include "handlers/handlers.h"

int h_get_whoami(struct http_req *rq, struct http_resp *rs)
{
    int r = common_no_query(rq, rs);

    if (r < 0)
        return r;
    return http_reply_json(rs, 200, principal_encode(rq->principal));
}
