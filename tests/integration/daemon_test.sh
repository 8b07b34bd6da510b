#!/usr/bin/env bash
# What a person meets when `flyball run` cannot start, and that nothing is half done then.
#
#   daemon_test.sh BUILD_DIR SOURCE_DIR
#
# bash and coreutils; free ports; everything is ended with the test. Ends with "N passed, N failed".
set -uo pipefail

program=$1/flyball source=$2
tmp=$(mktemp -d)
passed=0 failed=0
free="listen: {otlp_grpc: 0, otlp_http: 0, api: 0}"
started=()

end() {
	for pid in "${started[@]}"; do kill "$pid" 2>/dev/null; done
	mountpoint -q "$tmp/full" 2>/dev/null && umount "$tmp/full"
	rm -rf "$tmp"
}
trap end EXIT

check() { # NAME COMMAND...
	local name=$1
	shift
	if "$@" >"$tmp/check" 2>&1; then
		passed=$((passed + 1))
		echo "ok   $name"
	else
		failed=$((failed + 1))
		echo "FAIL $name"
		sed 's/^/     /' "$tmp/check"
		sed 's/^/     | /' "$tmp/out" 2>/dev/null | tail -n 5
	fi
}

# configuration FILE [YAML]: every port free unless YAML says otherwise.
configuration() { printf "%s\n" "${2:-$free}" >"$1"; }

# refused CODE WORDS ARGUMENTS...: `flyball ARGUMENTS` ends by itself with CODE and says WORDS.
refused() {
	local code=$1 words=$2 got
	shift 2
	timeout 20 "$program" "$@" >"$tmp/out" 2>&1
	got=$?
	[ "$got" = "$code" ] || { echo "exit $got, not $code"; return 1; }
	grep -qF -- "$words" "$tmp/out" || { echo "does not say '$words'"; return 1; }
}

# up STATE CONFIG: starts it and waits for its line; its process in $pid, its API in $api.
up() {
	rm -f "$tmp/log" # or the line of the run before would be read
	"$program" run -c "$2" --state "$1" >"$tmp/log" 2>&1 &
	pid=$!
	started+=("$pid")
	for _ in $(seq 100); do
		api=$(sed -n 's/.*event=daemon.up.* api=\([0-9]*\).*/\1/p' "$tmp/log" 2>/dev/null)
		[ -n "$api" ] && return 0
		kill -0 "$pid" 2>/dev/null || { cat "$tmp/log"; return 1; }
		sleep 0.1
	done
	return 1
}
ready() { for _ in $(seq 100); do "$program" status --server "http://127.0.0.1:$api" -o json >"$tmp/status" 2>/dev/null && grep -q '"ready":true' "$tmp/status" && return 0; sleep 0.1; done; return 1; }
ends_well() { kill -TERM "$1"; wait "$1"; }

configuration "$tmp/free.yaml"
check "it starts, and says where it listens" up "$tmp/one" "$tmp/free.yaml"
first=$pid first_api=$api
check "it becomes ready" ready

configuration "$tmp/taken.yaml" "listen: {otlp_grpc: 0, otlp_http: 0, api: $first_api}"
check "a port in use is named" refused 3 ":$first_api" run -c "$tmp/taken.yaml" --state "$tmp/two"
check "a state directory of a running daemon is refused" refused 3 "state.db" run -c "$tmp/free.yaml" --state "$tmp/one"
check "a server that is not there: exit 3 and what to do" refused 3 "flyball run" status --server http://127.0.0.1:9

check "SIGTERM ends it in good order" ends_well "$first"
check "the next start finds its state" up "$tmp/one" "$tmp/free.yaml"
{ kill -KILL "$pid" && wait "$pid"; } 2>/dev/null
check "and after a SIGKILL too" up "$tmp/one" "$tmp/free.yaml"
check "its chain is whole then" "$program" audit verify --server "http://127.0.0.1:$api"
check "SIGTERM ends it again" ends_well "$pid"
check "what it left can be read without it" "$program" incidents --state "$tmp/one"

touch "$tmp/file"
check "a state directory that cannot be made is named" refused 2 "not a directory" run -c "$tmp/free.yaml" --state "$tmp/file/x"
mkdir "$tmp/damaged"
head -c 20000 /dev/urandom >"$tmp/damaged/state.db"
check "a damaged database is named, and left as it is" refused 3 "damaged/state.db" run -c "$tmp/free.yaml" --state "$tmp/damaged"
mkdir "$tmp/full"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=64k tmpfs "$tmp/full" 2>/dev/null; then
	head -c 60000 /dev/zero >"$tmp/full/ballast"
	check "a full disk is named" refused 3 "space" run -c "$tmp/free.yaml" --state "$tmp/full"
	mount -o remount,ro "$tmp/full"
	check "a read-only state directory is named" refused 3 "$tmp/full" run -c "$tmp/free.yaml" --state "$tmp/full"
fi

awk '/^```yaml/ { on = 1; next } /^```/ { on = 0 } on' "$source/README.md" >"$tmp/readme.yaml"
check "the README's configuration is right" "$program" config check "$tmp/readme.yaml"
bad() { # YAML WORDS
	configuration "$tmp/bad.yaml" "$1"
	check "refused: ${1//$'\n'/ | }" refused 2 "$2" config check "$tmp/bad.yaml"
}
bad "handlerz: []" "bad.yaml:1: unknown key 'handlerz', did you mean 'handlers'?"
bad $'region: x\nlisten:\n  apii: 5' "bad.yaml:3: no such key 'apii'; did you mean 'api'?"
bad "listen: {api: 70000}" "bad.yaml:1"
bad "listen: [1]" "bad.yaml:1"
bad "a: &x 1" "bad.yaml:1:"
bad $'handlers:\n  - name: x\n    kinds: [slow]\n    action: rollout_restart' "bad.yaml:3: unknown cause 'slow'"
bad $'handlers:\n  - name: x\n    kinds: [errors]\n    action: reboot' "reboot"
bad "policy: {budget: {percent: 51}}" "percent"
bad "services: {pay: {namespace: shop}}" "'workload'"
bad "tokens: [{name: a, sha256: abc}]" "64 hex digits"
bad $'tokens:\n  - {name: a, role: boss, sha256: 0}' "role"
bad "observe: {window: 10}" "window"
bad "state: [" "bad.yaml:"
check "an unknown verb names the nearest" refused 2 "did you mean 'incidents'" incident
check "an unknown option names the nearest" refused 2 "--state" run --sate x
check "an unknown target names the known" refused 2 "kubernetes" run -c <(echo 'target: "swarm:"') --state "$tmp/three"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
