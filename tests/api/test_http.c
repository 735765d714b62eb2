/* What HTTP offers to a job service's clients, beyond the resources: content codings, CORS,
 * percent-encoding, refusals. */
#include "tests/support/api.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tests/support/gzip.h"

static const char config[] =
    "max_body_bytes: 64KiB\n"
    "cors_origins: ['https://ops.example.org']\n"
    "functions:\n"
    "  - name: copy\n"
    "    command: [cat]\n";

/* -- gzip ---------------------------------------------------------------------------------- */

static void send_coded(const struct api *a, const char *coding, const struct buf *body,
                       struct api_reply *ret_reply)
{
    const struct api_request q = {
        .path = "/v1/jobs",
        .body = body->data,
        .body_len = body->len,
        .headers = { coding },
    };

    api_send(a, &q, ret_reply);
}

static void a_body_may_be_compressed(void **state)
{
    static const char text[] = "{\"function\":\"copy\",\"stdin\":\"to be or not to be\"}";
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 }, out = { 0 };
    AUTO_FINI(buf) struct buf packed = { 0 };

    gzip(text, strlen(text), 9, &packed);
    send_coded(a, "Content-Encoding: gzip", &packed, &r);
    assert_status(&r, 202);
    api_await(a, api_text(&r, "id"), &out);
    api_get(a, api_job_path(api_text(&r, "id"), "/logs/stdout"), &out);
    assert_string_equal(out.body, "to be or not to be");
    send_coded(a, "Content-Encoding: X-GZIP", &packed, &r);
    assert_status(&r, 202);
}

static void a_compressed_body_is_measured_as_it_was(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(buf) struct buf packed = { 0 };
    AUTO(mem) char *zeros = mem_new0((size_t)8 << 20);

    gzip(zeros, (size_t)8 << 20, 9, &packed);
    assert_true(packed.len < 64 * 1024);
    send_coded(a, "Content-Encoding: gzip", &packed, &r);
    assert_problem(&r, 413, "content-too-large");
    assert_int_equal(api_number(&r, "max_bytes"), 64 * 1024);
}

static void a_damaged_body_is_malformed(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(buf) struct buf packed = { 0 }, plain = { 0 };

    gzip("{\"function\":\"copy\"}", 19, 9, &packed);
    packed.len -= 3;
    send_coded(a, "Content-Encoding: gzip", &packed, &r);
    assert_problem(&r, 400, "malformed-request");
    buf_add_str(&plain, "{\"function\":\"copy\"}");
    send_coded(a, "Content-Encoding: gzip", &plain, &r);
    assert_problem(&r, 400, "malformed-request");
}

static void another_coding_is_told_which_are_known(void **state)
{
    static const char *const codings[] = { "Content-Encoding: br",
                                           "Content-Encoding: gzip, gzip",
                                           "Content-Encoding: deflate" };
    const struct api *a = *state;
    AUTO_FINI(buf) struct buf plain = { 0 };

    buf_add_str(&plain, "{\"function\":\"copy\"}");
    for (size_t i = 0; i < COUNT_OF(codings); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        send_coded(a, codings[i], &plain, &r);
        assert_problem(&r, 415, "unsupported-media-type");
        assert_header(&r, "Accept-Encoding", "gzip, identity");
    }
}

/* -- percent-encoding ---------------------------------------------------------------------- */

static void a_segment_is_decoded_after_it_was_cut(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_submit(a, "{\"function\":\"copy\",\"delay_seconds\":3600}", id);
    api_get(a, "/v1%2Fjobs", &r);
    assert_problem(&r, 404, "not-found");
    api_get(a, "/v%31/%6Aobs", &r);
    assert_status(&r, 200);
    api_post(a, api_job_path(id, "%3Acancel"), "{}", &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "state"), "canceled");
    api_get(a, "/v1/jobs/%00", &r);
    assert_status(&r, 400);
    api_get(a, "/v1/jobs/%zz", &r);
    assert_problem(&r, 400, "malformed-request");
}

/* -- web pages ----------------------------------------------------------------------------- */

static void a_listed_page_may_ask_and_read(void **state)
{
    const struct api *a = *state;
    const struct api_request preflight = {
        .method = "OPTIONS",
        .path = "/v1/jobs",
        .headers = { "Origin: https://ops.example.org", "Access-Control-Request-Method: POST" },
    };
    const struct api_request submit = {
        .path = "/v1/jobs",
        .body = "{\"function\":\"copy\"}",
        .headers = { "Origin: https://ops.example.org", "Sec-Fetch-Site: cross-site" },
    };
    AUTO_FINI(api_reply) struct api_reply p = { 0 }, r = { 0 };

    api_send(a, &preflight, &p);
    assert_status(&p, 204);
    assert_header(&p, "Access-Control-Allow-Origin", "https://ops.example.org");
    assert_header(&p, "Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS");
    assert_non_null(strstr(api_header(&p, "Access-Control-Allow-Headers"), "Authorization"));
    assert_header(&p, "Access-Control-Allow-Credentials", NULL);
    assert_non_null(strstr(api_header(&p, "Vary"), "Origin"));
    api_send(a, &submit, &r);
    assert_status(&r, 202);
    assert_header(&r, "Access-Control-Allow-Origin", "https://ops.example.org");
    assert_non_null(strstr(api_header(&r, "Access-Control-Expose-Headers"), "Location"));
}

static void another_page_gets_nothing(void **state)
{
    const struct api *a = *state;
    const struct api_request preflight = {
        .method = "OPTIONS",
        .path = "/v1/jobs",
        .headers = { "Origin: https://evil.example", "Access-Control-Request-Method: POST" },
    };
    const struct api_request submit = {
        .path = "/v1/jobs",
        .body = "{\"function\":\"copy\"}",
        .headers = { "Origin: https://evil.example" },
    };
    AUTO_FINI(api_reply) struct api_reply p = { 0 }, r = { 0 };

    api_send(a, &preflight, &p);
    assert_status(&p, 204);
    assert_header(&p, "Access-Control-Allow-Origin", NULL);
    assert_header(&p, "Access-Control-Allow-Methods", NULL);
    assert_non_null(strstr(api_header(&p, "Vary"), "Origin"));
    api_send(a, &submit, &r);
    assert_problem(&r, 403, "forbidden-host");
    assert_header(&r, "Access-Control-Allow-Origin", NULL);
}

/* -- heads ----------------------------------------------------------------------------------
 */

static void a_head_has_a_bound(void **state)
{
    const struct api *a = *state;
    AUTO(mem) char *header = mem_new0(13001);
    const struct api_request q = { .path = "/livez", .headers = { header } };
    AUTO_FINI(api_reply) struct api_reply r = { 0 }, fine = { 0 };

    memset(header, 'a', 13000);
    memcpy(header, "X-A: ", 5);
    api_send(a, &q, &r);
    assert_problem(&r, 431, "headers-too-large");
    header[11000] = 0;
    api_send(a, &q, &fine);
    assert_status(&fine, 200);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_may_be_compressed),
        cmocka_unit_test(a_compressed_body_is_measured_as_it_was),
        cmocka_unit_test(a_damaged_body_is_malformed),
        cmocka_unit_test(another_coding_is_told_which_are_known),
        cmocka_unit_test(a_segment_is_decoded_after_it_was_cut),
        cmocka_unit_test(a_listed_page_may_ask_and_read),
        cmocka_unit_test(another_page_gets_nothing),
        cmocka_unit_test(a_head_has_a_bound),
    };

    api_configure(config);
    return api_finish(cmocka_run_group_tests_name("api/http", tests, api_setup, api_teardown));
}
