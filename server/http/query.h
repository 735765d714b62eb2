/* server/http/query.h - the query string, decoded once. One thread. */
#ifndef JOBD_SERVER_HTTP_QUERY_H
#define JOBD_SERVER_HTTP_QUERY_H

#include <stddef.h>

#include "base/clean.h"
#include "base/err.h"

#define QUERY_PARAMS_MAX 100

struct query_param {
    const char *name;
    const char *value; /* "" where there is no "=" */
};

/* Plain data; zeroed is the empty query. */
struct query {
    struct query_param *params; /* NULL: none */
    size_t count;
    char *text; /* where names and values lie */
    int fault;  /* 0, or the ERR_INVALID_PARAMETER that query_allow() reports */
    char fault_text[96];
};

/* raw: what follows "?". What is badly encoded, and what comes after, is left out and
 * remembered in fault. */
void query_parse(const char *raw, struct query *ret_query);
/* The n-th value of that name, from 0; NULL when there are not so many. */
const char *query_value(const struct query *q, const char *name, size_t n);
/* ERR_INVALID_PARAMETER: the fault, or a name that is not in the NULL-terminated list. */
int query_allow(const struct query *q, const char *const *names, struct errinfo *e);
void query_fini(struct query *q);
DEFINE_AUTO_FINI(query, struct query)

#endif
