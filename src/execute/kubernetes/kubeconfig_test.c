#include "execute/kubernetes/kubeconfig.h"

#include <string.h>

#include "base/test.h"

static enum err no_file(struct disk *d, const char *path, int flags, struct file **out, struct why *why) {
	(void)d, (void)flags, (void)out;
	return why_set(why, ERR_NOT_FOUND, "%s: not found", path);
}
static const struct disk_ops no_files = { .open = no_file };

#define CONFIG                                                                                               \
	"apiVersion: v1\nkind: Config\ncurrent-context: a\n"                                                     \
	"clusters:\n- name: one\n  cluster: {server: 'https://h:6443/', certificate-authority-data: Q0E=}\n"     \
	"contexts:\n- name: a\n  context: {cluster: one, user: u, namespace: shop}\n"                            \
	"- name: b\n  context: {cluster: one, user: plugin}\n"                                                   \
	"- name: c\n  context: {cluster: gone, user: u}\n- name: d\n  context: {cluster: one, user: files}\n"    \
	"users:\n- name: u\n  user: {token: secret, client-certificate-data: Q0VSVA==, client-key-data: S0VZ}\n" \
	"- name: plugin\n  user: {exec: {command: aws}}\n- name: files\n  user: {client-key: k.pem, tokenFile: t}\n"

static enum err parse(struct t *t, const char *context, struct kube_access *out, struct why *why) {
	struct disk disk = { &no_files };
	return kube_access_parse(&disk, t->arena, STR(CONFIG), STR("/etc/k"), str_of(context), out, why);
}

TEST(the_current_context_is_followed_to_cluster_and_user) {
	struct kube_access x = { 0 };
	struct why why = { "" };
	EXPECT_OK(parse(t, NULL, &x, &why));
	EXPECT(str_is(x.server, "https://h:6443") && str_is(x.namespace_, "shop") && str_is(x.token, "secret"));
	EXPECT(str_is(x.tls.ca, "CA") && str_is(x.tls.cert, "CERT") && str_is(x.tls.key, "KEY") && !x.tls.insecure);
}

TEST(what_cannot_be_used_says_so_and_names_no_secret) {
	struct kube_access x = { 0 };
	struct why why = { "" };
	EXPECT_ERR(parse(t, "nope", &x, &why), ERR_NOT_FOUND);
	EXPECT(strstr(why.text, "nope") && strstr(why.text, "a, b, c"));
	EXPECT_ERR(parse(t, "b", &x, &why), ERR_UNSUPPORTED);
	EXPECT(strstr(why.text, "plugin") && strstr(why.text, "service account token"));
	EXPECT_ERR(parse(t, "c", &x, &why), ERR_NOT_FOUND);
	EXPECT_ERR(parse(t, "d", &x, &why), ERR_NOT_FOUND);
	EXPECT(strstr(why.text, "/etc/k/k.pem"));
	EXPECT(!strstr(why.text, "secret"));
}

RUN(the_current_context_is_followed_to_cluster_and_user, what_cannot_be_used_says_so_and_names_no_secret)
