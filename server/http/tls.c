#include "server/http/tls.h"

#include <assert.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/secret.h"

#define FILE_MAX_BYTES ((size_t)1 << 20)
#define CERTS_MAX      16
#define PIECE_BYTES    4096

/* -- files -------------------------------------------------------------------------------- */

static int read_pem(const char *path, const char *what, char **ret_text, struct errinfo *e)
{
    AUTO_FINI(buf) struct buf text = { 0 };
    struct errinfo why = { 0 };

    if (fd_read_file(path, FILE_MAX_BYTES, &text, &why) < 0)
        return err_set(e, ERR_CONFIG, "%s: %s: %s", what, path, why.text);
    *ret_text = buf_steal(&text);
    return 0;
}

static gnutls_datum_t datum(const char *text)
{
    assert(text);
    return (gnutls_datum_t){ .data = (unsigned char *)(uintptr_t)text,
                             .size = (unsigned)strlen(text) };
}

/* GnuTLS would serve an expired one; every client would complain. */
static int check_dates(const char *pem, const char *path, struct errinfo *e)
{
    gnutls_x509_crt_t certs[CERTS_MAX];
    unsigned count = CERTS_MAX;
    gnutls_datum_t text = datum(pem);
    time_t expires;

    if (gnutls_x509_crt_list_import(certs, &count, &text, GNUTLS_X509_FMT_PEM, 0) < 0)
        return err_set(e, ERR_CONFIG, "tls_cert: %s is not a certificate", path);
    expires = gnutls_x509_crt_get_expiration_time(certs[0]);
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(certs[i]);
    if (expires < time(NULL))
        return err_set(e, ERR_CONFIG, "tls_cert: %s has expired", path);
    return 0;
}

static int check_pair(const struct http_tls *tls, const char *cert_path, const char *key_path,
                      gnutls_certificate_credentials_t credentials, struct errinfo *e)
{
    gnutls_datum_t cert = datum(tls->cert), key = datum(tls->key);
    int rc = gnutls_certificate_set_x509_key_mem(credentials, &cert, &key, GNUTLS_X509_FMT_PEM);

    if (rc < 0)
        return err_set(e, ERR_CONFIG, "tls_cert %s with tls_key %s: %s", cert_path, key_path,
                       gnutls_strerror(rc));
    return check_dates(tls->cert, cert_path, e);
}

static int check_client_ca(const struct http_tls *tls, const char *path,
                           gnutls_certificate_credentials_t credentials, struct errinfo *e)
{
    gnutls_datum_t ca = datum(tls->client_ca);

    if (gnutls_certificate_set_x509_trust_mem(credentials, &ca, GNUTLS_X509_FMT_PEM) <= 0)
        return err_set(e, ERR_CONFIG, "tls_client_ca: %s has no certificate", path);
    return 0;
}

int tls_load(const char *cert_path, const char *key_path, const char *client_ca_path,
             struct http_tls *ret_tls, struct errinfo *e)
{
    AUTO_FINI(http_tls) struct http_tls tls = { 0 };
    gnutls_certificate_credentials_t credentials;
    int r;

    r = read_pem(cert_path, "tls_cert", &tls.cert, e);
    if (r == 0)
        r = read_pem(key_path, "tls_key", &tls.key, e);
    if (r == 0 && client_ca_path)
        r = read_pem(client_ca_path, "tls_client_ca", &tls.client_ca, e);
    if (r < 0)
        return r;
    if (gnutls_certificate_allocate_credentials(&credentials) < 0)
        return err_set(e, ERR_INTERNAL, "GnuTLS has no credentials");
    r = check_pair(&tls, cert_path, key_path, credentials, e);
    if (r == 0 && client_ca_path)
        r = check_client_ca(&tls, client_ca_path, credentials, e);
    gnutls_certificate_free_credentials(credentials);
    if (r < 0)
        return r;
    *ret_tls = tls;
    tls = (struct http_tls){ 0 };
    return 0;
}

void http_tls_fini(struct http_tls *tls)
{
    if (tls->key)
        secret_wipe(tls->key, strlen(tls->key));
    free(tls->cert);
    free(tls->key);
    free(tls->client_ca);
    *tls = (struct http_tls){ 0 };
}

/* -- a client ----------------------------------------------------------------------------- */

static int fail(int rc, struct errinfo *e)
{
    return err_set(e, ERR_NOT_READY, "TLS: %s", gnutls_strerror(rc));
}

static int handshake(gnutls_session_t session, struct errinfo *e)
{
    int rc;

    do
        rc = gnutls_handshake(session);
    while (rc < 0 && rc != GNUTLS_E_AGAIN && gnutls_error_is_fatal(rc) == 0);
    return rc < 0 ? fail(rc, e) : 0;
}

static int ask(gnutls_session_t session, const char *request, size_t max_bytes,
               struct buf *answer, struct errinfo *e)
{
    ssize_t n;
    int r = handshake(session, e);

    if (r < 0)
        return r;
    n = gnutls_record_send(session, request, strlen(request));
    if (n < 0)
        return fail((int)n, e);
    while (answer->len < max_bytes) {
        n = gnutls_record_recv(session, buf_reserve(answer, PIECE_BYTES), PIECE_BYTES);
        if (n > 0)
            buf_commit(answer, (size_t)n);
        else if (n != GNUTLS_E_INTERRUPTED)
            break;
    }
    return answer->len > 0 ? 0 : fail(n < 0 ? (int)n : GNUTLS_E_PREMATURE_TERMINATION, e);
}

int tls_exchange(int fd, const char *request, size_t max_bytes, struct buf *answer,
                 struct errinfo *e)
{
    gnutls_certificate_credentials_t credentials = NULL;
    gnutls_session_t session = NULL;
    int rc, r;

    rc = gnutls_certificate_allocate_credentials(&credentials);
    if (rc == 0)
        rc = gnutls_init(&session, GNUTLS_CLIENT);
    if (rc == 0)
        rc = gnutls_priority_set_direct(session, TLS_PRIORITIES, NULL);
    if (rc == 0)
        rc = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    if (rc == 0)
        gnutls_transport_set_int(session, fd);
    r = rc == 0 ? ask(session, request, max_bytes, answer, e) : fail(rc, e);
    if (session)
        gnutls_deinit(session);
    if (credentials)
        gnutls_certificate_free_credentials(credentials);
    return r;
}
