/* tests/support/certs.h - certificates for tests, made with openssl(1). */
#ifndef JOBD_TESTS_SUPPORT_CERTS_H
#define JOBD_TESTS_SUPPORT_CERTS_H

#include <stdbool.h>

/* False: there is no openssl here. */
bool certs_can_be_made(void);
/* A root in dir/<name>.pem with the key in dir/<name>.key. */
void certs_make_ca(const char *dir, const char *name);
/* The same for a certificate that the root has signed, for <name>.example, localhost and
 * 127.0.0.1. */
void certs_make(const char *dir, const char *ca, const char *name);

#endif
