/* How an attempt ended, as the ledger keeps it with the job. */
#include "tests/fuzz/fuzz.h"

#include "domain/outcome_record.h"

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO(mem) char *bytes = mem_dup(data, size);
    AUTO_FINI(outcome) struct outcome o = { 0 };
    AUTO_FINI(buf) struct buf again = { 0 };

    if (!outcome_record_read(bytes, size, &o))
        return 0;
    assert(o.result_len <= size);
    outcome_record_add(&again, &o);
    assert(again.len <= size); /* a number may have been longer than it need be */
    return 0;
}
