#!/usr/bin/env bash
# A corpus of real images, made from Debian's packages, in a real registry (docker-registry) on loopback.
#
#   tests/rig/corpus.sh up [DIR]     makes what is missing, starts the registry, fills it; prints its host:port
#   tests/rig/corpus.sh down [DIR]   ends the registry that `up` started
#
# DIR (default ${XDG_CACHE_HOME:-/var/tmp}/airlift-corpus) keeps images and storage between runs: about 2 GB
# and some minutes the first time, seconds later. Needs root on Debian or Ubuntu and the programs checked below.
# Under library/ the registry then holds
#   debian:12 python:3.11 nginx:1.22 redis:7.0 postgres:15 node:18 gcc:12   one shared base layer, gzip, OCI
#   busybox:1.35  busybox:latest  busybox:v2s2 (Docker schema 2)  busybox-zstd:1.35 (a zstd layer)
#   busybox:multi (an index of linux/amd64, linux/arm64 and linux/arm/v7)
set -euo pipefail

verb=${1:-}
dir=${2:-${XDG_CACHE_HOME:-/var/tmp}/airlift-corpus}
pid_file=$dir/registry.pid

fail() { echo "corpus: $*" >&2; exit 1; }
say() { echo "corpus: $*" >&2; }

# Whether process $1 is a docker-registry run with this directory's configuration.
is_ours() {
  [ -r "/proc/$1/cmdline" ] && tr '\0' '\n' <"/proc/$1/cmdline" | grep -qxF "$dir/rig-registry.yml"
}

stop() {
  local pid
  [ -s "$pid_file" ] || return 0
  pid=$(cat "$pid_file")
  if is_ours "$pid"; then
    kill "$pid"
    for _ in $(seq 100); do is_ours "$pid" || break; sleep 0.05; done
  fi
  rm -f "$pid_file"
}

# --- images: buildah's own store under DIR, one layer of packages over the shared base ---

images() { buildah --root "$dir/store" --runroot "$dir/run" "$@"; }
known() { images images -q "localhost/$1" >/dev/null 2>&1; }

commit() { # CONTAINER NAME
  images commit -q "$1" "localhost/$2" >/dev/null
  images rm "$1" >/dev/null
}

make_base() {
  known debian:12 && return
  say "making debian:12"
  if [ ! -e "$dir/rootfs.done" ]; then
    rm -rf "$dir/rootfs"
    debootstrap --variant=minbase bookworm "$dir/rootfs" >"$dir/debootstrap.log" 2>&1 ||
      fail "debootstrap failed: $(tail -n 3 "$dir/debootstrap.log")"
    touch "$dir/rootfs.done"
  fi
  rm -f "$dir"/rootfs/var/cache/apt/archives/*.deb
  # The host's way to a mirror, when it has one of its own, is the way for the containers too.
  grep -qs bookworm /etc/apt/sources.list.d/debian.sources &&
    cp /etc/apt/sources.list.d/debian.sources "$dir/rootfs/etc/apt/sources.list.d/" &&
    : >"$dir/rootfs/etc/apt/sources.list"
  cp /etc/apt/apt.conf.d/*proxy* "$dir/rootfs/etc/apt/apt.conf.d/" 2>/dev/null || true
  local container
  container=$(images from scratch)
  images add -q "$container" "$dir/rootfs" / >/dev/null
  images config --cmd /bin/bash "$container"
  commit "$container" debian:12
}

make_from_packages() { # NAME PACKAGE...
  local name=$1 container
  shift
  known "$name" && return
  say "making $name"
  container=$(images from localhost/debian:12)
  images run "$container" -- sh -ec "
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends $*
    rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb" >"$dir/packages.log" 2>&1 </dev/null ||
    fail "installing $* failed: $(tail -n 3 "$dir/packages.log")"
  commit "$container" "$name"
}

make_from_busybox() { # NAME FILE-IN-THE-IMAGE; the file's name keeps the layer's digest apart from the others'
  local container
  known "$1" && return
  container=$(images from scratch)
  images copy -q "$container" "$(command -v busybox)" "$2" >/dev/null
  images config --entrypoint "[\"$2\"]" "$container"
  commit "$container" "$1"
}

make_index() {
  local arch variant container
  images manifest inspect localhost/busybox:multi >/dev/null 2>&1 && return
  images manifest create localhost/busybox:multi >/dev/null
  while read -r arch variant; do
    container=$(images from --arch "$arch" scratch)
    images copy -q "$container" "$(command -v busybox)" "/bin/busybox-$arch" >/dev/null
    images config --arch "$arch" ${variant:+--variant "$variant"} "$container"
    images commit -q --manifest localhost/busybox:multi "$container" >/dev/null
    images rm "$container" >/dev/null
  done <<<$'amd64\narm64\narm v7'
}

# --- the registry ---

free_port() { # the kernel's choice by way of a listener that is closed again
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null ||
    { for _ in $(seq 50); do p=$((20000 + RANDOM % 20000)); ss -Hltn "sport = :$p" | grep -q . || { echo "$p"; return; }; done; }
}

serve() {
  local port pid
  port=$(free_port)
  host=127.0.0.1:$port
  cat >"$dir/rig-registry.yml" <<EOF
version: 0.1
log:
  level: error
storage:
  filesystem:
    rootdirectory: $dir/registry
http:
  addr: $host
EOF
  setsid docker-registry serve "$dir/rig-registry.yml" >"$dir/registry.log" 2>&1 </dev/null &
  pid=$!
  echo "$pid" >"$pid_file"
  for _ in $(seq 100); do
    is_ours "$pid" && curl -sf -o /dev/null "http://$host/v2/" && echo "$host" >"$dir/host" && return
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  fail "docker-registry did not answer: $(tail -n 3 "$dir/registry.log")"
}

holds() { # NAME:TAG
  curl -sf -o /dev/null -I "http://$host/v2/library/${1%%:*}/manifests/${1##*:}" \
    -H 'Accept: application/vnd.oci.image.index.v1+json' -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
    -H 'Accept: application/vnd.docker.distribution.manifest.v2+json'
}

push() { # LOCAL-NAME NAME:TAG [skopeo's options]
  local from=$1 to=$2
  shift 2
  holds "$to" || skopeo copy -q --dest-tls-verify=false "$@" \
    "containers-storage:[$STORAGE_DRIVER@$dir/store+$dir/run]localhost/$from" "docker://$host/library/$to" </dev/null
}

up() {
  local name
  [ "$(id -u)" = 0 ] || fail "needs root (chroot and mounts)"
  for name in buildah skopeo debootstrap docker-registry busybox curl; do
    command -v "$name" >/dev/null || fail "needs $name, which is not on PATH"
  done
  mkdir -p "$dir"
  export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=${STORAGE_DRIVER:-overlay}
  stop
  make_base
  make_from_packages python:3.11 python3
  make_from_packages nginx:1.22 nginx
  make_from_packages redis:7.0 redis-server
  make_from_packages postgres:15 postgresql-15
  make_from_packages node:18 nodejs
  make_from_packages gcc:12 gcc g++ make
  make_from_busybox busybox:1.35 /bin/busybox
  make_from_busybox busybox-zstd:1.35 /bin/busybox-zstd
  make_index
  serve
  for name in debian:12 python:3.11 nginx:1.22 redis:7.0 postgres:15 node:18 gcc:12 busybox:1.35; do
    push "$name" "$name"
  done
  push busybox:1.35 busybox:latest
  push busybox:1.35 busybox:v2s2 --format v2s2
  push busybox-zstd:1.35 busybox-zstd:1.35 --dest-compress-format zstd
  holds busybox:multi || images manifest push -q --all --tls-verify=false \
    localhost/busybox:multi "docker://$host/library/busybox:multi" >/dev/null
  echo "$host"
}

case $verb in
  up) up ;;
  down) stop ;;
  *) fail "usage: corpus.sh up|down [DIR]" ;;
esac
