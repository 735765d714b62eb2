/* GET /v1/jobs/{id}/artifacts (listJobArtifacts) and /v1/jobs/{id}/artifacts/{path}
 * (getJobArtifact): the files that an attempt has left in $JOBD_ARTIFACTS. */
#include "handlers/handlers.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/text.h"
#include "domain/json_text.h"
#include "engine/artifact_files.h"
#include "handlers/common.h"
#include "handlers/listing.h"
#include "handlers/representation.h"

/* A digest means reading it all, on a thread that others wait for. */
#define DIGEST_MAX_BYTES      ((int64_t)REPRESENTATION_DIGEST_MAX_BYTES)
#define DIGEST_LIST_MAX_BYTES ((int64_t)64 << 20) /* of all files of a list */

struct wish {
    struct uuid7 id;
    int attempt; /* 0: the last one */
};

/* The attempt of a job that is there. */
static int find_attempt(const struct http_req *rq, struct http_resp *rs, struct wish *w)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    AUTO_FINI(job) struct job job = { 0 };
    int64_t attempt = 0;
    int r;

    r = common_job_id(rq, &w->id, &rs->err);
    if (r < 0)
        return r;
    r = common_number(rq, rs, "attempt", INT32_MAX, &attempt);
    if (r < 0)
        return r;
    r = borrow_get(&b, common_service(rq), rq->principal->tenant, &rs->err);
    if (r < 0)
        return r;
    r = store_read_job(b.reader, w->id, 0, &job, &rs->err);
    if (r < 0)
        return r;
    if (attempt > job.attempt)
        return err_set(&rs->err, ERR_ATTEMPT_NOT_FOUND, "there is no attempt %d yet",
                       (int)attempt);
    w->attempt = attempt > 0 ? (int)attempt : job.attempt;
    return 0;
}

/* -- the list -------------------------------------------------------------------------------
 */

/* Bytes as they may stand in a path (RFC 3986); in a parameter of a header (RFC 8187) without
 * the slash. */
static void add_percent_encoded(struct buf *b, const char *text, bool keep_slash)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        "-._~";

    for (; *text; text++)
        if (strchr(plain, *text) || (*text == '/' && keep_slash))
            buf_add_char(b, *text);
        else
            buf_printf(b, "%%%02X", (unsigned char)*text);
}

static char *link_of(const struct wish *w, const char *path)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    char id[UUID7_TEXT_SIZE];

    buf_printf(&b, "/v1/jobs/%s/artifacts/", uuid7_format(w->id, id));
    add_percent_encoded(&b, path, true);
    buf_printf(&b, "?attempt=%d", w->attempt);
    return buf_steal(&b);
}

static int add_digest(const struct service *sv, const struct wish *w, const struct artifact *a,
                      json_t *item, struct errinfo *e)
{
    struct artifact_file file = { .fd = -1 };
    char field[SHA256_FIELD_SIZE];
    int r;

    r = artifact_files_open(sv->data_dir, w->id, w->attempt, a->path, &file, e);
    if (r == 0)
        r = sha256_field(file.fd, field, e);
    if (r == 0)
        (void)json_object_set_new(item, "digest", json_string(field));
    fd_fini(&file.fd);
    return r;
}

static json_t *encode_item(const struct wish *w, const struct artifact *a)
{
    AUTO(mem) char *link = link_of(w, a->path);

    return json_pack("{s:s,s:I,s:{s:s}}", "path", a->path, "size_bytes",
                     (json_int_t)a->size_bytes, "links", "self", link);
}

static int encode_items(const struct service *sv, const struct wish *w,
                        const struct artifact_list *list, bool with_digest, json_t *items,
                        struct errinfo *e)
{
    int64_t digested = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct artifact *a = &list->items[i];
        json_t *item = encode_item(w, a);
        int r;

        (void)json_array_append_new(items, item);
        if (!with_digest || a->size_bytes > DIGEST_MAX_BYTES ||
            a->size_bytes > DIGEST_LIST_MAX_BYTES - digested)
            continue;
        digested += a->size_bytes;
        r = add_digest(sv, w, a, item, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_digest(const struct http_req *rq, struct http_resp *rs, bool *ret_wanted)
{
    const char *text = NULL;
    int r;

    r = common_single(rq, rs, "digest", &text);
    if (r < 0)
        return r;
    *ret_wanted = text != NULL;
    if (text && !text_equal(text, "sha-256"))
        return common_bad_parameter(rs, "digest", "unknown-value", "must be sha-256");
    return 0;
}

/* What is asked for, besides the page. */
static int decode_list(const struct http_req *rq, struct http_resp *rs, struct listing *l,
                       struct wish *w, bool *ret_digest)
{
    static const char *const known[] = { "attempt", "digest", LISTING_PARAMETERS, NULL };
    const char *attempt = http_query(rq, "attempt", 0);
    int r;

    r = common_allow(rq, rs, known);
    if (r < 0)
        return r;
    r = read_digest(rq, rs, ret_digest);
    if (r < 0)
        return r;
    r = listing_decode(l, rq, rs);
    if (r < 0)
        return r;
    if (attempt)
        listing_add(l, "attempt", attempt);
    if (*ret_digest)
        listing_shape(l, "digest", "sha-256");
    return find_attempt(rq, rs, w);
}

int h_list_job_artifacts(struct http_req *rq, struct http_resp *rs)
{
    AUTO_FINI(artifact_list) struct artifact_list list = { 0 };
    AUTO(json) json_t *items = json_array();
    AUTO(mem) char *path = common_job_subpath(rq, "/artifacts");
    AUTO_FINI(listing) struct listing l = { .path = path, .of = FIELDS_ARTIFACT };
    struct wish w = { 0 };
    bool with_digest = false;
    int r;

    r = decode_list(rq, rs, &l, &w, &with_digest);
    if (r < 0)
        return r;
    r = artifact_files_list(common_service(rq)->data_dir, w.id, w.attempt, &list, &rs->err);
    if (r < 0)
        return r;
    r = encode_items(common_service(rq), &w, &list, with_digest, items, &rs->err);
    if (r < 0)
        return r;
    l.members =
        json_pack("{s:i,s:I}", "attempt", w.attempt, "left_out", (json_int_t)list.left_out);
    return listing_reply_whole(&l, rq, rs, TAKE(items));
}

/* -- one file -------------------------------------------------------------------------------
 */

/* By its own name: RFC 6266, with a name of plain characters for old clients. */
static void set_disposition(struct http_resp *rs, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    AUTO(mem) char *plain = mem_str(name);
    AUTO_FINI(buf) struct buf encoded = { 0 };

    for (char *c = plain; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e || strchr("\"\\%", *c))
            *c = '_';
    add_percent_encoded(&encoded, name, false);
    http_set_header(rs, "Content-Disposition",
                    "attachment; filename=\"%s\"; filename*=UTF-8''%s", plain, encoded.data);
}

static int digest_file(void *ctx, char ret_field[SHA256_FIELD_SIZE], struct errinfo *e)
{
    const struct artifact_file *file = ctx;

    return sha256_field(file->fd, ret_field, e);
}

static int reply_file(const struct http_req *rq, struct http_resp *rs, const struct wish *w,
                      const char *path, struct artifact_file *file)
{
    AUTO(mem)
    char *etag = mem_printf("\"a%d-%" PRIx64 "-%" PRIx64 "\"", w->attempt,
                            (uint64_t)file->size_bytes, (uint64_t)file->changed_ns);
    const struct representation what = { etag, (uint64_t)file->size_bytes, digest_file, file };
    struct representation_part part;
    int r;

    if (representation_known(rq, rs, etag))
        return http_reply_empty(rs, 304);
    r = representation_part(rq, rs, &what, &part);
    if (r < 0)
        return r;
    set_disposition(rs, path);
    return http_reply_file(rs, part.status, "application/octet-stream", fd_take(&file->fd),
                           part.offset, part.len);
}

int h_get_job_artifact(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { "attempt", NULL };
    const char *path = http_param(rq, "path");
    struct artifact_file file = { .fd = -1 };
    struct wish w = { 0 };
    int r;

    r = common_allow(rq, rs, known);
    if (r < 0)
        return r;
    r = find_attempt(rq, rs, &w);
    if (r < 0)
        return r;
    r = artifact_files_open(common_service(rq)->data_dir, w.id, w.attempt, path, &file,
                            &rs->err);
    if (r == 0)
        r = reply_file(rq, rs, &w, path, &file);
    fd_fini(&file.fd);
    return r;
}
