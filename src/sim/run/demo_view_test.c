#include "sim/run/demo_view.h"

#include <string.h>

#include "base/test.h"

#define GRAPH(front, cart)                                                                                           \
	"{\"nodes\":[{\"entity\":\"service/front\",\"incident\":" front                                                  \
	"},{\"entity\":\"service/cart\",\"incident\":" cart                                                              \
	"},{\"entity\":\"database/orders\",\"incident\":null}],\"edges\":[{\"from\":\"service/front\",\"to\":\"service/" \
	"cart\"},{\"from\":\"service/cart\",\"to\":\"database/orders\"},{\"from\":\"service/cart\",\"to\":null}]}"
#define EVENT(type, time, subject, data) \
	"{\"type\":\"" type "\",\"time\":\"2035-01-01T00:" time "Z\",\"subject\":\"" subject "\",\"data\":" data "}"

static const struct json *parsed(struct t *t, const char *text) {
	const struct json *v = NULL;
	EXPECT_OK(json_parse(t->arena, str_of(text), &v, NULL));
	return v;
}

static struct wall at(struct t *t, const char *time) {
	struct wall w = { 0 };
	EXPECT(wall_parse(time, strlen(time), &w));
	return w;
}

static void graph(struct t *t, struct demo_view *v, const char *text, const char *time) {
	demo_view_graph(v, parsed(t, text), at(t, time));
}

static enum demo_state state(struct t *t, const struct demo_view *v, const char *entity) {
	for (size_t i = 0; i < v->node_count; i++)
		if (!strcmp(v->nodes[i].entity, entity)) return demo_state_of(v, &v->nodes[i]);
	EXPECT(!"no such node");
	return DEMO_STATES;
}

TEST(a_service_goes_through_its_states_as_the_api_says) {
	struct demo_view v;
	demo_view_init(&v);
	graph(t, &v, GRAPH("null", "null"), "2035-01-01T00:01:00Z");
	EXPECT(v.node_count == 3 && v.edge_count == 2 && state(t, &v, "service/cart") == DEMO_WELL);
	demo_view_event(&v, parsed(t, EVENT("INCIDENT_OPENED", "01:01", "service/cart",
	                                    "{\"incident\":\"01A\",\"entities\":[\"service/cart\"]}")));
	EXPECT(state(t, &v, "service/cart") == DEMO_SUSPECT && state(t, &v, "service/front") == DEMO_WELL);
	graph(t, &v, GRAPH("\"01A\"", "\"01A\""), "2035-01-01T00:01:02Z");
	EXPECT(state(t, &v, "service/front") == DEMO_SUSPECT);
	demo_view_event(&v, parsed(t, EVENT("RCA_REPORT", "01:03", "service/cart",
	                                    "{\"incident\":\"01A\",\"none\":false,\"root_causes\":[{\"entity\":"
	                                    "\"service/cart\"}]}")));
	EXPECT(state(t, &v, "service/cart") == DEMO_CAUSE && state(t, &v, "service/front") == DEMO_SUSPECT);
	demo_view_event(&v, parsed(t, EVENT("ACTION_LOG", "01:04", "service/cart", "{\"state\":\"applied\"}")));
	EXPECT(state(t, &v, "service/cart") == DEMO_HEALING);
	demo_view_event(&v, parsed(t, EVENT("INCIDENT_RESOLVED", "01:30", "service/cart",
	                                    "{\"incident\":\"01A\",\"how\":\"in_band\"}")));
	demo_view_event(&v, parsed(t, EVENT("ACTION_LOG", "01:30", "service/cart", "{\"state\":\"verified\"}")));
	graph(t, &v, GRAPH("null", "null"), "2035-01-01T00:01:31Z");
	EXPECT(state(t, &v, "service/cart") == DEMO_VERIFIED && state(t, &v, "service/front") == DEMO_WELL);
	graph(t, &v, GRAPH("null", "null"), "2035-01-01T00:09:00Z");
	EXPECT(state(t, &v, "service/cart") == DEMO_WELL);
	demo_view_done(&v);
}

TEST(an_action_that_fails_leaves_the_cause_and_a_later_report_moves_it) {
	struct demo_view v;
	demo_view_init(&v);
	graph(t, &v, GRAPH("\"01A\"", "\"01A\""), "2035-01-01T00:01:00Z");
	demo_view_event(&v, parsed(t, EVENT("RCA_REPORT", "01:03", "x",
	                                    "{\"incident\":\"01A\",\"none\":false,\"root_causes\":[{\"entity\":\"pod/shop/"
	                                    "cart-1\",\"target\":{\"service\":\"cart\"}}]}")));
	EXPECT(state(t, &v, "service/cart") == DEMO_CAUSE); /* a pod's service */
	demo_view_event(&v, parsed(t, EVENT("ACTION_LOG", "01:04", "service/cart", "{\"state\":\"acting\"}")));
	demo_view_event(&v, parsed(t, EVENT("ACTION_LOG", "01:05", "service/cart", "{\"state\":\"failed\"}")));
	EXPECT(state(t, &v, "service/cart") == DEMO_CAUSE);
	demo_view_event(&v, parsed(t, EVENT("RCA_REPORT", "01:06", "x", "{\"incident\":\"01A\",\"none\":true}")));
	EXPECT(state(t, &v, "service/cart") == DEMO_CAUSE); /* knows less, not better */
	demo_view_event(&v, parsed(t, EVENT("RCA_REPORT", "01:07", "x",
	                                    "{\"incident\":\"01A\",\"none\":false,\"root_causes\":[{\"entity\":"
	                                    "\"database/orders\"}]}")));
	EXPECT(state(t, &v, "service/cart") == DEMO_SUSPECT && state(t, &v, "database/orders") == DEMO_CAUSE);
	demo_view_event(&v,
	                parsed(t, EVENT("INCIDENT_RESOLVED", "01:30", "x", "{\"incident\":\"01A\",\"how\":\"expired\"}")));
	EXPECT(state(t, &v, "database/orders") == DEMO_WELL); /* it ended; nobody verified anything */
	demo_view_done(&v);
}

TEST(no_data_is_not_well) {
	struct demo_view v;
	demo_view_init(&v);
	graph(t, &v, GRAPH("null", "null"), "2035-01-01T00:01:00Z");
	demo_view_coverage(&v, parsed(t, "{\"services\":[{\"entity\":\"service/cart\",\"signals\":[{\"state\":\"absent\"},{"
	                                 "\"state\":\"stale\"}]},{\"entity\":\"service/front\",\"signals\":[{\"state\":"
	                                 "\"stale\"},{\"state\":\"zero\"}]}],\"others\":[{\"entity\":\"database/orders\","
	                                 "\"signals\":[]}]}"));
	EXPECT(state(t, &v, "service/cart") == DEMO_NO_DATA && state(t, &v, "service/front") == DEMO_WELL);
	EXPECT(state(t, &v, "database/orders") == DEMO_WELL); /* nothing was ever expected of it */
	demo_view_done(&v);
}

TEST(what_the_graph_no_longer_names_is_gone_and_the_shape_says_so) {
	struct demo_view v;
	demo_view_init(&v);
	graph(t, &v, GRAPH("null", "null"), "2035-01-01T00:01:00Z");
	uint64_t shape = v.shape;
	graph(t, &v, GRAPH("\"01A\"", "null"), "2035-01-01T00:01:01Z");
	EXPECT(v.shape == shape); /* a state is no shape */
	graph(t, &v,
	      "{\"nodes\":[{\"entity\":\"database/orders\"},{\"entity\":\"service/cart\"}],\"edges\":[{\"from\":"
	      "\"service/cart\",\"to\":\"database/orders\"},{\"from\":\"service/front\",\"to\":\"service/cart\"}]}",
	      "2035-01-01T00:01:02Z");
	EXPECT(v.node_count == 2 && v.edge_count == 1 && v.shape != shape);
	EXPECT(!strcmp(v.nodes[v.edges[0].from].entity, "service/cart"));
	EXPECT(!strcmp(demo_node_name(&v.nodes[v.edges[0].to]), "orders"));
	demo_view_done(&v);
}

/* Answers of any shape change nothing that they do not name. */
TEST(a_strange_answer_is_no_harm) {
	static const char *const answers[] = {
		"null",
		"[]",
		"{\"nodes\":3}",
		"{\"nodes\":[null,1,{}],\"edges\":[null,{}]}",
		"{\"data\":[]}",
		"{\"type\":\"RCA_REPORT\"}",
		"{\"type\":\"ACTION_LOG\",\"data\":{\"state\":5}}",
	};
	struct demo_view v;
	demo_view_init(&v);
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		demo_view_graph(&v, parsed(t, answers[i]), (struct wall){ 1 });
		demo_view_coverage(&v, parsed(t, answers[i]));
		demo_view_event(&v, parsed(t, answers[i]));
		EXPECT(v.node_count == 0 && v.edge_count == 0);
	}
	demo_view_done(&v);
}

RUN(a_service_goes_through_its_states_as_the_api_says,
    an_action_that_fails_leaves_the_cause_and_a_later_report_moves_it, no_data_is_not_well,
    what_the_graph_no_longer_names_is_gone_and_the_shape_says_so, a_strange_answer_is_no_harm)
