#include "store/sqlite/batch_moves.h"

#include <stdlib.h>

#include "base/hash64.h"
#include "base/mem.h"

struct sq_batch_move {
    int64_t key;
    struct store_batch_move move;
    UT_hash_handle hh;
};

void sq_batch_moved(struct sq *sq, struct uuid7 batch, int from, enum job_state to)
{
    struct sq_batch_move *m;
    int64_t key;

    if (!uuid7_is_set(batch) || from == (int)to)
        return;
    key = uuid7_key(batch);
    HASH_FIND(hh, sq->batch_moves, &key, sizeof key, m);
    if (!m) {
        m = mem_new0(sizeof *m);
        m->key = key;
        m->move.batch = batch;
        HASH_ADD(hh, sq->batch_moves, key, sizeof m->key, m);
    }
    if (from >= 0)
        m->move.delta[from]--;
    m->move.delta[to]++;
}

void sq_batch_moves_clear(struct sq *sq)
{
    struct sq_batch_move *m = sq->batch_moves;

    HASH_CLEAR(hh, sq->batch_moves); /* the entries are still linked */
    while (m) {
        struct sq_batch_move *next = m->hh.next;

        free(m);
        m = next;
    }
}

int sq_take_batch_moves(struct store *st, struct store_batch_move **ret_moves)
{
    struct sq *sq = sq_of(st);
    size_t room = HASH_COUNT(sq->batch_moves);
    struct store_batch_move *moves = NULL;
    int count = 0;

    *ret_moves = NULL;
    if (room == 0)
        return 0;
    moves = mem_array0(room, sizeof *moves);
    for (const struct sq_batch_move *m = sq->batch_moves; m; m = m->hh.next)
        moves[count++] = m->move;
    sq_batch_moves_clear(sq);
    *ret_moves = moves;
    return count;
}
