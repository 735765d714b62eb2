/* server/tls_settings.h - the certificates that the settings name. One thread, at the start. */
#ifndef JOBD_SERVER_TLS_SETTINGS_H
#define JOBD_SERVER_TLS_SETTINGS_H

#include "base/err.h"
#include "server/http/tls.h"
#include "server/options.h"

/* Read them; *ret_tls is empty when no address is served over TLS. ERR_CONFIG: one is missing
 * or no good. */
int tls_settings_load(const struct settings *s, struct http_tls *ret_tls, struct errinfo *e);
int tls_settings_check(const struct settings *s, struct errinfo *e);

#endif
