/* parts.h - what an address that is part of a request or a reply consists of. */
#ifndef PARTS_H
#define PARTS_H

#include "test.h"

#include "wire/address.h"

static inline struct address parts_of(struct bytes wire)
{
    struct address address;
    assert_true(address_parse(wire, &address));
    return address;
}

#endif
