#include "ingest/body.h"

#include <stdlib.h>
#include <zlib.h>

#define CHUNK         ((size_t)32 * 1024)
#define INFLATE_BYTES ((size_t)48 * 1024) /* what zlib holds for a window of 32 KiB */
#define GZIP_ONLY     (15 + 16)           /* inflateInit2: the largest window, a gzip header */

struct inflater {
	z_stream z;
	bool ended; /* a member is whole; another may follow (RFC 1952 section 2.2) */
};

void body_init(struct body *b, size_t max, bool grpc, enum body_coding coding) {
	*b = (struct body){ .grpc = grpc, .coding = coding };
	buf_init(&b->bytes, max);
}

void body_done(struct body *b) {
	if (b->inflater) inflateEnd(&b->inflater->z);
	free(b->inflater);
	b->inflater = NULL;
	buf_done(&b->bytes);
}

size_t body_held(const struct body *b) {
	return b->bytes.cap + (b->inflater ? INFLATE_BYTES : 0);
}

static enum err add_plain(struct body *b, struct str piece) {
	buf_str(&b->bytes, piece);
	if (b->bytes.err != ERR_TOO_LARGE) return b->bytes.err;
	return why_set(&b->why, ERR_TOO_LARGE, "the request is over %zu bytes; send smaller ones", b->bytes.max);
}

static enum err inflater_open(struct body *b) {
	struct inflater *in = calloc(1, sizeof *in);
	if (!in) return ERR_NOMEM;
	if (inflateInit2(&in->z, GZIP_ONLY) != Z_OK) {
		free(in);
		return ERR_NOMEM;
	}
	b->inflater = in;
	return OK;
}

static enum err broken(struct body *b) {
	const char *what = b->inflater->z.msg ? b->inflater->z.msg : "unexpected bytes";
	return why_set(&b->why, ERR_INVALID, "the gzip body is damaged: %s", what);
}

/* One call of zlib and what it gave. */
static enum err inflate_once(struct body *b, unsigned char *chunk) {
	z_stream *z = &b->inflater->z;
	if (b->inflater->ended) {
		if (inflateReset(z) != Z_OK) return broken(b);
		b->inflater->ended = false;
	}
	z->next_out = chunk;
	z->avail_out = (uInt)CHUNK;
	int r = inflate(z, Z_NO_FLUSH);
	if (r == Z_MEM_ERROR) return ERR_NOMEM;
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR) return broken(b);
	b->inflater->ended = r == Z_STREAM_END;
	return add_plain(b, (struct str){ (const char *)chunk, CHUNK - z->avail_out });
}

static enum err add_gzip(struct body *b, struct str piece) {
	unsigned char chunk[CHUNK];
	enum err e = b->inflater ? OK : inflater_open(b);
	if (e) return e;
	z_stream *z = &b->inflater->z;
	z->next_in = (unsigned char *)(uintptr_t)piece.p;
	z->avail_in = (uInt)piece.n;
	do { e = inflate_once(b, chunk); } while (!e && (z->avail_in || (z->avail_out == 0 && !b->inflater->ended)));
	return e;
}

static enum err add_coded(struct body *b, struct str piece, bool compressed) {
	if (piece.n == 0) return OK;
	return compressed ? add_gzip(b, piece) : add_plain(b, piece);
}

/* ---- gRPC: flag, length, message ---- */

static enum err prefix_done(struct body *b) {
	b->left = (uint64_t)b->prefix[1] << 24 | (uint64_t)b->prefix[2] << 16 | (uint64_t)b->prefix[3] << 8 | b->prefix[4];
	if (b->prefix[0] > 1) return why_set(&b->why, ERR_INVALID, "the gRPC message's flag is %u", b->prefix[0]);
	if (b->prefix[0] && b->coding == BODY_PLAIN) {
		return why_set(&b->why, ERR_UNSUPPORTED, "a compressed gRPC message without grpc-encoding: gzip");
	}
	/* Compressing what cannot be compressed adds a little (RFC 1951: 5 bytes for each stored block). */
	uint64_t most = b->prefix[0] ? b->bytes.max + b->bytes.max / 64 + 1024 : b->bytes.max;
	if (b->left <= most) return OK;
	return why_set(&b->why, ERR_TOO_LARGE, "the request is over %zu bytes; send smaller ones", b->bytes.max);
}

static enum err add_prefix(struct body *b, struct str *piece) {
	while (piece->n && b->prefix_n < sizeof b->prefix) {
		b->prefix[b->prefix_n++] = (unsigned char)*piece->p++;
		piece->n--;
		if (b->prefix_n == sizeof b->prefix) return prefix_done(b);
	}
	return OK;
}

static enum err add_grpc(struct body *b, struct str piece) {
	enum err e = add_prefix(b, &piece);
	if (e || piece.n == 0) return e;
	if (piece.n > b->left) return why_set(&b->why, ERR_INVALID, "more than one message in a unary gRPC call");
	b->left -= piece.n;
	return add_coded(b, piece, b->prefix[0] == 1);
}

enum err body_add(struct body *b, struct str piece) {
	return b->grpc ? add_grpc(b, piece) : add_coded(b, piece, b->coding == BODY_GZIP);
}

enum err body_end(struct body *b) {
	if (b->grpc && (b->prefix_n < sizeof b->prefix || b->left)) {
		return why_set(&b->why, ERR_INVALID, "the gRPC message is cut short");
	}
	if (b->inflater && !b->inflater->ended) return why_set(&b->why, ERR_INVALID, "the gzip body is cut short");
	return OK;
}
