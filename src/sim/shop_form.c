/* The tables of a world's file: every key, its type, bounds, default and meaning. */
#include "sim/shop_file.h"

#define IN(T, field) offsetof(struct T, field)
#define WORLD(field) offsetof(struct shop_world, field)
#define NO_LIMIT     0, 0

static const char *const languages[] = { "go", "java", "python", "nodejs", "dotnet", NULL };
static const char *const shapes[] = { "lognormal", "exponential", "constant", NULL };
static const char *const systems[] = { "postgresql", "mysql", "mongodb", "redis", "cassandra", "elasticsearch", NULL };

static const struct form_field time_fields[] = {
	{ "median", FORM_SECONDS, IN(shop_time, median), 0, 600, NULL, NULL,
	  "Median of the work itself, without waiting (exponential: the mean)." },
	{ "sigma", FORM_NUMBER, IN(shop_time, sigma), 0, 3, "0.4", NULL, "Of its logarithm." },
	{ "tail", FORM_SHARE, IN(shop_time, tail), NO_LIMIT, "0.2%", NULL,
	  "So often it takes a Pareto-distributed multiple, at most 50." },
	{ "tail_alpha", FORM_NUMBER, IN(shop_time, tail_alpha), 0.5, 10, "1.5", NULL,
	  "Exponent of that multiple: the smaller, the heavier." },
	{ "shape", FORM_CHOICE, IN(shop_time, shape), NO_LIMIT, "lognormal", shapes, "How the work is distributed." },
	FORM_END,
};
#define WORK(T)                                                                                     \
	{                                                                                               \
		.key = "work", .kind = FORM_ONE, .offset = IN(T, work), .flat = true, .line = FORM_NO_LINE, \
		.fields = time_fields                                                                       \
	}
#define NO_PART \
	{ .key = NULL }

static const struct form_field call_fields[] = {
	{ "to", FORM_TEXT, IN(shop_call, to), 1, 63, NULL, NULL, "The service or database that is called." },
	{ "endpoint", FORM_TEXT, IN(shop_call, endpoint), 1, 120, NULL, NULL,
	  "Which of its endpoints; of a database: the statement, 'SELECT orders'." },
	{ "group", FORM_WHOLE, IN(shop_call, group), 0, 63, "0", NULL,
	  "Groups run one after another; the calls of one group at once." },
	{ "chance", FORM_SHARE, IN(shop_call, probability), 1e-6, 1, "100%", NULL, "How often the call is made." },
	{ "timeout", FORM_TIME, IN(shop_call, timeout_ns), 1e6, 3600e9, "2s", NULL, "The caller waits so long." },
	{ "retries", FORM_WHOLE, IN(shop_call, retries), 0, 10, "0", NULL, "Further attempts after a failure." },
	{ "optional", FORM_YES, IN(shop_call, optional), NO_LIMIT, "false", NULL, "Its failure does not fail the caller." },
	FORM_END,
};
static const struct form_field endpoint_fields[] = {
	{ "errors", FORM_SHARE, IN(shop_endpoint, errors), NO_LIMIT, "0%", NULL,
	  "So many of its requests fail by themselves, every day." },
	FORM_END,
};
static const struct form endpoint_parts[] = {
	WORK(shop_endpoint),
	{ .key = "calls",
	  .kind = FORM_LIST,
	  .offset = IN(shop_endpoint, calls),
	  .count = IN(shop_endpoint, call_count),
	  .size = sizeof(struct shop_call),
	  .max = SHOP_CALLS_MOST,
	  .line = IN(shop_call, line),
	  .flat = true,
	  .fields = call_fields,
	  .help = "What it asks of others before it answers." },
	NO_PART,
};

static const struct form_field service_fields[] = {
	{ "deployment", FORM_TEXT, IN(shop_service, deployment), 0, 63, "", NULL,
	  "Name of its Deployment, where that is another than the service's." },
	{ "language", FORM_WORD, IN(shop_service, language), NO_LIMIT, "go", languages,
	  "Decides how its telemetry looks and whether it is slow until it is warm (java, dotnet)." },
	{ "replicas", FORM_WHOLE, IN(shop_service, replicas), 1, 200, "2", NULL, "Pods." },
	{ "workers", FORM_WHOLE, IN(shop_service, workers), 1, 10000, "16", NULL,
	  "Requests that one pod works on at once." },
	{ "queue", FORM_WHOLE, IN(shop_service, queue_max), 0, 1000000, "128", NULL,
	  "So many more wait in a pod; further ones are answered 503." },
	{ "start_up", FORM_SECONDS, IN(shop_service, start_up_s), 0.1, 3600, "5s", NULL,
	  "Median from the container's start until it is ready." },
	{ "memory", FORM_MIB, IN(shop_service, memory_base), 1, 1 << 20, "128MiB", NULL, "What one pod needs." },
	{ "memory_limit", FORM_MIB, IN(shop_service, memory_limit), 1, 1 << 20, "512MiB", NULL,
	  "At which the kernel kills it." },
	{ "cpu_share", FORM_NUMBER, IN(shop_service, cpu), 0, 1, "0.5", NULL, "Share of its work that is CPU time." },
	{ "cpu_limit", FORM_NUMBER, IN(shop_service, cpu_limit), 0.01, 256, "1", NULL, "Cores." },
	{ "max_surge", FORM_TEXT, IN(shop_service, max_surge), 0, 8, "", NULL,
	  "Of its rollouts, a number or a percent; without: 25%, as Kubernetes has it." },
	{ "max_unavailable", FORM_TEXT, IN(shop_service, max_unavailable), 0, 8, "", NULL, "Likewise." },
	{ "grpc", FORM_YES, IN(shop_service, grpc), NO_LIMIT, "false", NULL, "Exports over gRPC; else OTLP/HTTP." },
	{ "old_names", FORM_YES, IN(shop_service, old_names), NO_LIMIT, "false", NULL,
	  "An older SDK: db.system instead of db.system.name, and its like." },
	{ "by_pod_only", FORM_YES, IN(shop_service, by_pod_only), NO_LIMIT, "false", NULL,
	  "Its telemetry names the pod's UID and no workload." },
	FORM_END,
};
static const struct form service_parts[] = {
	{ .key = "endpoints",
	  .kind = FORM_MAP,
	  .offset = IN(shop_service, endpoints),
	  .count = IN(shop_service, endpoint_count),
	  .size = sizeof(struct shop_endpoint),
	  .max = SHOP_ENDPOINTS_MOST,
	  .name = IN(shop_endpoint, name),
	  .line = IN(shop_endpoint, line),
	  .fields = endpoint_fields,
	  .parts = endpoint_parts,
	  .help = "By method and route, 'GET /product/{id}'. First 60 % of the work, then the calls, then the rest." },
	NO_PART,
};

static const struct form_field database_fields[] = {
	{ "system", FORM_WORD, IN(shop_database, system), NO_LIMIT, "postgresql", systems, "What it is." },
	{ "namespace", FORM_TEXT, IN(shop_database, namespace_), 1, 63, NULL, NULL, "db.namespace in its callers' spans." },
	{ "servers", FORM_WHOLE, IN(shop_database, servers), 1, 10000, "16", NULL, "Statements worked on at once." },
	{ "queue", FORM_WHOLE, IN(shop_database, queue_max), 0, 1000000, "200", NULL, "So many more wait." },
	FORM_END,
};
static const struct form database_parts[] = { WORK(shop_database), NO_PART };

static const struct form_field entry_fields[] = {
	{ "service", FORM_TEXT, IN(shop_entry, service), 1, 63, NULL, NULL, "Where it arrives." },
	{ "endpoint", FORM_TEXT, IN(shop_entry, endpoint), 1, 120, NULL, NULL, "Which endpoint." },
	{ "weight", FORM_NUMBER, IN(shop_entry, weight), 0, 1e6, "1", NULL, "How often, beside the others." },
	FORM_END,
};

static const struct form_field traffic_fields[] = {
	{ "rate", FORM_NUMBER, WORLD(rate), 0.01, 100000, "20", NULL, "Requests a second at the door, mean over the day." },
	{ "daily", FORM_SHARE, WORLD(daily), NO_LIMIT, "40%", NULL, "How far the day's rhythm swings around the mean." },
	{ "peak_hour", FORM_NUMBER, WORLD(peak_h), 0, 24, "19", NULL, "When it is highest, UTC." },
	{ "noise", FORM_NUMBER, WORLD(noise), 0, 2, "0.05", NULL,
	  "Standard deviation of the slow noise of the rate's logarithm (it lasts for ten minutes or so)." },
	{ "timeout", FORM_TIME, WORLD(customer_timeout_ns), 1e6, 3600e9, "15s", NULL, "Customers wait so long." },
	FORM_END,
};
static const struct form_field telemetry_fields[] = {
	{ "spans", FORM_TIME, WORLD(span_ns), 1e8, 600e9, "5s", NULL, "Spans are exported so often, or when 512 wait." },
	{ "metrics", FORM_TIME, WORLD(metric_ns), 1e9, 3600e9, "10s", NULL, "Metrics likewise." },
	{ "logs", FORM_TIME, WORLD(log_ns), 1e8, 600e9, "1s", NULL, "Logs likewise." },
	{ "agents", FORM_TIME, WORLD(agent_ns), 1e9, 3600e9, "10s", NULL, "The nodes' agents tell so often." },
	{ "sampling", FORM_SHARE, WORLD(sampling), 1e-4, 1, "100%", NULL, "Of the traces, so many are exported." },
	{ "no_threshold", FORM_YES, WORLD(no_threshold), NO_LIMIT, "false", NULL,
	  "Spans do not say how they were sampled, as older SDKs do not." },
	{ "info_logs", FORM_NUMBER, WORLD(info_logs), 0, 10, "0.02", NULL, "Lines at INFO a request." },
	FORM_END,
};
static const struct form_field life_fields[] = {
	{ "deployments", FORM_NUMBER, WORLD(deployments_day), 0, 10000, "6", NULL, "By people, a day, over all services." },
	FORM_END,
};
static const struct form_field world_fields[] = {
	{ "name", FORM_TEXT, WORLD(name), 1, 63, NULL, NULL, "What it is called in stories." },
	{ "namespace", FORM_TEXT, WORLD(namespace_), 1, 63, "shop", NULL, "The Kubernetes namespace of its workloads." },
	{ "nodes", FORM_WHOLE, WORLD(nodes), 1, 100, "5", NULL, "Machines of the cluster." },
	FORM_END,
};
static const struct form world_parts[] = {
	{ .key = "traffic", .kind = FORM_ONE, .line = FORM_NO_LINE, .fields = traffic_fields, .help = "The customers." },
	{ .key = "telemetry",
	  .kind = FORM_ONE,
	  .line = FORM_NO_LINE,
	  .fields = telemetry_fields,
	  .help = "What is told, and how often." },
	{ .key = "life",
	  .kind = FORM_ONE,
	  .line = FORM_NO_LINE,
	  .fields = life_fields,
	  .help = "What happens on ordinary days." },
	{ .key = "entries",
	  .kind = FORM_LIST,
	  .offset = WORLD(entries),
	  .count = WORLD(entry_count),
	  .size = sizeof(struct shop_entry),
	  .max = SHOP_ENTRIES_MOST,
	  .line = IN(shop_entry, line),
	  .flat = true,
	  .fields = entry_fields,
	  .help = "What customers ask for." },
	{ .key = "services",
	  .kind = FORM_MAP,
	  .offset = WORLD(services),
	  .count = WORLD(service_count),
	  .size = sizeof(struct shop_service),
	  .max = SHOP_SERVICES_MOST,
	  .name = IN(shop_service, name),
	  .line = IN(shop_service, line),
	  .fields = service_fields,
	  .parts = service_parts,
	  .help = "The services, by service.name." },
	{ .key = "databases",
	  .kind = FORM_MAP,
	  .offset = WORLD(databases),
	  .count = WORLD(database_count),
	  .size = sizeof(struct shop_database),
	  .max = SHOP_DATABASES_MOST,
	  .name = IN(shop_database, name),
	  .line = IN(shop_database, line),
	  .fields = database_fields,
	  .parts = database_parts,
	  .help = "The databases, by server.address." },
	NO_PART,
};
const struct form shop_world_form = {
	.kind = FORM_ONE,
	.size = sizeof(struct shop_world),
	.line = FORM_NO_LINE,
	.fields = world_fields,
	.parts = world_parts,
};
