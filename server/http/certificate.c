/* Who has connected over TLS, by the certificate that he has shown. */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/http/connections.h"
#include "server/http/request.h"

/* A name with a NUL in it would be read by others up to there. */
static void add_name(struct http_certificate *c, const char *name, size_t len)
{
    if (c->count == HTTP_CERT_NAMES_MAX || len == 0 || len >= HTTP_CERT_NAME_SIZE ||
        memchr(name, '\0', len))
        return;
    memcpy(c->names[c->count], name, len);
    c->names[c->count][len] = '\0';
    c->count++;
}

static bool is_text(int kind)
{
    return kind == GNUTLS_SAN_DNSNAME || kind == GNUTLS_SAN_RFC822NAME ||
           kind == GNUTLS_SAN_URI;
}

static void add_names(gnutls_x509_crt_t cert, struct http_certificate *c)
{
    char name[HTTP_CERT_NAME_SIZE];
    size_t len = sizeof name;

    for (unsigned i = 0;; i++) {
        int kind;

        len = sizeof name;
        kind = gnutls_x509_crt_get_subject_alt_name(cert, i, name, &len, NULL);
        if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            break;
        if (is_text(kind))
            add_name(c, name, strnlen(name, len) == len - 1 ? len - 1 : len);
    }
    len = sizeof name;
    if (gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len) == 0)
        add_name(c, name, len);
}

/* Who signed it is looked at here; the handshake has proved that the key is the client's. */
static void read_certificate(const struct request *r, struct http_certificate *ret_cert)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    gnutls_session_t session = info ? info->tls_session : NULL;
    const gnutls_datum_t *chain;
    gnutls_x509_crt_t cert;
    unsigned count = 0, status = 0;

    ret_cert->count = 0;
    if (!session || gnutls_certificate_verify_peers2(session, &status) < 0 || status != 0)
        return;
    chain = gnutls_certificate_get_peers(session, &count);
    if (!chain || count == 0 || gnutls_x509_crt_init(&cert) < 0)
        return;
    if (gnutls_x509_crt_import(cert, &chain[0], GNUTLS_X509_FMT_DER) == 0)
        add_names(cert, ret_cert);
    gnutls_x509_crt_deinit(cert);
}

/* Verified once for each connection: that takes as long as many requests. */
const struct http_certificate *http_client_certificate(const struct http_req *rq)
{
    const struct request *r = (const struct request *)rq;
    struct http_certificate *cert;
    void **note;

    if (!r->thread->asks_certificates || !r->line)
        return NULL;
    note = connection_note(r->line);
    if (!*note) {
        *note = mem_new0(sizeof *cert);
        read_certificate(r, *note);
    }
    cert = *note;
    return cert->count > 0 ? cert : NULL;
}
