/* GET /v1/whoami (getWhoami): what the server makes of the credential. */
#include "domain/api_key_json.h"
#include "handlers/common.h"
#include "handlers/handlers.h"
#include "server/http/peer.h"

int h_get_whoami(struct http_req *rq, struct http_resp *rs)
{
    char address[IP_TEXT_SIZE];
    json_t *who;
    int r;

    r = common_no_query(rq, rs);
    if (r < 0)
        return r;
    who = principal_encode(rq->principal);
    (void)json_object_set_new(who, "address", json_string(peer_format(http_peer(rq), address)));
    return http_reply_json(rs, 200, who);
}
