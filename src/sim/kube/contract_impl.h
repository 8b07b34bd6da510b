/* Between the files of the contract: who asks, and what every promise needs. */
#pragma once

#include "sim/kube/contract.h"

#define MERGE     "application/merge-patch+json"
#define STRATEGIC "application/strategic-merge-patch+json"
#define JSONPATCH "application/json-patch+json"
#define APPLY     "application/apply-patch+yaml"
#define JSON      "application/json"
#define PATIENCE  120 /* half seconds until something that the controllers do has to have happened */

struct contract_suite {
	const struct contract *c;
	struct buf *out;
	size_t kept, broken;
	const char *promise; /* what is being tried, in words */
	char deployments[200], pods[200], cart[220], uid[64];
};

/* Counts; what is not kept is told with these words. Returns `kept`. */
bool contract_check(struct contract_suite *s, bool kept, const char *fmt, ...) PRINTF(3, 4);
int contract_ask(struct contract_suite *s, const char *method, const char *path, const char *type, const char *body,
                 struct doc **out);
/* The answer has that status, and when it is a refusal that reason; returns the answer, the caller's. */
struct doc *contract_expect_as(struct contract_suite *s, const char *user, const char *method, const char *path,
                               const char *type, const char *body, int status, const char *reason);
struct doc *contract_expect(struct contract_suite *s, const char *method, const char *path, const char *type,
                            const char *body, int status, const char *reason);
void contract_refuse(struct contract_suite *s, const char *method, const char *path, const char *type, const char *body,
                     int status, const char *reason);
/* The Deployment that the suite works on; its ReplicaSets. */
struct doc *contract_cart(struct contract_suite *s);
int64_t contract_cart_int(struct contract_suite *s, const char *path);
bool contract_rolled_out(const struct doc *deployment);
void contract_wait_rolled_out(struct contract_suite *s);
struct doc *contract_sets(struct contract_suite *s);
struct doc *contract_list(struct contract_suite *s, const char *path);
const char *contract_revision(const struct doc *d);

/* The promises, in the order in which they are tried: each leaves `cart` with 4 replicas, rolled out. */
typedef void contract_promise(struct contract_suite *s);
extern contract_promise *const contract_writes[], *const contract_reads[], *const contract_controls[];
extern const size_t contract_write_count, contract_read_count, contract_control_count;
