#!/usr/bin/env bash
# What `herder serve` costs beside nginx and HAProxy, all in front of the same stub hosts, in one run on loopback.
# Usage: benches/gateway.sh [--write] [FOLDER] [-- MEASURE OPTIONS]
#   FOLDER    for gateway.json, gateway.md and the configs (default: out/gateway)
#   --write   puts the table into docs/gateway-bench.md, between its markers
#   -- …      passed on, as `-- --rounds 2`
# Needs Linux and, from Debian, nginx-light and haproxy; NGINX, HAPROXY and HERDER name the programs where they lie
# elsewhere. Where one is missing it says so and measures the rest. Takes four minutes at most, and ends all that it started.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

write=
folder=out/gateway
while [ $# -gt 0 ]; do
    case $1 in
    --write) write=yes ;;
    --)
        shift
        break
        ;;
    -*)
        echo "found $1, expected --write, FOLDER or --" >&2
        exit 2
        ;;
    *) folder=$1 ;;
    esac
    shift
done

# One after the other, so that herder is built as it is without the bench.
if [ -z "${HERDER:-}" ]; then
    cargo build --release --locked
fi
cargo build --release --locked -p benches --bin gateway
herder=${HERDER:-target/release/herder}
bench=target/release/gateway
nginx=${NGINX:-$(command -v nginx || true)}
haproxy=${HAPROXY:-$(command -v haproxy || true)}

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in "${pids[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Waits until a condition holds, for ten seconds at most.
until_holds() {
    local what=$1
    shift
    for _ in $(seq 200); do
        if "$@" 2>/dev/null; then return; fi
        sleep 0.05
    done
    echo "$what does not come up; its log is $work/*.log:" >&2
    tail -n 5 "$work"/*.log >&2
    exit 1
}
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# 1,000 streams are two connections each.
ulimit -Sn 16384 2>/dev/null || ulimit -Sn "$(ulimit -Hn)"

# The stub ends with its standard input, so also where this script is killed.
mkfifo "$work/stub.in"
"$bench" stub --hosts 4 <"$work/stub.in" >"$work/stub.out" 2>"$work/stub.log" &
stub_pid=$!
pids+=("$stub_pid")
exec 9>"$work/stub.in"
until_holds "the stub" test -s "$work/stub.out"
hosts=$(cat "$work/stub.out")

mapfile -t ports < <("$bench" free-ports 2)
proxies=()

if [ -n "$nginx" ]; then
    cat >"$folder/nginx.conf" <<EOF
daemon off;
worker_processes 1;
pid $work/nginx.pid;
error_log stderr crit;
events { worker_connections 8192; }
http {
    access_log off;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    keepalive_requests 100000000;
    tcp_nodelay on;
    upstream hosts {
$(for host in ${hosts//,/ }; do echo "        server $host max_fails=0;"; done)
        keepalive 2048;
        keepalive_requests 100000000;
    }
    server {
        listen 127.0.0.1:${ports[0]} backlog=4096;
        location / {
            proxy_pass http://hosts;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            client_max_body_size 32m;
        }
    }
}
EOF
    "$nginx" -e stderr -p "$work" -c "$folder/nginx.conf" >"$work/nginx.log" 2>&1 &
    pids+=($!)
    until_holds nginx answers "${ports[0]}"
    proxies+=(--proxy "$("$nginx" -v 2>&1 | sed 's|.*nginx/\([0-9.]*\).*|nginx \1|')=127.0.0.1:${ports[0]}@${pids[-1]}")
else
    echo "nginx is not there and is left out: apt-get install nginx-light" >&2
fi

if [ -n "$haproxy" ]; then
    cat >"$folder/haproxy.cfg" <<EOF
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option http-keep-alive
    option http-no-delay
    http-reuse always
    retries 0
frontend clients
    bind 127.0.0.1:${ports[1]} backlog 4096
    default_backend hosts
backend hosts
    balance leastconn
$(number=0; for host in ${hosts//,/ }; do number=$((number + 1)); echo "    server host$number $host"; done)
EOF
    "$haproxy" -db -f "$folder/haproxy.cfg" >"$work/haproxy.log" 2>&1 &
    pids+=($!)
    until_holds HAProxy answers "${ports[1]}"
    proxies+=(--proxy "$("$haproxy" -v | sed -n '1s|.*version \([0-9]*\.[0-9]*\.[0-9]*\).*|HAProxy \1|p')=127.0.0.1:${ports[1]}@${pids[-1]}")
else
    echo "HAProxy is not there and is left out: apt-get install haproxy" >&2
fi

{
    cat <<EOF
[serve]
listen = "127.0.0.1:0"
log_dir = "$work/decisions"
EOF
    number=0
    for host in ${hosts//,/ }; do
        number=$((number + 1))
        cat <<EOF
[[serve.hosts]]
name = "host$number"
url = "http://$host"
slots = 512
EOF
    done
} >"$folder/herder.toml"
"$herder" serve --config "$folder/herder.toml" >"$work/herder.out" 2>"$work/herder.log" &
pids+=($!)
until_holds "herder" grep -q listens "$work/herder.out"
address=$(sed -n 's|.*http://\([0-9.:]*\).*|\1|p' "$work/herder.out")
proxies+=(--proxy "herder=$address@${pids[-1]}")

timeout 240 "$bench" measure --direct "direct=$hosts" "${proxies[@]}" --stub-pid "$stub_pid" --out "$folder" "$@"

if [ -n "$write" ]; then
    page=docs/gateway-bench.md
    awk -v table="$folder/gateway.md" '
        /<!-- end results -->/ { inside = 0 }
        !inside { print }
        /<!-- begin results -->/ { inside = 1; print ""; while ((getline line < table) > 0) print line; print "" }
    ' "$page" >"$work/page" && cp "$work/page" "$page"
fi
