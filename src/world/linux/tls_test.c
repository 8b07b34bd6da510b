#include "world/linux/rig.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- certificates, made for each run ---- */

struct identity {
	EVP_PKEY *key;
	X509 *cert;
	struct str cert_pem, key_pem, locked_key_pem;
};

static struct str pem(struct t *t, void (*write)(BIO *, struct identity *), struct identity *i) {
	BIO *b = BIO_new(BIO_s_mem());
	write(b, i);
	char *p;
	long n = BIO_get_mem_data(b, &p);
	struct str s = str_copy(t->arena, (struct str){ p, (size_t)n });
	BIO_free(b);
	return s;
}

static void write_cert(BIO *b, struct identity *i) {
	PEM_write_bio_X509(b, i->cert);
}
static void write_key(BIO *b, struct identity *i) {
	PEM_write_bio_PrivateKey(b, i->key, NULL, NULL, 0, NULL, NULL);
}
static void write_locked_key(BIO *b, struct identity *i) {
	PEM_write_bio_PrivateKey(b, i->key, EVP_aes_128_cbc(), (const unsigned char *)"pass", 4, NULL, NULL);
}

static void extend(struct t *t, X509 *cert, X509 *issuer, int nid, const char *value) {
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	EXPECT(e && X509_add_ext(cert, e, -1));
	X509_EXTENSION_free(e);
}

/* `by` NULL: it signs itself and may sign others. `names`: "DNS:...", "IP:...", or NULL. */
static struct identity make(struct t *t, const char *name, const struct identity *by, const char *names, long serial) {
	struct identity i = { .key = EVP_EC_gen("P-256"), .cert = X509_new() };
	EXPECT(i.key && i.cert);
	X509_set_version(i.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(i.cert), serial);
	X509_gmtime_adj(X509_getm_notBefore(i.cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(i.cert), 3600);
	X509_set_pubkey(i.cert, i.key);
	X509_NAME *subject = X509_get_subject_name(i.cert);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(i.cert, by ? X509_get_subject_name(by->cert) : subject);
	extend(t, i.cert, by ? by->cert : i.cert, NID_basic_constraints, by ? "CA:FALSE" : "critical,CA:TRUE");
	if (names) extend(t, i.cert, by ? by->cert : i.cert, NID_subject_alt_name, names);
	EXPECT(X509_sign(i.cert, by ? by->key : i.key, EVP_sha256()));
	i.cert_pem = pem(t, write_cert, &i);
	i.key_pem = pem(t, write_key, &i);
	i.locked_key_pem = pem(t, write_locked_key, &i);
	return i;
}

static void forget(struct identity *i) {
	EVP_PKEY_free(i->key);
	X509_free(i->cert);
}

/* ---- a server on a thread of its own ---- */

struct server {
	SSL_CTX *ctx;
	int listener, port;
	pthread_t thread;
	atomic_bool stop;
	char client[64]; /* the name on the client's certificate, as the last request showed it */
	char sni[64];
};

static void serve_one(struct server *s, int fd) {
	SSL *ssl = SSL_new(s->ctx);
	SSL_set_fd(ssl, fd);
	char bytes[4096];
	if (SSL_accept(ssl) == 1) {
		X509 *peer = SSL_get0_peer_certificate(ssl);
		s->client[0] = s->sni[0] = '\0';
		if (peer) X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, s->client, sizeof s->client);
		const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
		snprintf(s->sni, sizeof s->sni, "%s", sni ? sni : "");
		int n = SSL_read(ssl, bytes, sizeof bytes - 1);
		if (n > 0) {
			static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret";
			SSL_write(ssl, reply, sizeof reply - 1);
			SSL_shutdown(ssl);
		}
	}
	SSL_free(ssl);
	close(fd);
}

static void *serve(void *arg) {
	struct server *s = arg;
	while (!atomic_load(&s->stop)) {
		int fd = accept(s->listener, NULL, NULL);
		if (fd < 0) continue;
		if (atomic_load(&s->stop))
			close(fd);
		else
			serve_one(s, fd);
	}
	return NULL;
}

static void server_open(struct t *t, struct server *s, struct identity *own, struct identity *clients_ca) {
	*s = (struct server){ .ctx = SSL_CTX_new(TLS_server_method()) };
	EXPECT(SSL_CTX_use_certificate(s->ctx, own->cert) == 1 && SSL_CTX_use_PrivateKey(s->ctx, own->key) == 1);
	if (clients_ca) {
		X509_STORE_add_cert(SSL_CTX_get_cert_store(s->ctx), clients_ca->cert);
		SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	s->listener = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT(listen(s->listener, 16) == 0); /* on any free port of 0.0.0.0 */
	struct sockaddr_storage at;
	socklen_t n = sizeof at;
	EXPECT(getsockname(s->listener, (struct sockaddr *)&at, &n) == 0);
	s->port = (int)(((unsigned char *)&at)[2] << 8 | ((unsigned char *)&at)[3]);
	EXPECT(pthread_create(&s->thread, NULL, serve, s) == 0);
}

static void server_close(struct server *s) {
	atomic_store(&s->stop, true);
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	SSL_CTX_free(s->ctx);
}

/* ---- what a client accepts ---- */

static struct answer ask(struct rig *r, struct http_client *c, const char *host, int port, const struct http_tls *tls) {
	struct t *t = r->t;
	struct answer a = { 0 };
	struct str url = str_printf(t->arena, "https://%s:%d/path", host, port);
	struct http_request q = { .method = STR("GET"), .url = url, .tls = tls, .timeout_ns = 10 * NS_PER_SEC };
	EXPECT_OK(http_client_submit(c, &q, &a.id, NULL));
	RIG_UNTIL(r, (rig_poll_client(r, c, &a, 1), a.done || a.failed));
	if (a.failed) EXPECT(!strstr(a.why.text, "PRIVATE"));
	answer_done(&a);
	return a;
}

TEST(only_who_shows_the_right_certificate_is_believed) {
	struct rig r;
	struct server s;
	rig_open(&r, t);
	struct http_client *c = rig_client(&r);
	struct identity ca = make(t, "our authority", NULL, NULL, 1), other_ca = make(t, "another", NULL, NULL, 2);
	struct identity own = make(t, "server", &ca, "IP:127.0.0.1,DNS:cluster.example", 3);
	server_open(t, &s, &own, NULL);

	struct http_tls tls = { .ca = ca.cert_pem };
	struct answer a = ask(&r, c, "127.0.0.1", s.port, &tls);
	EXPECT(a.done && a.status == 200);

	struct http_tls wrong = { .ca = other_ca.cert_pem };
	a = ask(&r, c, "127.0.0.1", s.port, &wrong);
	EXPECT(a.failed && a.err == ERR_DENIED && strstr(a.why.text, "certificate"));
	a = ask(&r, c, "127.0.0.1", s.port, NULL); /* the system does not know our authority */
	EXPECT(a.failed && a.err == ERR_DENIED);
	a = ask(&r, c, "localhost", s.port, &tls); /* no name of the certificate */
	EXPECT(a.failed && a.err == ERR_DENIED);

	struct http_tls named = { .ca = ca.cert_pem, .server_name = STR("cluster.example") };
	a = ask(&r, c, "localhost", s.port, &named);
	EXPECT(a.done && strcmp(s.sni, "cluster.example") == 0);
	named.server_name = STR("other.example");
	a = ask(&r, c, "localhost", s.port, &named);
	EXPECT(a.failed && a.err == ERR_DENIED);

	struct http_tls blind = { .insecure = true };
	a = ask(&r, c, "localhost", s.port, &blind);
	EXPECT(a.done);
	struct http_tls junk = { .ca = STR("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n") };
	a = ask(&r, c, "127.0.0.1", s.port, &junk);
	EXPECT(a.failed && a.err == ERR_DENIED);

	http_client_close(c);
	server_close(&s);
	forget(&ca), forget(&other_ca), forget(&own);
	rig_close(&r);
}

TEST(a_client_certificate_is_shown_and_an_encrypted_key_is_refused) {
	struct rig r;
	struct server s;
	rig_open(&r, t);
	struct http_client *c = rig_client(&r);
	struct identity ca = make(t, "our authority", NULL, NULL, 1);
	struct identity own = make(t, "server", &ca, "IP:127.0.0.1", 2), user = make(t, "flyball", &ca, NULL, 3);
	server_open(t, &s, &own, &ca);

	struct http_tls tls = { .ca = ca.cert_pem, .cert = user.cert_pem, .key = user.key_pem };
	struct answer a = ask(&r, c, "127.0.0.1", s.port, &tls);
	EXPECT(a.done && strcmp(s.client, "flyball") == 0);
	struct http_tls none = { .ca = ca.cert_pem };
	a = ask(&r, c, "127.0.0.1", s.port, &none);
	EXPECT(a.failed);

	/* Nobody is asked for the password on a terminal. */
	tls.key = user.locked_key_pem;
	a = ask(&r, c, "127.0.0.1", s.port, &tls);
	EXPECT(a.failed && a.err == ERR_DENIED);
	tls.key = own.key_pem; /* of another certificate */
	a = ask(&r, c, "127.0.0.1", s.port, &tls);
	EXPECT(a.failed && a.err == ERR_DENIED);

	http_client_close(c);
	server_close(&s);
	forget(&ca), forget(&own), forget(&user);
	rig_close(&r);
}

RUN(only_who_shows_the_right_certificate_is_believed, a_client_certificate_is_shown_and_an_encrypted_key_is_refused)
