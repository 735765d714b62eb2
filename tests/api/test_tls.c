/* TLS and mutual TLS, with certificates that openssl(1) makes for the test. */
#include "tests/support/api.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "server/healthcheck.h"
#include "server/http/tls.h"
#include "tests/support/certs.h"

static char config[2048];
static bool can;

static const char *pem(const struct api *a, const char *name)
{
    return api_path(a, name);
}

static int setup(void **state)
{
    struct api *a = api_prepare();

    can = certs_can_be_made();
    if (!can) {
        print_message("no openssl(1): skipped\n");
        *state = a;
        return 0;
    }
    certs_make_ca(a->dir, "ca");
    certs_make_ca(a->dir, "other");
    certs_make(a->dir, "ca", "server");
    certs_make(a->dir, "ca", "client");
    certs_make(a->dir, "other", "stranger");
    certs_make(a->dir, "other", "successor");
    (void)snprintf(config, sizeof config,
                   "workers: 1\n"
                   "tls_cert: %s\ntls_key: %s\ntls_client_ca: %s\n"
                   "identities: ['cert:client.example tenant=acme scopes=jobs:read,jobs:write,"
                   "logs:read']\n"
                   "functions: [{name: many, command: [seq, '40000']}]\n",
                   pem(a, "server.pem"), pem(a, "server.key"), pem(a, "ca.pem"));
    api_reconfigure(a, config);
    assert_int_equal(setenv("JOBD_LISTEN", "tls:127.0.0.1:0", 1), 0); /* NOLINT */
    api_start(a);
    *state = a;
    return 0;
}

static int teardown(void **state)
{
    return can ? api_teardown(state) : 0;
}

/* -- a client -------------------------------------------------------------------------------
 */

struct ask {
    const char *path;
    const char *ca;     /* whom it trusts; NULL: "ca" */
    const char *client; /* whose certificate it shows; NULL: none */
    const char *body;   /* NULL: GET */
    long max_version;   /* CURL_SSLVERSION_MAX_...; 0: any */
};

static size_t keep(char *block, size_t size, size_t count, void *ctx)
{
    buf_add(ctx, block, size * count);
    return size * count;
}

static void set_client(CURL *curl, const struct api *a, const char *name)
{
    AUTO(mem) char *cert = mem_printf("%s/%s.pem", a->dir, name);
    AUTO(mem) char *key = mem_printf("%s/%s.key", a->dir, name);

    (void)curl_easy_setopt(curl, CURLOPT_SSLCERT, cert);
    (void)curl_easy_setopt(curl, CURLOPT_SSLKEY, key);
}

/* The status; 0 when there was no answer. The body goes to out. */
static long send_ask(const struct api *a, const struct ask *q, struct buf *out)
{
    AUTO(mem) char *ca = mem_printf("%s/%s.pem", a->dir, q->ca ? q->ca : "ca");
    const char *address = strstr(a->base, "127.0.0.1");
    AUTO(mem) char *url = mem_printf("https://%s%s", address, q->path);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURL *curl = curl_easy_init();
    long status = 0;

    headers = curl_slist_append(headers, "Prefer: wait=30");
    buf_clear(out);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)PATIENCE_S);
    if (q->client)
        set_client(curl, a, q->client);
    if (q->body)
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, q->body);
    if (q->max_version)
        (void)curl_easy_setopt(curl, CURLOPT_SSLVERSION,
                               q->max_version | CURL_SSLVERSION_TLSv1_0);
    if (curl_easy_perform(curl) == CURLE_OK)
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return status;
}

static void assert_whoami(const struct api *a, const char *client, long status,
                          const char *says)
{
    AUTO_FINI(buf) struct buf out = { 0 };
    const struct ask q = { .path = "/v1/whoami", .client = client };

    assert_int_equal(send_ask(a, &q, &out), status);
    if (!strstr(out.data, says))
        fail_msg("no %s in %s", says, out.data);
}

/* -- tests ------------------------------------------------------------------------------------
 */

static void a_certificate_says_who_the_client_is(void **state)
{
    if (!can)
        skip();
    assert_whoami(*state, NULL, 401, "\"unauthorized\"");
    assert_whoami(*state, "client", 200, "\"via\":\"mtls\",\"tenant\":\"acme\"");
    assert_whoami(*state, "client", 200, "\"key_id\":\"cert:client.example\"");
}

static void a_certificate_that_somebody_else_has_signed_is_none(void **state)
{
    if (!can)
        skip();
    assert_whoami(*state, "stranger", 401, "\"unauthorized\"");
}

static void a_certificate_that_is_not_listed_grants_nothing(void **state)
{
    if (!can)
        skip();
    assert_whoami(*state, "server", 401, "\"unauthorized\"");
}

static void a_job_is_submitted_waited_for_and_its_output_fetched(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(buf) struct buf out = { 0 };
    struct ask q = { .path = "/v1/jobs",
                     .client = "client",
                     .body = "{\"function\":\"many\"}" };
    char path[128];
    const char *id;

    if (!can)
        skip();
    assert_int_equal(send_ask(a, &q, &out), 200);
    id = strstr(out.data, "\"id\":\"");
    assert_non_null(id);
    (void)snprintf(path, sizeof path, "/v1/jobs/%.36s/logs/stdout", id + 6);
    q = (struct ask){ .path = path, .client = "client" };
    assert_int_equal(send_ask(a, &q, &out), 200);
    assert_int_equal(out.len, 228894); /* seq 40000 | wc -c */
}

static void old_versions_and_plain_text_are_not_spoken(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(buf) struct buf out = { 0 };
    const struct ask old = { .path = "/livez", .max_version = CURL_SSLVERSION_MAX_TLSv1_1 };
    const struct ask new = { .path = "/livez", .max_version = CURL_SSLVERSION_MAX_TLSv1_2 };
    struct api plain = *a;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    if (!can)
        skip();
    assert_int_equal(send_ask(a, &old, &out), 0);
    assert_int_equal(send_ask(a, &new, &out), 200);
    (void)snprintf(plain.base, sizeof plain.base, "http://%s", strstr(a->base, "127.0.0.1"));
    assert_false(api_try(&plain, &(struct api_request){ .path = "/livez" }, &r));
}

static void a_healthcheck_needs_no_certificate(void **state)
{
    const struct api *a = *state;
    struct errinfo e = { 0 };

    if (!can)
        skip();
    if (healthcheck(NULL, api_path(a, "data"), PATIENCE_US, &e) < 0)
        fail_msg("%s", e.text);
}

static void move(const struct api *a, const char *from, const char *to)
{
    assert_int_equal(rename(api_path(a, from), api_path(a, to)), 0);
}

static void a_new_certificate_is_used_after_a_reload(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(buf) struct buf out = { 0 };
    const struct ask before = { .path = "/livez" };
    const struct ask after = { .path = "/livez", .ca = "other" };
    long status = 0;

    if (!can)
        skip();
    assert_int_equal(send_ask(a, &before, &out), 200);
    assert_int_equal(send_ask(a, &after, &out), 0);
    move(a, "successor.pem", "server.pem");
    move(a, "successor.key", "server.key");
    assert_int_equal(kill(a->pid, SIGHUP), 0);
    for (int i = 0; i < 100000 && status == 0; i++)
        status = send_ask(a, &after, &out);
    assert_int_equal(status, 200);
    assert_int_equal(send_ask(a, &before, &out), 0);
}

static void files_that_are_no_good_are_told(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(http_tls) struct http_tls tls = { 0 };
    struct errinfo e = { 0 };

    if (!can)
        skip();
    assert_int_equal(tls_load(pem(a, "none"), pem(a, "ca.key"), NULL, &tls, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "tls_cert"));
    assert_int_equal(tls_load(pem(a, "ca.pem"), pem(a, "client.key"), NULL, &tls, &e),
                     ERR_CONFIG); /* not a pair */
    assert_int_equal(tls_load(pem(a, "ca.key"), pem(a, "ca.key"), NULL, &tls, &e), ERR_CONFIG);
    assert_int_equal(tls_load(pem(a, "ca.pem"), pem(a, "ca.key"), pem(a, "ca.key"), &tls, &e),
                     ERR_CONFIG);
    assert_non_null(strstr(e.text, "tls_client_ca"));
    assert_int_equal(
        tls_load(pem(a, "ca.pem"), pem(a, "ca.key"), pem(a, "other.pem"), &tls, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_says_who_the_client_is),
        cmocka_unit_test(a_certificate_that_somebody_else_has_signed_is_none),
        cmocka_unit_test(a_certificate_that_is_not_listed_grants_nothing),
        cmocka_unit_test(a_job_is_submitted_waited_for_and_its_output_fetched),
        cmocka_unit_test(old_versions_and_plain_text_are_not_spoken),
        cmocka_unit_test(a_healthcheck_needs_no_certificate),
        cmocka_unit_test(files_that_are_no_good_are_told),
        cmocka_unit_test(a_new_certificate_is_used_after_a_reload),
    };

    api_configure("workers: 1\n");
    return api_finish(cmocka_run_group_tests_name("api/tls", tests, setup, teardown));
}
