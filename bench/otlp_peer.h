/* The peer of bench/otlp_decode: Google's protobuf for C++, messages on an arena with a block of its own. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What both sides must agree on. */
struct otlp_seen {
	int64_t points, attributes;
	double values;
	uint64_t text_bytes; /* of names, units, keys and values, each point's own */
};

/* Parses, and lets the arena go. Returns the points, so that nothing is optimised away; -1: malformed. */
int64_t otlp_peer_parse(const void *p, size_t n);
/* Parses and walks over everything. */
int otlp_peer_look(const void *p, size_t n, struct otlp_seen *out);

#ifdef __cplusplus
}
#endif
