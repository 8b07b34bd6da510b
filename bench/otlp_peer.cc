#include "otlp_peer.h"

#include <google/protobuf/arena.h>

#include "otlp_metrics.pb.h"

namespace {

using google::protobuf::Arena;
using google::protobuf::ArenaOptions;

/* A block that lives on: the arena takes no memory from the system while it parses. */
struct Block {
	char bytes[8 << 20];
};

ArenaOptions options() {
	static Block *block = new Block;
	ArenaOptions o;
	o.initial_block = block->bytes;
	o.initial_block_size = sizeof block->bytes;
	return o;
}

template <typename Points> int64_t look(const Points &points, const bench::Metric &m, otlp_seen *out) {
	for (const auto &p : points) {
		out->points++;
		out->values += p.as_double();
		out->text_bytes += m.name().size() + m.unit().size();
		for (const auto &a : p.attributes()) {
			out->attributes++;
			out->text_bytes += a.key().size() + a.value().string_value().size();
		}
	}
	return points.size();
}

} // namespace

int64_t otlp_peer_parse(const void *p, size_t n) {
	Arena arena(options());
	auto *request = Arena::CreateMessage<bench::MetricsRequest>(&arena);
	if (!request->ParseFromArray(p, static_cast<int>(n))) return -1;
	int64_t points = 0;
	for (const auto &r : request->resource_metrics()) {
		for (const auto &s : r.scope_metrics()) {
			for (const auto &m : s.metrics()) points += m.sum().data_points_size() + m.gauge().data_points_size();
		}
	}
	return points;
}

int otlp_peer_look(const void *p, size_t n, otlp_seen *out) {
	Arena arena(options());
	auto *request = Arena::CreateMessage<bench::MetricsRequest>(&arena);
	*out = otlp_seen{};
	if (!request->ParseFromArray(p, static_cast<int>(n))) return -1;
	for (const auto &r : request->resource_metrics()) {
		for (const auto &s : r.scope_metrics()) {
			for (const auto &m : s.metrics()) {
				look(m.sum().data_points(), m, out);
				look(m.gauge().data_points(), m, out);
			}
		}
	}
	return 0;
}
