/* The built-in world: a web shop of fifteen services and three databases. */
#include "sim/shop.h"

#define MS 0.001
#define TIME(ms) \
	{ .median = (ms)*MS, .sigma = 0.4, .tail = 0.002, .tail_alpha = 1.5 }
#define STEADY(ms) \
	{ .median = (ms)*MS, .sigma = 0.25, .tail = 0.001, .tail_alpha = 2 }
#define TIMEOUT(ms) .timeout_ns = (int64_t)(ms)*NS_PER_MS

static const struct shop_service services[] = {
	{
		.name = "frontend", .deployment = "frontend", .language = "nodejs", .replicas = 3, .workers = 64, .queue_max = 256,
		.start_up_s = 6, .memory_base = 180, .memory_limit = 512, .cpu = 0.5, .cpu_limit = 2,
		.endpoints = {
			{ "GET /", TIME(6), 0.0001, { { "catalogue", "GET /products", 0, .retries = 1 },
				{ "recommendation", "GET /recommendations", 1, TIMEOUT(500), .optional = true },
				{ "ads", "GET /ads", 1, TIMEOUT(300), .optional = true },
				{ "cart", "GET /cart", 1, .probability = 0.6, .optional = true } } },
			{ "GET /product/{id}", TIME(5), 0.0001, { { "catalogue", "GET /product/{id}", 0, .retries = 1 },
				{ "inventory", "GET /stock/{id}", 1, .optional = true },
				{ "currency", "GET /convert", 1, .retries = 1 },
				{ "ads", "GET /ads", 1, TIMEOUT(300), .optional = true } } },
			{ "GET /search", TIME(5), 0.0001, { { "search", "GET /search", 0, .retries = 1 } } },
			{ "GET /cart", TIME(4), 0.0001, { { "auth", "GET /verify", 0 }, { "cart", "GET /cart", 1, .retries = 1 },
				{ "currency", "GET /convert", 2, .retries = 1 } } },
			{ "POST /cart", TIME(4), 0.0001, { { "auth", "GET /verify", 0 }, { "cart", "POST /cart/items", 1 } } },
			{ "POST /checkout", TIME(7), 0.0001, { { "auth", "GET /verify", 0 },
				{ "checkout", "POST /checkout", 1, TIMEOUT(8000) } } },
		},
	},
	{
		.name = "cart", .deployment = "cart", .language = "dotnet", .replicas = 3, .workers = 16, .queue_max = 128,
		.start_up_s = 7, .memory_base = 120, .memory_limit = 320, .cpu = 0.4, .cpu_limit = 1, .grpc = true,
		.endpoints = {
			{ "GET /cart", TIME(3), 0.0002, { { "session-store", "HGETALL cart", 0, TIMEOUT(500), .retries = 1 } } },
			{ "POST /cart/items", TIME(3), 0.0002, { { "inventory", "GET /stock/{id}", 0, .optional = true },
				{ "session-store", "HSET cart", 1, TIMEOUT(500), .retries = 1 } } },
		},
	},
	{
		.name = "checkout", .deployment = "checkout", .language = "go", .replicas = 3, .workers = 32, .queue_max = 128,
		.start_up_s = 3, .memory_base = 60, .memory_limit = 192, .cpu = 0.4, .cpu_limit = 1, .grpc = true,
		.endpoints = {
			{ "POST /checkout", TIME(8), 0.0003, { { "cart", "GET /cart", 0 }, { "currency", "GET /convert", 0, .retries = 1 },
				{ "shipping", "GET /quote", 1, .retries = 1 }, { "inventory", "POST /reserve", 2 },
				{ "payment", "POST /charge", 3, TIMEOUT(4000) }, { "orders", "POST /orders", 4, TIMEOUT(3000), .retries = 1 },
				{ "email", "POST /confirmation", 5, TIMEOUT(1000), .optional = true } } },
		},
	},
	{
		/* Its Deployment bears another name: a mapping by equal names would miss it. */
		.name = "payment", .deployment = "pay-gateway", .language = "java", .replicas = 3, .workers = 16, .queue_max = 64,
		.start_up_s = 12, .memory_base = 300, .memory_limit = 640, .cpu = 0.3, .cpu_limit = 1,
		.endpoints = {
			{ "POST /charge", { .median = 60 * MS, .sigma = 0.5, .tail = 0.004, .tail_alpha = 1.5 }, 0.001,
			  { { "user", "GET /user/{id}", 0, .retries = 1 } } },
		},
	},
	{
		.name = "catalogue", .deployment = "catalogue", .language = "go", .replicas = 3, .workers = 32, .queue_max = 256,
		.start_up_s = 3, .memory_base = 80, .memory_limit = 256, .cpu = 0.5, .cpu_limit = 1,
		.endpoints = {
			{ "GET /products", TIME(5), 0.0002, { { "catalogue-db", "SELECT products", 0, TIMEOUT(1500) } } },
			{ "GET /product/{id}", TIME(3), 0.0002, { { "catalogue-db", "SELECT product", 0, TIMEOUT(1500) } } },
		},
	},
	{
		.name = "recommendation", .deployment = "recommendation", .language = "python", .replicas = 3, .workers = 8,
		.queue_max = 64, .start_up_s = 9, .memory_base = 260, .memory_limit = 640, .cpu = 0.8, .cpu_limit = 1,
		.by_pod_only = true,
		.endpoints = {
			{ "GET /recommendations", TIME(14), 0.0005, { { "catalogue", "GET /products", 0, .probability = 0.5, .optional = true } } },
		},
	},
	{
		.name = "search", .deployment = "search", .language = "java", .replicas = 2, .workers = 16, .queue_max = 128,
		.start_up_s = 15, .memory_base = 420, .memory_limit = 900, .cpu = 0.7, .cpu_limit = 2,
		.endpoints = {
			{ "GET /search", { .median = 25 * MS, .sigma = 0.6, .tail = 0.003, .tail_alpha = 1.5 }, 0.0005,
			  { { "catalogue-db", "SELECT search", 0, TIMEOUT(1500) } } },
		},
	},
	{
		.name = "shipping", .deployment = "shipping", .language = "go", .replicas = 2, .workers = 16, .queue_max = 64,
		.start_up_s = 3, .memory_base = 40, .memory_limit = 128, .cpu = 0.5, .cpu_limit = 1,
		.endpoints = { { "GET /quote", TIME(12), 0.0005, { { "currency", "GET /convert", 0, .retries = 1 } } } },
	},
	{
		.name = "currency", .deployment = "currency", .language = "nodejs", .replicas = 3, .workers = 16, .queue_max = 128,
		.start_up_s = 4, .memory_base = 90, .memory_limit = 256, .cpu = 0.6, .cpu_limit = 1,
		.endpoints = { { "GET /convert", STEADY(2), 0.0001, { { 0 } } } },
	},
	{
		.name = "email", .deployment = "email", .language = "python", .replicas = 2, .workers = 8, .queue_max = 256,
		.start_up_s = 5, .memory_base = 90, .memory_limit = 256, .cpu = 0.3, .cpu_limit = 0.5, .old_names = true,
		.endpoints = { { "POST /confirmation", TIME(30), 0.002, { { 0 } } } },
	},
	{
		.name = "user", .deployment = "user-accounts", .language = "java", .replicas = 2, .workers = 16, .queue_max = 64,
		.start_up_s = 12, .memory_base = 280, .memory_limit = 640, .cpu = 0.4, .cpu_limit = 1, .by_pod_only = true,
		.endpoints = { { "GET /user/{id}", TIME(5), 0.0003, { { "orders-db", "SELECT user", 0, TIMEOUT(1500) } } } },
	},
	{
		.name = "auth", .deployment = "auth", .language = "go", .replicas = 2, .workers = 32, .queue_max = 128,
		.start_up_s = 3, .memory_base = 40, .memory_limit = 128, .cpu = 0.7, .cpu_limit = 1, .grpc = true,
		.endpoints = { { "GET /verify", STEADY(3), 0.0002, { { "session-store", "GET session", 0, TIMEOUT(500), .retries = 1 } } } },
	},
	{
		.name = "orders", .deployment = "orders", .language = "java", .replicas = 2, .workers = 16, .queue_max = 64,
		.start_up_s = 14, .memory_base = 320, .memory_limit = 700, .cpu = 0.4, .cpu_limit = 1,
		.endpoints = { { "POST /orders", TIME(9), 0.0005, { { "orders-db", "INSERT orders", 0, TIMEOUT(2500) },
			{ "orders-db", "INSERT order_items", 1, TIMEOUT(2500) } } } },
	},
	{
		.name = "inventory", .deployment = "inventory", .language = "dotnet", .replicas = 2, .workers = 16, .queue_max = 128,
		.start_up_s = 7, .memory_base = 110, .memory_limit = 320, .cpu = 0.4, .cpu_limit = 1, .old_names = true,
		.endpoints = {
			{ "GET /stock/{id}", TIME(4), 0.0003, { { "catalogue-db", "SELECT stock", 0, TIMEOUT(1500) } } },
			{ "POST /reserve", TIME(6), 0.0005, { { "orders-db", "UPDATE stock", 0, TIMEOUT(2500) } } },
		},
	},
	{
		.name = "ads", .deployment = "ads", .language = "java", .replicas = 2, .workers = 16, .queue_max = 64,
		.start_up_s = 11, .memory_base = 240, .memory_limit = 512, .cpu = 0.5, .cpu_limit = 1, .max_surge = "100%",
		.endpoints = { { "GET /ads", TIME(7), 0.001, { { 0 } } } },
	},
};

static const struct shop_database databases[] = {
	{ "orders-db",
	  "postgresql",
	  "orders",
	  12,
	  200,
	  { .median = 5 * MS, .sigma = 0.5, .tail = 0.003, .tail_alpha = 1.5 } },
	{ "catalogue-db",
	  "mongodb",
	  "catalogue",
	  24,
	  400,
	  { .median = 4 * MS, .sigma = 0.5, .tail = 0.002, .tail_alpha = 1.5 } },
	{ "session-store", "redis", "0", 8, 800, { .median = 0.6 * MS, .sigma = 0.35, .tail = 0.001, .tail_alpha = 1.8 } },
};

static const struct shop_entry entries[] = {
	{ "frontend", "GET /", 25 },     { "frontend", "GET /product/{id}", 38 }, { "frontend", "GET /search", 15 },
	{ "frontend", "GET /cart", 10 }, { "frontend", "POST /cart", 8 },         { "frontend", "POST /checkout", 4 },
};

const struct shop_world shop_builtin = {
	.name = "shop",
	.namespace_ = "shop",
	.services = services,
	.service_count = sizeof services / sizeof *services,
	.databases = databases,
	.database_count = sizeof databases / sizeof *databases,
	.entries = entries,
	.entry_count = sizeof entries / sizeof *entries,
	.rate = 100,
	.daily = 0.4,
	.peak_h = 19,
	.noise = 0.05,
	.deployments_day = 6,
	.nodes = 5,
	.span_ns = 5 * NS_PER_SEC,
	.metric_ns = 10 * NS_PER_SEC,
	.log_ns = NS_PER_SEC,
	.agent_ns = 10 * NS_PER_SEC,
	.sampling = 1,
	.info_logs = 0.02,
	.customer_timeout_ns = 15 * NS_PER_SEC,
};
