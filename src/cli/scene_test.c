#include "cli/scene.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/test.h"

/* The built-in shop, as /api/v1/graph tells it. */
static const char *const calls[][2] = {
	{ "service/cart", "service/inventory" },
	{ "service/cart", "database/session-store" },
	{ "service/orders", "database/orders-db" },
	{ "service/user", "database/orders-db" },
	{ "service/auth", "database/session-store" },
	{ "service/checkout", "service/currency" },
	{ "service/checkout", "service/cart" },
	{ "service/checkout", "service/shipping" },
	{ "service/checkout", "service/inventory" },
	{ "service/checkout", "service/payment" },
	{ "service/checkout", "service/orders" },
	{ "service/checkout", "service/email" },
	{ "service/frontend", "service/catalogue" },
	{ "service/frontend", "service/recommendation" },
	{ "service/frontend", "service/ads" },
	{ "service/frontend", "service/cart" },
	{ "service/frontend", "service/inventory" },
	{ "service/frontend", "service/currency" },
	{ "service/frontend", "service/search" },
	{ "service/frontend", "service/auth" },
	{ "service/frontend", "service/checkout" },
	{ "service/payment", "service/user" },
	{ "service/inventory", "database/orders-db" },
	{ "service/inventory", "database/catalogue-db" },
	{ "service/search", "database/catalogue-db" },
	{ "service/catalogue", "database/catalogue-db" },
	{ "service/recommendation", "service/catalogue" },
	{ "service/shipping", "service/currency" },
};

struct stage {
	struct t *t;
	struct demo_view view;
	struct scene scene;
	struct canvas canvas;
	struct demo_frame frame;
	struct demo_line lines[8];
	struct buf json;
};

static const struct json *parsed(struct stage *s, struct str text) {
	struct t *t = s->t;
	const struct json *v = NULL;
	EXPECT_OK(json_parse(t->arena, str_copy(t->arena, text), &v, NULL));
	return v;
}

static void node(struct json_out *o, const char *entity, const char *incident) {
	json_begin_object(o);
	json_kv_c(o, "entity", entity);
	json_kv_c(o, "incident", incident);
	json_end_object(o);
}

/* `members`: what belongs to an incident, joined by blanks. */
static void tell_graph(struct stage *s, const char *members) {
	struct json_out o = json_out(&s->json);
	buf_clear(&s->json);
	json_begin_object(&o);
	json_key(&o, "nodes");
	json_begin_array(&o);
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		for (int k = 0; k < 2; k++) node(&o, calls[i][k], strstr(members, calls[i][k]) ? "01A" : NULL);
	json_end_array(&o);
	json_key(&o, "edges");
	json_begin_array(&o);
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		json_begin_object(&o);
		json_kv_c(&o, "from", calls[i][0]);
		json_kv_c(&o, "to", calls[i][1]);
		json_end_object(&o);
	}
	json_end_array(&o);
	json_end_object(&o);
	demo_view_graph(&s->view, parsed(s, buf_get(&s->json)), (struct wall){ NS_PER_MIN });
}

static void event(struct stage *s, const char *text) {
	demo_view_event(&s->view, parsed(s, str_of(text)));
}

static void stage_open(struct stage *s, struct t *t, int columns, int rows) {
	*s = (struct stage){ .t = t };
	demo_view_init(&s->view);
	scene_init(&s->scene);
	buf_init(&s->json, 0);
	EXPECT_OK(canvas_init(&s->canvas, columns, rows));
	s->frame = (struct demo_frame){ .seed = 7,
		                            .chapter = 1,
		                            .chapters = 2,
		                            .since_s = 133.8,
		                            .share = 0.27,
		                            .fault = "slow-database on catalogue-db: 4 times as slow, which no action cures",
		                            .knows = "the cause is database/catalogue-db (dependency), 97 % sure",
		                            .does = "leaves it to people: the cause is trouble in the dependency "
		                                    "database/catalogue-db, which is no service that Flyball may act on",
		                            .phase = DEMO_WAITS,
		                            .view = &s->view,
		                            .lines = s->lines };
}

static void stage_close(struct stage *s) {
	demo_view_done(&s->view);
	scene_done(&s->scene);
	canvas_done(&s->canvas);
	buf_done(&s->json);
}

static void say(struct stage *s, double at_s, enum demo_tone tone, const char *word, const char *text) {
	s->lines[s->frame.line_count++] = (struct demo_line){ at_s, tone, word, text };
}

static void trouble(struct stage *s) {
	tell_graph(s, "service/frontend service/search service/catalogue service/inventory database/catalogue-db");
	event(s, "{\"type\":\"RCA_REPORT\",\"data\":{\"incident\":\"01A\",\"none\":false,\"root_causes\":[{\"entity\":"
	         "\"database/catalogue-db\",\"kind\":\"dependency\",\"target\":null}]}}");
	event(s, "{\"type\":\"ACTION_LOG\",\"subject\":\"service/ads\",\"data\":{\"state\":\"applied\"}}");
	event(s, "{\"type\":\"ACTION_LOG\",\"subject\":\"service/email\",\"time\":\"1970-01-01T00:01:00Z\",\"data\":{"
	         "\"state\":\"verified\"}}");
	demo_view_coverage(&s->view, parsed(s, STR("{\"services\":[{\"entity\":\"service/auth\",\"signals\":[{\"state\":"
	                                           "\"absent\"},{\"state\":\"stale\"}]}],\"others\":[]}")));
	say(s, NAN, DEMO_BOLD, "fault", s->frame.fault);
	say(s, 0, DEMO_DIM, "breaks", "the simulation breaks it and tells nobody");
	say(s, 0.2, DEMO_DIM, "arrives", "the first telemetry that the fault has touched");
	say(s, 3.1, DEMO_BAD, "seen", "service/inventory: duration 22.7 ms, usually 13.4 ms");
	say(s, 4.7, DEMO_WARN, "cause", "database/catalogue-db, dependency, 97 % sure");
	say(s, NAN, DEMO_DIM, "", "- calls from service/inventory to database/catalogue-db take 14.6 ms, usually 4.9 ms");
	say(s, NAN, DEMO_DIM, "gates", "8 pass");
	say(s, 4.7, DEMO_ACT, "people",
	    "the cause is trouble in the dependency database/catalogue-db, which is no service that Flyball may act on");
}

/* clang-format off */
static const char small[] =
	"Flyball demo, seed 7, fault 1 of 2, +133.8 s                 40x real time, 27 %\n"
	"Fault   slow-database on catalogue-db: 4 times as slow, which no action cures\n"
	"Knows   the cause is database/catalogue-db (dependency), 97 % sure\n"
	"Does    leaves it to people: the cause is trouble in the dependency database/ca…\n"
	"● 10 well  ▲ 4 suspect  ✗ 1 cause  ↻ 1 being healed  ✓ 1 verified  ○ 1 no data\n"
	"           ┌○ auth──────────┐\n"
	"           │                │ ┌✓ email\n"
	"           ┣↻ ads           └─│──────────────┐\n"
	"           ┃                  ├● orders──────│─┐\n"
	"           ┣● checkout────────┼● payment────┐└┬│● session-store\n"
	"▲ frontend━┫                 ┌┼● cart───────│─┤└────────────────┐\n"
	"           ┣━━━━━━━━━━━━━━━━━┫├● shipping──┐└─│─● user──────────┴┬● orders-db\n"
	"           ┃                 ┃└────────────┴┬┬│─● currency       │\n"
	"           ┣● recommendati…─┐┣━━━━━━━━━━━━━━┻┻┻━▲ inventory━━━━━━┫\n"
	"           ┃                └┻━▲ catalogue━━━━━━━━━━━━━━━━━━━━━━┳┻✗ catalogue-db\n"
	"           ┗▲ search━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┛\n"
	"────────────────────────────────────────────────────────────────────────────────\n"
	"           fault     slow-database on catalogue-db: 4 times as slow, which no a…\n"
	"   +0.0 s  breaks    the simulation breaks it and tells nobody\n"
	"   +0.2 s  arrives   the first telemetry that the fault has touched\n"
	"   +3.1 s  seen      service/inventory: duration 22.7 ms, usually 13.4 ms\n"
	"   +4.7 s  cause     database/catalogue-db, dependency, 97 % sure\n"
	"   +4.7 s  people    the cause is trouble in the dependency database/catalogue-…\n"
	"space pauses   left, right: slower, faster   q: to the end   Ctrl-C: stop\n";

static const char large[] =
	"Flyball demo, seed 7, fault 1 of 2, +133.8 s                                                 paused, 40x real time, 27 %\n"
	"Fault   slow-database on catalogue-db: 4 times as slow, which no action cures\n"
	"Knows   the cause is database/catalogue-db (dependency), 97 % sure\n"
	"Does    leaves it to people: the cause is trouble in the dependency database/catalogue-db, which is no service that Fly~\n"
	"o 10 well  ! 4 suspect  X 1 cause  * 1 being healed  v 1 verified  ? 1 no data\n"
	"\n"
	"\n"
	"                                           +----v email\n"
	"                                           |\n"
	"                                         +-|--------------------+\n"
	"                                         | |                    |\n"
	"                                         | +----o orders -------|+\n"
	"                                         | |                    +|+-----o session-store\n"
	"                                         | +----o payment ------+||\n"
	"                                         | |                    |+|-------------------------+\n"
	"               +----? auth --------------+++----o cart ---------|-+                         |\n"
	"               |                          ||                    +-|-----o user -------------|+\n"
	"               +----o checkout -----------|+----o shipping -----+ |                         +++----o orders-db\n"
	"               |                          ||                    | |                           |\n"
	"! frontend ====#==========================#+--------------------++|+----o currency            |\n"
	"               H                          H                      |||                          |\n"
	"               #====* ads                 #======================###====! inventory ==========#\n"
	"               H                          H                                                   H\n"
	"               #----o recommendation -----#=====! catalogue ================================#=#====X catalogue-db\n"
	"               H                                                                            H\n"
	"               #====! search ===============================================================#\n"
	"\n"
	"------------------------------------------------------------------------------------------------------------------------\n"
	"           fault     slow-database on catalogue-db: 4 times as slow, which no action cures\n"
	"   +0.0 s  breaks    the simulation breaks it and tells nobody\n"
	"   +0.2 s  arrives   the first telemetry that the fault has touched\n"
	"   +3.1 s  seen      service/inventory: duration 22.7 ms, usually 13.4 ms\n"
	"   +4.7 s  cause     database/catalogue-db, dependency, 97 % sure\n"
	"                     - calls from service/inventory to database/catalogue-db take 14.6 ms, usually 4.9 ms\n"
	"           gates     8 pass\n"
	"   +4.7 s  people    the cause is trouble in the dependency database/catalogue-db, which is no service that Flyball may\n"
	"                     act on\n"
	"\n"
	"\n"
	"Ctrl-C: stop\n";

static const char low[] =
	"Flyball demo, seed 7, fault 1 of 2, +133.8 s                 40x real time, 27 %\n"
	"Fault   slow-database on catalogue-db: 4 times as slow, which no action cures\n"
	"Knows   the cause is database/catalogue-db (dependency), 97 % sure\n"
	"Does    leaves it to people: the cause is trouble in the dependency database/ca…\n"
	"● 10 well  ▲ 4 suspect  ✗ 1 cause  ↻ 1 being healed  ✓ 1 verified  ○ 1 no data\n"
	" 1  ▲ frontend\n"
	" 2  ↻ ads  ▲ search  ○ auth  ● checkout  ● recommendation\n"
	" 3  ▲ catalogue  ✓ email  ● cart  ● orders  ● shipping  ● payment\n"
	" 4  ▲ inventory  ● session-store  ● user  ● currency\n"
	" 5  ✗ catalogue-db  ● orders-db\n"
	"────────────────────────────────────────────────────────────────────────────────\n"
	"   +0.2 s  arrives   the first telemetry that the fault has touched\n"
	"   +3.1 s  seen      service/inventory: duration 22.7 ms, usually 13.4 ms\n"
	"   +4.7 s  cause     database/catalogue-db, dependency, 97 % sure\n"
	"   +4.7 s  people    the cause is trouble in the dependency database/catalogue-…\n"
	"space pauses   left, right: slower, faster   q: to the end   Ctrl-C: stop\n";
/* clang-format on */

static void expect_frame(struct t *t, int columns, int rows, bool utf8, struct scene_pace pace, const char *want) {
	struct stage s;
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	stage_open(&s, t, columns, rows);
	trouble(&s);
	scene_draw(&s.scene, &s.canvas, &s.frame, &pace);
	canvas_plain(&s.canvas, utf8, &b);
	EXPECT_HAS(buf_get(&b), want);
	stage_close(&s);
}

TEST(a_small_window_shows_what_is_broken_known_and_done) {
	expect_frame(t, 80, 24, true, (struct scene_pace){ 40, false, true }, small);
}

TEST(a_large_window_tells_the_evidence_too) {
	expect_frame(t, 120, 40, false, (struct scene_pace){ 40, true, false }, large);
}

TEST(where_the_graph_does_not_fit_it_is_listed_by_layers) {
	expect_frame(t, 80, 16, true, (struct scene_pace){ 40, false, true }, low);
}

/* ---- any graph in any window ---- */

static void any_graph(struct stage *s, int nodes, int layers) {
	struct t *t = s->t;
	struct json_out o = json_out(&s->json);
	buf_clear(&s->json);
	json_begin_object(&o);
	json_key(&o, "nodes");
	json_begin_array(&o);
	for (int i = 0; i < nodes; i++) {
		char name[64];
		snprintf(name, sizeof name, "service/caf\u00e9-%d%.*s", i, (int)rng_below(&t->rng, 20),
		         "-with-a-long-name-too");
		node(&o, name, rng_below(&t->rng, 6) ? NULL : "01A");
	}
	json_end_array(&o);
	json_key(&o, "edges");
	json_begin_array(&o);
	json_end_array(&o);
	json_end_object(&o);
	demo_view_graph(&s->view, parsed(s, buf_get(&s->json)), (struct wall){ NS_PER_MIN });
	for (int e = 0; nodes > 1 && e < nodes * 2; e++) { /* from a layer into one behind it */
		uint32_t from = (uint32_t)rng_below(&t->rng, nodes), to = (uint32_t)rng_below(&t->rng, nodes);
		if (from % (uint32_t)layers >= to % (uint32_t)layers) continue;
		s->view.edges[s->view.edge_count++] = (struct demo_edge){ from, to };
	}
}

/* Every row of what is drawn is as wide as the window or less, and the cause of an incident is on the screen. */
TEST(no_row_is_wider_than_the_window_and_the_cause_is_seen, .seeds = 500) {
	struct stage s;
	CLEANUP(buf_done) struct buf b;
	int columns = 80 + (int)rng_below(&t->rng, 120), rows = 24 + (int)rng_below(&t->rng, 40);
	int nodes = 1 + (int)rng_below(&t->rng, 300);
	buf_init(&b, 0);
	stage_open(&s, t, columns, rows);
	any_graph(&s, nodes, 1 + (int)rng_below(&t->rng, 7));
	struct demo_node *cause = &s.view.nodes[rng_below(&t->rng, (int64_t)s.view.node_count)];
	cause->cause = true;
	for (int i = 0; i < 8; i++)
		say(&s, i, DEMO_BAD, "seen",
		    "caf\u00e9 of a story that is longer than the window is wide, "
		    "so that it has to be folded, or is cut in the end: \u2026");
	scene_draw(&s.scene, &s.canvas, &s.frame, &(struct scene_pace){ 1, false, true });
	canvas_plain(&s.canvas, true, &b);
	int seen = 0, drawn = 0;
	for (struct str row, rest = buf_get(&b); str_cut(rest, '\n', &row, &rest) || row.n; drawn++) {
		EXPECT(demo_columns(row) <= (size_t)columns);
		seen += drawn >= 5 && memmem(row.p, row.n, "\u2717", 3) != NULL;
		if (!rest.n) break;
	}
	EXPECT(drawn <= rows && seen == 1);
	stage_close(&s);
}

/* However small: nothing is drawn outside, and nothing breaks. */
TEST(a_window_of_any_size_is_drawn_on, .seeds = 300) {
	struct stage s;
	stage_open(&s, t, 1 + (int)rng_below(&t->rng, 90), 1 + (int)rng_below(&t->rng, 30));
	any_graph(&s, 1 + (int)rng_below(&t->rng, 40), 4);
	say(&s, 1, DEMO_BAD, "seen", "a line");
	for (int i = 0; i < 3; i++) {
		scene_draw(&s.scene, &s.canvas, &s.frame, &(struct scene_pace){ 1, i == 1, true });
		canvas_done(&s.canvas); /* it is resized while it is shown */
		EXPECT_OK(canvas_init(&s.canvas, 1 + (int)rng_below(&t->rng, 90), 1 + (int)rng_below(&t->rng, 30)));
	}
	stage_close(&s);
}

RUN(a_small_window_shows_what_is_broken_known_and_done, a_large_window_tells_the_evidence_too,
    where_the_graph_does_not_fit_it_is_listed_by_layers, no_row_is_wider_than_the_window_and_the_cause_is_seen,
    a_window_of_any_size_is_drawn_on)
