/* A bearer key, and names and addresses from configuration and gateways. */
#include "tests/fuzz/fuzz.h"

#include "base/cidr.h"
#include "domain/api_key.h"

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO(mem) char *text = fuzz_text(data, size);
    char id[API_KEY_ID_SIZE];
    unsigned char hash[SHA256_BYTES];
    char room[IP_TEXT_SIZE];
    struct ip_address ip;
    struct ip_address same;
    struct cidr range;
    struct errinfo e;

    if (api_key_parse(text, id, hash))
        assert(api_key_is_id(id) && strstr(text, id));
    if (ip_parse(text, strlen(text), &ip)) {
        (void)ip_format(&ip, room);
        assert(ip_parse(room, strlen(room), &same) && ip_equal(&ip, &same));
    }
    if (cidr_parse(text, &range, &e) == 0)
        assert(range.prefix_bits <= 128);
    return 0;
}
