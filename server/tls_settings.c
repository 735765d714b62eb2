#include "server/tls_settings.h"

#include "server/listen.h"

static bool has_tls_address(const struct settings *s)
{
    for (size_t i = 0; i < s->listen.count; i++) {
        struct address a = { 0 };

        if (address_parse(s->listen.items[i], &a, NULL) == 0 && a.tls)
            return true;
    }
    return false;
}

int tls_settings_load(const struct settings *s, struct http_tls *ret_tls, struct errinfo *e)
{
    *ret_tls = (struct http_tls){ 0 };
    if (!has_tls_address(s)) {
        if (s->tls_client_ca)
            return err_set(e, ERR_CONFIG,
                           "tls_client_ca: no address is served over TLS: listen on"
                           " tls:HOST:PORT");
        return 0;
    }
    if (!s->tls_cert || !s->tls_key)
        return err_set(e, ERR_CONFIG,
                       "listen: an address with tls: needs tls_cert and tls_key");
    return tls_load(s->tls_cert, s->tls_key, s->tls_client_ca, ret_tls, e);
}

int tls_settings_check(const struct settings *s, struct errinfo *e)
{
    AUTO_FINI(http_tls) struct http_tls tls = { 0 };

    return tls_settings_load(s, &tls, e);
}
