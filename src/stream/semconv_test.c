#include "stream/semconv.h"

#include "base/test.h"

#define ATTRS(...)                                         \
	((struct attrs){ (const struct attr[]){ __VA_ARGS__ }, \
	                 sizeof((const struct attr[]){ __VA_ARGS__ }) / sizeof(struct attr) })
#define A(k, v) \
	{ STR(k), STR(v) }

TEST(a_resource_names_its_service_pod_and_workload) {
	struct resource_facts f =
		resource_read(ATTRS(A("service.name", "payment"), A("k8s.pod.uid", "u1"), A("k8s.namespace.name", "shop"),
	                        A("k8s.deployment.name", "pay-v2"), A("k8s.job.name", "never"), A("other", "x")));
	EXPECT(str_is(f.service, "payment") && str_is(f.pod_uid, "u1") && str_is(f.namespace_, "shop"));
	EXPECT(str_is(f.workload_kind, "Deployment") && str_is(f.workload, "pay-v2") && !f.node.n);
}

TEST(a_clients_mistake_is_not_the_servers_failure) {
	struct request_facts f = request_read(ATTRS(A("http.response.status_code", "404"), A("error.type", "404")));
	EXPECT(!request_failed(&f, true));
	f = request_read(ATTRS(A("http.status_code", "503")));
	EXPECT(request_failed(&f, false));
	f = request_read(ATTRS(A("rpc.grpc.status_code", "5")));
	EXPECT(!request_failed(&f, true));
	f = request_read(ATTRS(A("rpc.response.status_code", "UNAVAILABLE")));
	EXPECT(request_failed(&f, false));
	f = request_read(ATTRS(A("error.type", "timeout")));
	EXPECT(request_failed(&f, false));
	f = request_read((struct attrs){ NULL, 0 });
	EXPECT(request_failed(&f, true) && !request_failed(&f, false));
}

TEST(old_and_new_spellings_mean_the_same) {
	struct request_facts a = request_read(ATTRS(A("db.system", "mysql"), A("db.name", "orders")));
	struct request_facts b = request_read(ATTRS(A("db.system.name", "mysql"), A("db.namespace", "orders")));
	EXPECT(str_eq(a.db, b.db) && str_eq(a.db_system, b.db_system));
	EXPECT(metric_read(STR("http.server.duration"), STR("ms")).role == ROLE_SERVER);
	EXPECT_NEAR(metric_read(STR("http.server.duration"), STR("ms")).scale, 1e-3, 1e-12);
	EXPECT_NEAR(metric_read(STR("http.server.request.duration"), STR("s")).scale, 1, 1e-12);
	EXPECT(metric_read(STR("jvm.threads"), STR("")).role == ROLE_NONE);
}

RUN(a_resource_names_its_service_pod_and_workload, a_clients_mistake_is_not_the_servers_failure,
    old_and_new_spellings_mean_the_same)
