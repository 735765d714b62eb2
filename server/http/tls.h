/* server/http/tls.h - certificates: read from files, checked, and asked of who has connected.
 *
 * libmicrohttpd does TLS by GnuTLS; only this module and it know of that. Any thread.
 */
#ifndef JOBD_SERVER_HTTP_TLS_H
#define JOBD_SERVER_HTTP_TLS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/clean.h"
#include "base/err.h"

/* TLS 1.2 and later, without what GnuTLS calls weaker than 128 bits. */
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* What a TLS socket needs, as texts (PEM). Zeroed: there is none. */
struct http_tls {
    char *cert;      /* the server's certificate, with the chain below its root */
    char *key;       /* its private key */
    char *client_ca; /* who signs the certificates of clients; NULL: they are not asked for */
};

/* Read the files; client_ca_path may be NULL. ERR_CONFIG: a file that cannot be read or is
 * none, a key that is not the certificate's, a certificate that has expired. */
int tls_load(const char *cert_path, const char *key_path, const char *client_ca_path,
             struct http_tls *ret_tls, struct errinfo *e);
void http_tls_fini(struct http_tls *tls);
DEFINE_AUTO_FINI(http_tls, struct http_tls)

/* For `jobd healthcheck`: send request over TLS to a server of this machine, whose certificate
 * is not looked at, and append what it answers, at most max_bytes. fd is a connected, blocking
 * socket with timeouts. ERR_NOT_READY. */
int tls_exchange(int fd, const char *request, size_t max_bytes, struct buf *answer,
                 struct errinfo *e);

#endif
