/* Worlds as files: what is written reads back the same, and every mistake is named where it stands. */
#include "sim/shop/file.h"

#include <string.h>

#include "base/test.h"
#include "base/yaml.h"
#include "model/schema_check.h"
#include "sim/shop/graph.h"
#include "sim/shop/shop.h"

static struct str kept(struct t *t, struct buf *b) {
	EXPECT(!b->err);
	struct str s = str_copy(t->arena, buf_get(b));
	buf_done(b);
	return s;
}

static struct str written(struct t *t, const struct shop_world *w, bool comments) {
	struct buf b;
	buf_init(&b, 0);
	shop_file_write(w, comments, &b);
	return kept(t, &b);
}

static struct shop_world read_back(struct t *t, struct str text) {
	struct shop_world w = { 0 };
	struct why why = { "" };
	enum err e = shop_file_read(t->arena, text, "w.yaml", &w, &why);
	if (e) fprintf(stderr, "%s\n", why.text);
	EXPECT_OK(e);
	return w;
}

TEST(what_is_printed_reads_back_and_prints_the_same) {
	for (int comments = 0; comments < 2; comments++) {
		struct str once = written(t, &shop_builtin, comments);
		struct shop_world w = read_back(t, once);
		EXPECT(str_eq(once, written(t, &w, comments)));
		struct hash128 a = shop_world_hash(&shop_builtin), b = shop_world_hash(&w);
		EXPECT(!memcmp(&a, &b, sizeof a));
	}
}

static uint64_t trace_of(const struct shop_world *w) {
	struct sim_queue queue;
	struct sim_trace trace;
	sim_queue_init(&queue);
	sim_trace_init(&trace);
	struct shop_opts o = { .world = w, .queue = &queue, .trace = &trace, .rng = rng_seeded(5) };
	struct shop *shop = shop_new(&o);
	struct sim_kube_opts k = {
		.queue = &queue, .trace = &trace, .nodes = w->nodes, .runtime = &shop_runtime, .runtime_self = shop
	};
	struct sim_kube *kube = sim_kube_new(&k);
	shop_open(shop, kube, 60 * NS_PER_SEC);
	while (sim_queue_next(&queue, 150 * NS_PER_SEC)) trace.now_ns = queue.now_ns;
	uint64_t hash = trace.hash;
	shop_free(shop);
	sim_kube_free(kube);
	sim_trace_done(&trace);
	sim_queue_done(&queue);
	return hash;
}

TEST(the_world_that_was_read_lives_as_the_one_that_was_built_in) {
	struct shop_world w = read_back(t, written(t, &shop_builtin, true)), other = shop_builtin;
	EXPECT(trace_of(&w) == trace_of(&shop_builtin));
	other.rate *= 1.01;
	EXPECT(trace_of(&other) != trace_of(&shop_builtin));
}

TEST(another_world_has_another_hash) {
	struct hash128 usual = shop_world_hash(&shop_builtin), other;
	struct shop_world w = shop_builtin;
	struct shop_service services[32];
	w.sampling = 0.1;
	other = shop_world_hash(&w);
	EXPECT(memcmp(&usual, &other, sizeof usual) != 0);
	w = shop_builtin;
	memcpy(services, w.services, w.service_count * sizeof *services);
	services[3].replicas++;
	w.services = services;
	other = shop_world_hash(&w);
	EXPECT(memcmp(&usual, &other, sizeof usual) != 0);
}

/* ---- mistakes ---- */

#define SMALL                                                                        \
	"name: small\n"                                                                  \
	"entries: [{service: front, endpoint: GET /}]\n"                                 \
	"services:\n"                                                                    \
	"  front:\n"                                                                     \
	"    endpoints:\n"                                                               \
	"      GET /: {work: {median: 5ms}, calls: [{to: back, endpoint: GET /item}]}\n" \
	"  back:\n"                                                                      \
	"    endpoints:\n"                                                               \
	"      GET /item:\n"                                                             \
	"        work: {median: 3ms}\n"                                                  \
	"        calls:\n"                                                               \
	"          - {to: store, endpoint: SELECT item}\n"                               \
	"databases:\n"                                                                   \
	"  store: {namespace: items, work: {median: 1ms}}\n"

/* The small world with `from` replaced. */
static struct str with(struct t *t, const char *from, const char *to) {
	const char *text = SMALL, *at = strstr(text, from);
	EXPECT(at);
	return str_printf(t->arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static const struct {
	const char *from, *to;
	const char *where, *what[2]; /* what the error says */
} mistakes[] = {
	{ "name: small", "nam: small", "w.yaml:1: ", { "'nam'", "'name'" } },
	{ "name: small\n", "", "w.yaml:1: ", { "'name' is missing" } },
	{ "name: small", "name: small\nnodes: 0", "w.yaml:2: ", { "nodes", "1..100" } },
	{ "name: small", "name: small\nnodes: many", "w.yaml:2: ", { "nodes", "integer" } },
	{ "name: small", "name: small\nnodes: [5]", "w.yaml:2: ", { "'nodes' takes one value" } },
	{ "name: small", "name: small\ntraffic: {rate: -3}", "w.yaml:2: ", { "rate", "out of bounds" } },
	{ "name: small", "name: small\ntraffic: {dayly: 3%}", "w.yaml:2: ", { "'dayly'", "'daily'" } },
	{ "name: small", "name: small\ntelemetry: {sampling: 0.1}", "w.yaml:2: ", { "sampling", "51%" } },
	{ "name: small", "name: small\ntelemetry: {spans: 5}", "w.yaml:2: ", { "spans", "30s" } },
	{ "name: small", "name: small\nname: twice", "w.yaml", { "line 2" } },
	{ "name: small", "name: \"a\\\"b\"", "w.yaml:1: ", { "name" } },
	{ "front:\n", "Front:\n", "w.yaml:4: ", { "a-z" } },
	{ "service: front", "service: frond", "w.yaml:2: ", { "'frond'", "'front'" } },
	{ "endpoint: GET /}", "endpoint: GET /x}", "w.yaml:2: ", { "'GET /x'", "'GET /'" } },
	{ "{service: front", "{weight: 0, service: front", "w.yaml:1: ", { "weight" } },
	{ "to: back", "to: bakc", "w.yaml:6: ", { "'bakc'", "'back'" } },
	{ "endpoint: GET /item", "endpoint: GET /itme", "w.yaml:6: ", { "'GET /itme'", "'GET /item'" } },
	{ "to: store", "to: stoer", "w.yaml:12: ", { "'stoer'", "'store'" } },
	{ "to: store, endpoint: SELECT item", "to: front, endpoint: GET /", "w.yaml:12: ", { "ring" } },
	{ "work: {median: 3ms}", "errors: 1%", "w.yaml:9: ", { "'work' is missing" } },
	{ "work: {median: 3ms}", "work: {sigma: 1}", "w.yaml:10: ", { "'median' is missing" } },
	{ "work: {median: 3ms}", "work: {median: 60s}", "w.yaml:7: ", { "ask for" } },
	{ "  back:\n", "  back:\n    cpu_limit: 0.01\n", "w.yaml:7: ", { "cpu_limit" } },
	{ "work: {median: 1ms}", "work: {median: 100s}", "w.yaml:14: ", { "servers" } },
	{ "  back:\n", "  back:\n    memory: 2GiB\n", "w.yaml:7: ", { "memory_limit" } },
	{ "  back:\n", "  back:\n    max_surge: 1x\n", "w.yaml:7: ", { "max_surge" } },
	{ "  back:\n", "  back:\n    max_surge: 0\n    max_unavailable: 0%\n", "w.yaml:7: ", { "both 0" } },
	{ "  back:\n", "  back:\n    deployment: front\n", "w.yaml:7: ", { "Deployment" } },
	{ "  back:\n", "  back:\n    replicsa: 2\n", "w.yaml:8: ", { "'replicsa'", "'replicas'" } },
	{ "  back:\n", "  back:\n    language: rust\n", "w.yaml:8: ", { "language", "python" } },
	{ "  store:", "  back:", "w.yaml:14: ", { "a service has that name" } },
	{ "    endpoints:\n      GET /item:", "    endpoints:\n      item:", "w.yaml:9: ", { "method" } },
	{ "services:\n", "services: 5\nx:\n", "w.yaml:3: ", { "'services' takes names" } },
	{ "entries: [", "entries: {a: 1}\ny: [", "w.yaml:2: ", { "'entries' takes a list" } },
};

TEST(every_mistake_is_named_where_it_stands) {
	int wrong = 0;
	(void)read_back(t, STR(SMALL));
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		struct shop_world w;
		struct why why = { "" };
		enum err e = shop_file_read(t->arena, with(t, mistakes[i].from, mistakes[i].to), "w.yaml", &w, &why);
		bool told = strstr(why.text, mistakes[i].where) == why.text;
		for (int k = 0; k < 2 && mistakes[i].what[k]; k++) told = told && strstr(why.text, mistakes[i].what[k]);
		if (!told) fprintf(stderr, "'%s': %s\n", mistakes[i].to, why.text);
		EXPECT_ERR(e, ERR_INVALID);
		wrong += !told;
	}
	EXPECT(wrong == 0);
}

TEST(a_world_is_bounded) {
	struct shop_world w;
	struct why why = { "" };
	struct buf b;
	buf_init(&b, 0);
	buf_c(&b, "name: x\nentries: [{service: s0, endpoint: GET /}]\nservices:\n");
	for (int i = 0; i <= SHOP_SERVICES_MOST; i++)
		buf_printf(&b, "  s%d: {endpoints: {GET /: {work: {median: 1ms}}}}\n", i);
	EXPECT_ERR(shop_file_read(t->arena, buf_get(&b), "w.yaml", &w, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "w.yaml:3: ") && strstr(why.text, "at most 1000, not 1001"));
	buf_clear(&b);
	buf_c(&b, "name: x\nentries: [{service: s0, endpoint: GET /}]\nservices:\n");
	for (int i = 0; i < SHOP_DEPTH_MAX + 1; i++)
		buf_printf(&b, "  s%d: {endpoints: {GET /: {work: {median: 1ms}, calls: [{to: s%d, endpoint: GET /}]}}}\n", i,
		           i + 1);
	buf_printf(&b, "  s%d: {endpoints: {GET /: {work: {median: 1ms}}}}\n", SHOP_DEPTH_MAX + 1);
	EXPECT_ERR(shop_file_read(t->arena, buf_get(&b), "w.yaml", &w, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "deep"));
	buf_clear(&b);
	while (b.n <= SHOP_FILE_BYTES_MAX) buf_c(&b, "# a long comment that says nothing, again and again and again\n");
	EXPECT_ERR(shop_file_read(t->arena, buf_get(&b), "w.yaml", &w, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "longer than 8 MiB"));
	buf_done(&b);
}

TEST(one_value_is_set_by_its_path) {
	struct shop_world w = shop_builtin;
	struct why why = { "" };
	EXPECT_OK(shop_world_set(t->arena, &w, STR("telemetry.sampling"), STR("10%"), &why));
	EXPECT(w.sampling == 0.1);
	EXPECT_OK(shop_world_set(t->arena, &w, STR("name"), STR("mine"), &why));
	EXPECT(!strcmp(w.name, "mine"));
	EXPECT_ERR(shop_world_set(t->arena, &w, STR("telemetry.smapling"), STR("10%"), &why), ERR_NOT_FOUND);
	EXPECT(strstr(why.text, "sampling"));
	EXPECT_ERR(shop_world_set(t->arena, &w, STR("services.cart"), STR("1"), &why), ERR_INVALID);
	EXPECT_ERR(shop_world_set(t->arena, &w, STR("telemetry.sampling"), STR("110%"), &why), ERR_INVALID);
}

/* ---- what describes it ---- */

static struct str schema(struct t *t) {
	struct buf b;
	buf_init(&b, 0);
	shop_file_schema(&b);
	return kept(t, &b);
}

TEST(the_schema_that_is_published_is_this_one_and_holds_for_what_is_printed) {
	const struct json *s = NULL, *w = NULL;
	struct why why = { "" };
	struct str text = schema(t), published = { 0 };
	EXPECT_OK(schema_text(t->arena, DOCS_DIR "/world.schema.json", &published, &why));
	bool same = str_eq(published, text);
	if (!same) fprintf(stderr, "flyball experiment world --schema > docs/world.schema.json\n");
	EXPECT(same);
	EXPECT_OK(json_parse(t->arena, text, &s, &why));
	EXPECT_OK(yaml_parse(t->arena, written(t, &shop_builtin, true), &w, &why));
	enum err e = schema_check(s, w, &why);
	if (e) fprintf(stderr, "%s\n", why.text);
	EXPECT_OK(e);
	EXPECT_OK(yaml_parse(t->arena, with(t, "name: small", "nam: small"), &w, &why));
	EXPECT_ERR(schema_check(s, w, &why), ERR_INVALID);
	EXPECT_OK(yaml_parse(t->arena, with(t, "median: 3ms", "median: 3"), &w, &why));
	EXPECT_ERR(schema_check(s, w, &why), ERR_INVALID);
}

RUN(what_is_printed_reads_back_and_prints_the_same, the_world_that_was_read_lives_as_the_one_that_was_built_in,
    another_world_has_another_hash, every_mistake_is_named_where_it_stands, a_world_is_bounded,
    one_value_is_set_by_its_path, the_schema_that_is_published_is_this_one_and_holds_for_what_is_printed)
