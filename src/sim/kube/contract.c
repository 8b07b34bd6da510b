#include "sim/kube/contract.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "sim/kube/contract_impl.h"
#include "sim/memory.h"

bool contract_check(struct contract_suite *s, bool kept, const char *fmt, ...) {
	if (kept) {
		s->kept++;
		return true;
	}
	char text[400];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	buf_printf(s->out, "%s: %s\n", s->promise, text);
	s->broken++;
	return false;
}

/* ---- asking ---- */

int contract_ask(struct contract_suite *s, const char *method, const char *path, const char *type, const char *body,
                 struct doc **out) {
	return s->c->ask(s->c->self, "admin", method, path, type, body, out);
}

/* The answer has that status, and when it is a refusal that reason; returns the answer. */
struct doc *contract_expect_as(struct contract_suite *s, const char *user, const char *method, const char *path,
                               const char *type, const char *body, int status, const char *reason) {
	struct doc *d = NULL;
	int got = s->c->ask(s->c->self, user, method, path, type, body, &d);
	contract_check(s, got == status, "%s %s as %s answers %d, not %d (%s)", method, path, user, got, status,
	               doc_c(doc_get(d, "message")));
	if (reason && got == status) {
		contract_check(s, !strcmp(doc_c(doc_get(d, "reason")), reason), "%s %s: reason %s, not %s", method, path,
		               doc_c(doc_get(d, "reason")), reason);
		contract_check(s, doc_int(doc_get(d, "code"), 0) == status && !strcmp(doc_c(doc_get(d, "kind")), "Status"),
		               "%s %s: no Status of code %d", method, path, status);
	}
	return d;
}

struct doc *contract_expect(struct contract_suite *s, const char *method, const char *path, const char *type,
                            const char *body, int status, const char *reason) {
	return contract_expect_as(s, "admin", method, path, type, body, status, reason);
}

void contract_refuse(struct contract_suite *s, const char *method, const char *path, const char *type, const char *body,
                     int status, const char *reason) {
	doc_free(contract_expect(s, method, path, type, body, status, reason));
}

struct doc *contract_cart(struct contract_suite *s) {
	struct doc *d = NULL;
	(void)contract_ask(s, "GET", s->cart, "", "", &d);
	return d;
}

int64_t contract_cart_int(struct contract_suite *s, const char *path) {
	struct doc *d = contract_cart(s);
	int64_t v = doc_int(doc_path(d, path), 0);
	doc_free(d);
	return v;
}

bool contract_rolled_out(const struct doc *d) {
	const struct doc *st = doc_get(d, "status");
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1);
	return doc_int(doc_get(st, "observedGeneration"), 0) >= doc_int(doc_path(d, "metadata.generation"), 0) &&
	       doc_int(doc_get(st, "updatedReplicas"), 0) == wanted && doc_int(doc_get(st, "replicas"), 0) == wanted &&
	       doc_int(doc_get(st, "availableReplicas"), 0) == wanted;
}

void contract_wait_rolled_out(struct contract_suite *s) {
	s->c->wait(s->c->self, NS_PER_SEC); /* until the controllers have looked */
	for (int i = 0; i < PATIENCE; i++) {
		struct doc *d = contract_cart(s);
		bool done = contract_rolled_out(d);
		doc_free(d);
		if (done) return;
		s->c->wait(s->c->self, NS_PER_SEC / 2);
	}
	contract_check(s, false, "the rollout does not end");
}

const char *contract_revision(const struct doc *d) {
	return doc_c(doc_get(doc_path(d, "metadata.annotations"), "deployment.kubernetes.io/revision"));
}

struct doc *contract_list(struct contract_suite *s, const char *path) {
	struct doc *d = NULL;
	(void)contract_ask(s, "GET", path, "", "", &d);
	return d;
}

struct doc *contract_sets(struct contract_suite *s) {
	char path[300];
	snprintf(path, sizeof path, "/apis/apps/v1/namespaces/%s/replicasets", s->c->namespace_);
	return contract_list(s, path);
}

static void run(struct contract_suite *s, contract_promise *const *promises, size_t count) {
	for (size_t i = 0; i < count; i++) promises[i](s);
}

size_t contract_run(const struct contract *c, struct buf *out, size_t *kept) {
	struct contract_suite s = { .c = c, .out = out };
	snprintf(s.deployments, sizeof s.deployments, "/apis/apps/v1/namespaces/%s/deployments", c->namespace_);
	snprintf(s.cart, sizeof s.cart, "%s/cart", s.deployments);
	snprintf(s.pods, sizeof s.pods, "/api/v1/namespaces/%s/pods", c->namespace_);
	run(&s, contract_writes, contract_write_count);
	run(&s, contract_reads, contract_read_count);
	run(&s, contract_controls, contract_control_count);
	*kept = s.kept;
	return s.broken;
}
