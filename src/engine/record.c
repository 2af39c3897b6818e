/* record.c - records for egresses. */
#include "engine/inside.h"

void record_put(struct engine *engine, uint32_t egress, struct bytes record)
{
    struct bytes key = key_of_record(&engine->key, engine->options.bindings->egresses[egress].id,
                                     engine->epoch, engine->options.worker, engine->record_nth++);
    delta_put_record(engine->open, egress, key, record);
    engine->open_egresses |= UINT64_C(1) << (egress < 63 ? egress : 63);
}
