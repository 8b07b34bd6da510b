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
	{ "queue", FORM_TEXT, IN(shop_call, queue), 0, 63, "", NULL,
	  "A message queue stands between: the caller does not wait, and what fails is delivered again." },
	{ "cache_hits", FORM_SHARE, IN(shop_call, cache_hits), NO_LIMIT, "0%", NULL,
	  "So often a cache in the caller's process answers, once it is warm (a minute or so)." },
	{ "copies", FORM_WHOLE, IN(shop_call, copies), 1, 100, "1", NULL, "Fan-out: so many of it at once." },
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
	{ "no_spans", FORM_YES, IN(shop_service, no_spans), NO_LIMIT, "false", NULL, "It exports no traces." },
	{ "no_metrics", FORM_YES, IN(shop_service, no_metrics), NO_LIMIT, "false", NULL, "It exports no metrics." },
	{ "no_logs", FORM_YES, IN(shop_service, no_logs), NO_LIMIT, "false", NULL, "It exports no logs." },
	{ "region", FORM_TEXT, IN(shop_service, region), 0, 63, "", NULL, "Where it runs; without: the first region." },
	FORM_END,
};
static const struct form_field autoscale_fields[] = {
	{ "min", FORM_WHOLE, IN(shop_autoscale, least), 1, 200, "2", NULL, "Fewest pods." },
	{ "max", FORM_WHOLE, IN(shop_autoscale, most), 0, 200, "0", NULL, "Most pods; 0: it is not autoscaled." },
	{ "cpu", FORM_SHARE, IN(shop_autoscale, cpu), 0.01, 1, "70%", NULL, "Target, of the limit." },
	FORM_END,
};
static const struct form_field sleep_fields[] = {
	{ "from", FORM_NUMBER, IN(shop_sleep, from), 0, 24, "0", NULL, "Hour at which it goes to zero, UTC." },
	{ "until", FORM_NUMBER, IN(shop_sleep, until), 0, 24, "0", NULL, "Hour at which it comes back." },
	FORM_END,
};
static const struct form service_parts[] = {
	{ .key = "autoscale",
	  .kind = FORM_ONE,
	  .offset = IN(shop_service, autoscale),
	  .line = FORM_NO_LINE,
	  .flat = true,
	  .fields = autoscale_fields,
	  .help = "By a HorizontalPodAutoscaler of the cluster." },
	{ .key = "sleep",
	  .kind = FORM_ONE,
	  .offset = IN(shop_service, sleep),
	  .line = FORM_NO_LINE,
	  .flat = true,
	  .fields = sleep_fields,
	  .help = "Scaled to zero every day." },
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
	{ "replicas", FORM_WHOLE, IN(shop_database, replicas), 0, 15, "0", NULL,
	  "That are read from in turn, beside the primary." },
	{ "lag", FORM_TIME, IN(shop_database, lag_ns), 0, 600e9, "0s", NULL,
	  "So far replicas are behind: a request that has written reads from the primary for that long." },
	{ "region", FORM_TEXT, IN(shop_database, region), 0, 63, "", NULL, "Where it is; without: the first region." },
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
	{ "weekend", FORM_NUMBER, WORLD(weekend), 0.01, 10, "1", NULL, "Saturdays and Sundays, beside weekdays." },
	{ "noise", FORM_NUMBER, WORLD(noise), 0, 2, "0.05", NULL,
	  "Standard deviation of the slow noise of the rate's logarithm (it lasts for ten minutes or so)." },
	{ "noise_df", FORM_NUMBER, WORLD(noise_df), 0, 100, "0", NULL,
	  "Its degrees of freedom (Student's t): 3 is heavy, 0 is normal." },
	{ "bursts", FORM_NUMBER, WORLD(bursts_day), 0, 1000, "0", NULL, "That nobody announced, a day." },
	{ "burst_size", FORM_NUMBER, WORLD(burst_size), 0, 20, "0.5", NULL,
	  "A burst adds this share of the rate, times a Pareto-distributed number, at most 20." },
	{ "burst_alpha", FORM_NUMBER, WORLD(burst_alpha), 0.5, 10, "1.5", NULL, "Exponent of that number." },
	{ "burst_length", FORM_TIME, WORLD(burst_ns), 1e9, 86400e9, "5m", NULL, "Mean, exponentially distributed." },
	{ "timeout", FORM_TIME, WORLD(customer_timeout_ns), 1e6, 3600e9, "15s", NULL, "Customers wait so long." },
	{ "retries", FORM_WHOLE, WORLD(customer_retries), 0, 10, "0", NULL,
	  "And try again so often, after a second, two, four." },
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
	{ "gaps", FORM_NUMBER, WORLD(gaps_day), 0, 1000, "0", NULL,
	  "Times a day at which a service's telemetry is lost ..." },
	{ "gap_length", FORM_TIME, WORLD(gap_ns), 1e9, 86400e9, "1m", NULL, "... for so long, at the mean." },
	{ "counter_resets", FORM_NUMBER, WORLD(resets_day), 0, 1000, "0", NULL,
	  "Times a day at which an SDK begins anew in a process that goes on." },
	{ "clock_skew", FORM_TIME, WORLD(skew_ns), 0, 3600e9, "0s", NULL, "Standard deviation of the nodes' clocks." },
	FORM_END,
};
static const struct form_field life_fields[] = {
	{ "deployments", FORM_NUMBER, WORLD(deployments_day), 0, 10000, "6", NULL, "By people, a day, over all services." },
	{ "node_drains", FORM_NUMBER, WORLD(drains_day), 0, 100, "0", NULL, "A day, one node at a time." },
	{ "drained_for", FORM_TIME, WORLD(drain_ns), 10e9, 86400e9, "10m", NULL, "Then the node takes pods again." },
	FORM_END,
};
static const struct form_field network_fields[] = {
	{ "delay", FORM_SECONDS, WORLD(network_delay), 0, 10, "40ms", NULL, "One way, median." },
	{ "jitter", FORM_NUMBER, WORLD(network_jitter), 0, 2, "0.1", NULL, "Standard deviation of its logarithm." },
	{ "loss", FORM_SHARE, WORLD(network_loss), 0, 0.5, "0%", NULL, "Of packets: each costs a retransmission." },
	FORM_END,
};
static const struct form_field region_fields[] = {
	{ "name", FORM_TEXT, IN(shop_region, name), 1, 63, NULL, NULL, "cloud.region in telemetry." },
	FORM_END,
};
static const struct form_field job_fields[] = {
	{ "service", FORM_TEXT, IN(shop_job, service), 1, 63, NULL, NULL, "What it asks ..." },
	{ "endpoint", FORM_TEXT, IN(shop_job, endpoint), 1, 120, NULL, NULL, "... for what." },
	{ "every", FORM_TIME, IN(shop_job, every_ns), 60e9, 30 * 86400e9, "24h", NULL, "How often it runs." },
	{ "first", FORM_TIME, IN(shop_job, first_ns), 0, 30 * 86400e9, "2h", NULL, "Counted from midnight, UTC." },
	{ "length", FORM_TIME, IN(shop_job, length_ns), 1e9, 86400e9, "10m", NULL, "How long." },
	{ "rate", FORM_NUMBER, IN(shop_job, rate), 0.01, 10000, "5", NULL, "Requests a second while it runs." },
	FORM_END,
};
static const struct form_field campaign_fields[] = {
	{ "day", FORM_WHOLE, IN(shop_campaign, day), 0, 7, "0", NULL, "Monday is 1; 0: every day." },
	{ "hour", FORM_NUMBER, IN(shop_campaign, hour), 0, 24, NULL, NULL, "When it begins, UTC." },
	{ "length", FORM_TIME, IN(shop_campaign, length_ns), 60e9, 86400e9, "2h", NULL, "Until it is over." },
	{ "ramp", FORM_TIME, IN(shop_campaign, ramp_ns), 0, 43200e9, "5m", NULL, "So long it rises, and falls." },
	{ "factor", FORM_NUMBER, IN(shop_campaign, factor), 0.1, 100, "2", NULL, "Of the rate, while it lasts." },
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
	{ .key = "network",
	  .kind = FORM_ONE,
	  .line = FORM_NO_LINE,
	  .fields = network_fields,
	  .help = "Between regions; within one it is a tenth of a millisecond." },
	{ .key = "regions",
	  .kind = FORM_LIST,
	  .offset = WORLD(regions),
	  .count = WORLD(region_count),
	  .size = sizeof(struct shop_region),
	  .max = SHOP_REGIONS_MOST,
	  .line = IN(shop_region, line),
	  .flat = true,
	  .fields = region_fields,
	  .help = "The first is home: to what names none, and to customers." },
	{ .key = "campaigns",
	  .kind = FORM_MAP,
	  .offset = WORLD(campaigns),
	  .count = WORLD(campaign_count),
	  .size = sizeof(struct shop_campaign),
	  .max = SHOP_EVENTS_MOST,
	  .name = IN(shop_campaign, name),
	  .line = IN(shop_campaign, line),
	  .flat = true,
	  .fields = campaign_fields,
	  .help = "Customers who come because they were told to." },
	{ .key = "jobs",
	  .kind = FORM_MAP,
	  .offset = WORLD(jobs),
	  .count = WORLD(job_count),
	  .size = sizeof(struct shop_job),
	  .max = SHOP_EVENTS_MOST,
	  .name = IN(shop_job, name),
	  .line = IN(shop_job, line),
	  .flat = true,
	  .fields = job_fields,
	  .help = "Load of its own at its hours, as a CronJob makes it." },
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
