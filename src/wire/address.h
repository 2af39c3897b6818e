/* address.h - the name of one virtual instance, in the form in which it travels.
 *
 * An address is kept as the body of a protobuf `Address` (protocol.md 1.1) in canonical form: the
 * fields in order, each at most once, empty ones left out, nothing unknown. So one run of bytes
 * serves as the key of the instance, as `target` of a request, as `caller` of a message and as part
 * of a stored key, and two addresses are equal exactly when their bytes are. */
#ifndef WIRE_ADDRESS_H
#define WIRE_ADDRESS_H

#include "base/arena.h"
#include "base/bytes.h"
#include "statefun/status.h"
#include "wire/protobuf.h"

/* The longest canonical address that is accepted, in bytes: it becomes part of stored keys. */
enum { ADDRESS_BYTES_MAX = 4096 };

struct address {
    struct bytes wire; /* canonical form */
    struct bytes ns;   /* views into wire */
    struct bytes name;
    struct bytes id;
    struct bytes type; /* the part of wire that holds ns and name: equal for one function type */
};

/* Reads canonical bytes, e.g. from the store; false if they are not an address in canonical form.
 */
bool address_parse(struct bytes wire, struct address *ret_address);

/* The same of bytes that are known to be one, as those of requests and of instances are. */
struct address address_known(struct bytes wire);

/* Reads the body of any protobuf `Address`; what is not canonical is written anew into `arena`.
 * False if it is malformed, not UTF-8 or too long. */
bool address_read(struct bytes message, struct arena *arena, struct address *ret_address,
                  struct sf_status *status);

/* Builds an address in `arena`. False if a part is not UTF-8 or the whole is too long. */
bool address_make(struct bytes ns, struct bytes name, struct bytes id, struct arena *arena,
                  struct address *ret_address, struct sf_status *status);

enum { ADDRESS_NAMESPACE = 1, ADDRESS_NAME = 2, ADDRESS_ID = 3 }; /* fields, protocol.md 1.1 */

/* An address of a type, which is the `type` of another one: its size, which may be too much, and
 * whether it may be. Then it can be written at `to`, which has room for it; returns the place
 * behind. */
static inline size_t address_size(struct bytes type, struct bytes id)
{
    return type.size + pb_set_bytes_size(ADDRESS_ID, id.size);
}

bool address_check_id(struct bytes type, struct bytes id, struct sf_status *status);

static inline uint8_t *address_put(uint8_t *to, struct bytes type, struct bytes id)
{
    return pb_put_set_bytes(bytes_put(to, type), ADDRESS_ID, id);
}

/* "namespace/name/id" for people. */
void address_add_text(struct buffer *text, struct bytes wire);

#endif
