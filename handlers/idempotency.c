#include "handlers/idempotency.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash_bytes.h"
#include "base/mem.h"
#include "domain/job_json.h"
#include "domain/json_digest.h"
#include "domain/json_text.h"
#include "handlers/common.h"
#include "server/http/percent.h"

/* -- requests on their way ------------------------------------------------------------------
 */

struct flight {
    unsigned char scope[SHA256_BYTES];
    UT_hash_handle hh;
};

void flights_init(struct flights *f)
{
    *f = (struct flights){ 0 };
    (void)pthread_mutex_init(&f->mutex, NULL); /* cannot fail for the default kind */
}

void flights_fini(struct flights *f)
{
    assert(!f->by_scope);
    (void)pthread_mutex_destroy(&f->mutex);
}

bool flights_enter(struct flights *f, const unsigned char scope[SHA256_BYTES],
                   struct flight **ret_flight)
{
    struct flight *mine = mem_new0(sizeof *mine);
    struct flight *other = NULL;

    (void)memcpy(mine->scope, scope, SHA256_BYTES);
    (void)pthread_mutex_lock(&f->mutex);
    HASH_FIND(hh, f->by_scope, scope, SHA256_BYTES, other);
    if (!other)
        HASH_ADD(hh, f->by_scope, scope, SHA256_BYTES, mine);
    (void)pthread_mutex_unlock(&f->mutex);
    if (other) {
        free(mine);
        return false;
    }
    *ret_flight = mine;
    return true;
}

void flights_leave(struct flights *f, struct flight *take_flight)
{
    (void)pthread_mutex_lock(&f->mutex);
    HASH_DEL(f->by_scope, take_flight);
    (void)pthread_mutex_unlock(&f->mutex);
    free(take_flight);
}

/* -- who asks, for what ---------------------------------------------------------------------
 */

/* %3A is as good as ":" in a path, and both are the same request. */
static void add_path(struct sha256 *h, const char *path)
{
    size_t len = strlen(path);
    AUTO(mem) char *decoded = mem_new0(len + 1);

    sha256_add_text(h, percent_decode(path, len, false, decoded, &len) ? decoded : path);
}

static void find_scope(const struct http_req *rq, const char *key,
                       unsigned char scope[SHA256_BYTES])
{
    const struct principal *p = rq->principal;
    struct sha256 h;

    sha256_init(&h);
    sha256_add_text(&h, p->tenant);
    sha256_add_text(&h, p->key_id ? "key" : "name");
    sha256_add_text(&h, p->key_id ? p->key_id : p->name);
    sha256_add_text(&h, http_method(rq));
    add_path(&h, rq->path);
    sha256_add_text(&h, key);
    sha256_end(&h, scope);
}

/* -- begin ----------------------------------------------------------------------------------
 */

int idempotency_enter(struct idempotency *i, const struct http_req *rq, struct http_resp *rs)
{
    const char *value = http_header(rq, "Idempotency-Key");
    char key[IDEMPOTENCY_KEY_MAX + 1];
    int r;

    if (!value && !common_service(rq)->require_idempotency_key)
        return 0;
    if (!value)
        return err_set(&rs->err, ERR_IDEMPOTENCY_KEY_REQUIRED,
                       "this server wants an Idempotency-Key with each request that creates "
                       "something: take a new one for each, such as a UUID");
    r = idempotency_key_parse(value, key, &rs->err);
    if (r < 0)
        return r;
    find_scope(rq, key, i->engine.record.scope);
    i->flights = common_service(rq)->flights;
    if (flights_enter(i->flights, i->engine.record.scope, &i->flight))
        return 0;
    http_set_header(rs, "Retry-After", "%s", COMMON_RETRY_AFTER);
    return err_set(&rs->err, ERR_IDEMPOTENCY_PROGRESS,
                   "the answer to it can be fetched with the same request once it is there");
}

/* What is remembered of this scope and not too old. ERR_NOT_FOUND. */
static int find_record(const struct http_req *rq, const unsigned char scope[SHA256_BYTES],
                       struct idempotency_record *ret_record, struct errinfo *e)
{
    const struct service *sv = common_service(rq);
    AUTO_FINI(borrow) struct borrow b = { 0 };
    int r;

    r = borrow_get(&b, sv, rq->principal->tenant, e);
    if (r < 0)
        return r;
    r = store_read_idempotency(b.reader, scope, ret_record, e);
    if (r < 0)
        return r;
    if (ret_record->created_at_us + sv->idempotency_ttl_us > clock_wall_us())
        return 0;
    idempotency_record_fini(ret_record);
    return ERR_NOT_FOUND;
}

int idempotency_look(struct idempotency *i, const struct http_req *rq, struct http_resp *rs,
                     struct engine_request *request, idempotency_encode encode)
{
    struct idempotency_record before = { 0 };
    int r;

    if (!i->flight)
        return 0;
    r = find_record(rq, i->engine.record.scope, &before, &rs->err);
    if (r == ERR_NOT_FOUND) {
        i->engine.encode = encode;
        request->idempotency = &i->engine;
        return 0;
    }
    if (r < 0)
        return r;
    idempotency_land(i);
    if (memcmp(before.fingerprint, i->engine.record.fingerprint, SHA256_BYTES) != 0) {
        idempotency_record_fini(&before);
        return err_set(&rs->err, ERR_IDEMPOTENCY_REUSED,
                       "take a new key for each new request, and send the same body with the "
                       "same key");
    }
    i->engine.record = before;
    i->replayed = true;
    return IDEMPOTENCY_REPLAYED;
}

int idempotency_begin(struct idempotency *i, const struct http_req *rq, struct http_resp *rs,
                      const json_t *body, struct engine_request *request,
                      idempotency_encode encode)
{
    struct sha256 h;
    int r;

    r = idempotency_enter(i, rq, rs);
    if (r < 0 || !i->flight)
        return r;
    sha256_init(&h);
    json_digest_add(&h, body);
    sha256_end(&h, i->engine.record.fingerprint);
    return idempotency_look(i, rq, rs, request, encode);
}

/* -- answers --------------------------------------------------------------------------------
 */

void idempotency_set_replayed(const struct idempotency *i, struct http_resp *rs)
{
    if (i->replayed)
        http_set_header(rs, "Idempotent-Replayed", "true");
}

int idempotency_reply(struct idempotency *i, struct http_resp *rs)
{
    struct idempotency_record *record = &i->engine.record;

    if (record->location)
        http_set_header(rs, "Location", "%s", record->location);
    if (record->etag)
        http_set_header(rs, "ETag", "%s", record->etag);
    if (record->status == 202)
        http_set_header(rs, "Retry-After", "%s", COMMON_RETRY_AFTER);
    idempotency_set_replayed(i, rs);
    return http_reply_bytes(rs, record->status, "application/json", TAKE(record->answer),
                            record->answer_len);
}

void idempotency_remember_job(struct idempotency_record *record, int status,
                              const struct job *job)
{
    AUTO(json) json_t *json = job_encode(job);
    char text[UUID7_TEXT_SIZE];
    char etag[ETAG_SIZE];

    record->status = status;
    record->location = mem_printf("/v1/jobs/%s", uuid7_format(job->id, text));
    record->etag = mem_str(common_etag(job->version, etag));
    record->answer = json_text_dump(json, &record->answer_len);
}

/* -- end ------------------------------------------------------------------------------------
 */

void idempotency_land(struct idempotency *i)
{
    if (i->flight)
        flights_leave(i->flights, TAKE(i->flight));
}

void idempotency_end(struct idempotency *i)
{
    idempotency_land(i);
    idempotency_record_fini(&i->engine.record);
}
