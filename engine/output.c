#include "engine/output.h"

#include "pool/paths.h"

int output_open(const char *data_dir, struct uuid7 id, int attempt, enum stream stream,
                struct output_file *ret_file, struct errinfo *e)
{
    char path[PATHS_SIZE];

    return output_file_open(paths_output(data_dir, id, attempt, stream, path), ret_file, e);
}

bool output_find(const char *data_dir, struct uuid7 id, int attempt, enum stream stream,
                 struct capture *ret_capture)
{
    AUTO_FINI(output_file) struct output_file f = { .fd = -1 };
    struct errinfo e = { 0 };
    int64_t head;

    if (output_open(data_dir, id, attempt, stream, &f, &e) < 0)
        return false;
    head = kept_head_end(f.kept, f.written);
    *ret_capture = (struct capture){
        .total_bytes = f.written,
        .kept_bytes = head + f.written - f.tail_at,
        .head_bytes = f.tail_at > head ? head : 0,
        .spilled = true,
    };
    return true;
}
