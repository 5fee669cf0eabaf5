#!/usr/bin/env bash
# All tests on this machine: installs the real components they need, builds the static binary, runs its demo in
# an empty root, and runs the tests. Needs a Rust tool chain; installs by apt when root on Debian or Ubuntu.
# Ends with a summary, and not with 0 when anything failed or a component it found was skipped.
# AIRLIFT_BENCH=1 also times the static binary: its workstation, and packs beside crane and skopeo; a missed figure is a failure only with
# AIRLIFT_BENCH_STRICT=1, which is for a quiet machine.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

# command:package that the tests call by name, and must use where it is
components="
  skopeo:skopeo podman:podman docker-registry:docker-registry containerd:containerd ctr:containerd
  ssh-keygen:openssh-client ssh-agent:openssh-client ssh-add:openssh-client sha256sum:coreutils curl:curl
  xfs_io:xfsprogs mkfs.xfs:xfsprogs mkfs.ext4:e2fsprogs unshare:util-linux setpriv:util-linux nsenter:util-linux ip:iproute2 chown:coreutils setsid:util-linux time:time strace:strace
  mkfs.vfat:dosfstools mkfs.exfat:exfatprogs fusefat:fusefat mount.exfat-fuse:exfat-fuse
  systemd-analyze:systemd systemd-nspawn:systemd-container losetup:mount findmnt:util-linux udisksctl:udisks2 dbus-daemon:dbus conmon:conmon runc:runc"
# the same for the corpus of Debian images and for the static build
tools="buildah:buildah debootstrap:debootstrap busybox:busybox-static file:file musl-gcc:musl-tools"
crane=github.com/google/go-containerregistry/cmd/crane@v0.20.3
distribution=github.com/distribution/distribution/v3/cmd/registry@v3.0.0
# program, module, package in it and build tags of what Debian does not have
crictl="crictl sigs.k8s.io/cri-tools@v1.30.0 ./cmd/crictl"
crio="crio github.com/cri-o/cri-o@v1.34.0 ./cmd/crio containers_image_openpgp,exclude_graphdriver_btrfs,libsqlite3"
butane="butane github.com/coreos/butane@v0.23.0 ./internal"
ignition="ignition-validate github.com/coreos/ignition/v2@v2.21.0 ./validate"
containerd=github.com/containerd/containerd/v2@v2.1.4
containerd_tags=no_btrfs,no_devmapper,no_zfs
# the newest that the module proxy has; its checksum is in tests/rig/k3s/go.sum
k3s=github.com/k3s-io/k3s@v1.30.0+k3s1
# headers that CRI-O is built with
crio_packages="libseccomp-dev libgpgme-dev libassuan-dev libsqlite3-dev pkg-config"
work=$PWD/target/run
mkdir -p "$work"
done_list=() failed=() missing=() short=()

step() { printf '\n=== %s\n' "$*"; }
passed() { done_list+=("$1"); }
broke() { failed+=("$1"); echo "FAILED: $1" >&2; }
# A program, not a word of this shell as "time" is one.
have() { type -P "$1" >/dev/null; }
is_debian() { [ -r /etc/os-release ] && grep -qE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release && have apt-get; }

install_components() {
  local pair packages=() package
  PATH=$PATH:/usr/sbin:/sbin
  for pair in $components $tools; do have "${pair%%:*}" || packages+=("${pair##*:}"); done
  have gcc || packages+=(gcc libc6-dev)
  for package in $crio_packages; do dpkg -s "$package" >/dev/null 2>&1 || packages+=("$package"); done
  if [ ${#packages[@]} -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && is_debian; then
      export DEBIAN_FRONTEND=noninteractive
      apt-get update -qq || echo "apt-get update failed; trying with what is known" >&2
      # One by one only when all at once fails, so that one unknown package does not keep the others away.
      apt-get install -y -qq --no-install-recommends "${packages[@]}" >"$work/apt.log" 2>&1 ||
        for package in "${packages[@]}"; do
          apt-get install -y -qq --no-install-recommends "$package" >>"$work/apt.log" 2>&1 ||
            echo "cannot install $package: $(tail -n 1 "$work/apt.log")" >&2
        done
    else
      echo "not root on Debian or Ubuntu; not installing: ${packages[*]}" >&2
    fi
  fi
  hash -r
  for pair in $tools; do have "${pair%%:*}" || missing+=("${pair%%:*}"); done
}

require_components() {
  local pair
  AIRLIFT_REQUIRE=
  for pair in $components; do require_if "${pair%%:*}" have "${pair%%:*}"; done
  # Debian does not package them; used where they are.
  require_if kubeadm have kubeadm
  require_if helm have helm
  require_if crictl have crictl
  require_if crio have crio
  require_if butane have butane
  require_if ignition-validate have ignition-validate
  require_if pinns have pinns
  require_if containerd-2 have containerd-2
  require_if ctr-2 have ctr-2
  require_if k3s-preload have k3s-preload
  require_if containerd-shim-2 have containerd-shim-2
  # Debian's is 2.8, under the name docker-registry.
  require_if registry is_distribution_3
  # Not programs: whom this runs as, and what the kernel lets it do.
  require_if root [ "$(id -u)" = 0 ]
  require_if mount unshare -m true
  require_if "the right to mount in a name space of its own" unshare -rm mount -t tmpfs tmpfs "$work"
  require_if "a machine that systemd-nspawn can boot in" boots
  require_if loop [ -e /dev/loop-control ]
  require_if fuse [ -e /dev/fuse ]
  grep -qw xfs /proc/filesystems || missing+=(xfs)
}

# Whether systemd-nspawn boots a root with the /usr of this machine, as the test of a service that starts at boot wants.
boots() {
  local root units up
  [ "$(id -u)" = 0 ] && have systemd-nspawn || return 1
  root=$(mktemp -d "$work/boot.XXXXXX")
  units=$root/etc/systemd/system
  mkdir -p "$units" "$root"/{usr,var,run,proc,sys,dev,tmp}
  for up in bin sbin lib lib64; do [ ! -e "/usr/$up" ] || ln -s "usr/$up" "$root/$up"; done
  cp /usr/lib/os-release "$root/etc/"
  : >"$root/etc/machine-id"
  printf '%s\n' "[Unit]" "SuccessAction=poweroff" "[Service]" "Type=oneshot" "ExecStart=/usr/bin/touch /var/up" >"$units/up.service"
  timeout 120 systemd-nspawn --directory="$root" --machine="airlift-boot-$$" --bind-ro=/usr --boot --private-network \
    --register=no --keep-unit --console=passive systemd.unit=up.service >"$work/boot.log" 2>&1 || true
  up=1
  [ ! -e "$root/var/up" ] || up=0
  rm -rf "$root"
  rmdir "/run/systemd/nspawn/propagate/airlift-boot-$$" 2>/dev/null || true
  return "$up"
}

# The tests must use the component $1 where the other words, a command, succeed; elsewhere it is missing.
require_if() {
  local component=$1
  shift
  if "$@" 2>/dev/null; then AIRLIFT_REQUIRE+=$component,; else missing+=("$component"); fi
}

find_go() {
  have go || [ ! -x /usr/local/go/bin/go ] || PATH=$PATH:/usr/local/go/bin
  mkdir -p "$work/go"
  have go
}

# Installs module $2 as program $1 where it is not there and Go is.
install_by_go() {
  ! have "$1" || return 0
  find_go || return 0
  GOBIN=$work/go timeout 900 go install "$2" >"$work/go.log" 2>&1 ||
    echo "go cannot install $1: $(tail -n 1 "$work/go.log")" >&2
}

# The same for package $3 of module $2 with build tags $4, in the module's own directory: `go install` asks for
# lists of versions as well, and not every proxy gives them.
build_by_go() {
  local module
  ! have "$1" || return 0
  find_go || return 0
  module=$(cd "$work/go" && go mod download -json "$2" | sed -nE 's/^\s*"Dir": "(.*)",$/\1/p')
  [ -n "$module" ] && timeout 1500 go build -C "$module" -mod=readonly -tags "${4-}" -o "$work/go/$1" "$3" >"$work/go.log" 2>&1 ||
    echo "go cannot build $1 of $2: $(tail -n 1 "$work/go.log")" >&2
}

# Builds pinns, which CRI-O keeps the name spaces of a pod with, of the same module as CRI-O.
build_pinns() {
  local module
  ! have pinns || return 0
  find_go || return 0
  # shellcheck disable=SC2086
  set -- $crio
  module=$(cd "$work/go" && go mod download -json "$2" | sed -nE 's/^\s*"Dir": "(.*)",$/\1/p')
  [ -n "$module" ] && gcc -std=gnu99 -O2 -o "$work/go/pinns" "$module/pinns/src/pinns.c" "$module/pinns/src/sysctl.c" 2>"$work/go.log" ||
    echo "gcc cannot build pinns of $2: $(tail -n 1 "$work/go.log")" >&2
}

# Builds k3s-preload, k3s' own importer of images directories, in a copy of the module: it wants its replace directives.
build_k3s_preload() {
  local module copy=$work/k3s
  ! have k3s-preload || return 0
  find_go || return 0
  rm -rf "$copy" && mkdir -p "$copy"
  cp tests/rig/k3s/go.sum "$copy/"
  echo "module sums" >"$copy/go.mod"
  module=$(cd "$copy" && go mod download -json "$k3s" | sed -nE 's/^\s*"Dir": "(.*)",$/\1/p')
  [ -n "$module" ] && cp -r "$module" "$copy/src" && chmod -R u+w "$copy/src" && mkdir "$copy/src/cmd/preload" &&
    cp tests/rig/k3s/main.go "$copy/src/cmd/preload/" &&
    timeout 1500 go build -C "$copy/src" -mod=readonly -ldflags "-s -w" -o "$work/go/k3s-preload" ./cmd/preload >"$work/go.log" 2>&1 ||
    echo "go cannot build k3s-preload of $k3s: $(tail -n 1 "$work/go.log")" >&2
  rm -rf "$copy"
}

is_distribution_3() { have registry && registry --version | grep -q 'distribution/v3 '; }

start_corpus() {
  local name
  for name in buildah skopeo debootstrap docker-registry busybox curl; do
    if [ "$(id -u)" != 0 ] || ! have "$name"; then
      missing+=(AIRLIFT_CORPUS)
      echo "no corpus of Debian images: it needs root and $name" >&2
      return 0
    fi
  done
  trap 'tests/rig/corpus.sh down' EXIT
  if AIRLIFT_CORPUS=$(tests/rig/corpus.sh up); then
    export AIRLIFT_CORPUS
    AIRLIFT_REQUIRE+=AIRLIFT_CORPUS,
  else
    unset AIRLIFT_CORPUS
    missing+=(AIRLIFT_CORPUS)
    broke "corpus of Debian images"
  fi
}

run_tests() {
  local line
  export AIRLIFT_REQUIRE
  # --nocapture is not needed: the rig writes its skips past the harness.
  if cargo test --locked --all --no-fail-fast 2>&1 | tee "$work/test.log"; then passed "cargo test"; else broke "cargo test"; fi
  grep -oE 'SKIPPED: .+ needs .+' "$work/test.log" | sort -u >"$work/skipped" || true
  while read -r line; do
    # The rest of the line: a component may have more words than one.
    is_missing "${line#* needs }" || broke "a skip nobody expected: $line"
  done <"$work/skipped"
}

is_missing() {
  local one
  for one in "${missing[@]}"; do [ "$one" != "$1" ] || return 0; done
  return 1
}

# Sets `binary` to a static build: musl where the target can be had, else glibc linked statically.
build_static() {
  local arch target
  arch=$(uname -m)
  target=$arch-unknown-linux-musl
  if have rustup && rustup target add "$target" >"$work/rustup.log" 2>&1; then
    local cc=gcc
    have musl-gcc && cc=musl-gcc
    env "CC_${arch}_unknown_linux_musl=$cc" cargo build --locked --release --target "$target" || return
  else
    target=$arch-unknown-linux-gnu
    echo "no musl target here; linking glibc statically" >&2
    RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --release --target "$target" || return
  fi
  binary=$PWD/${CARGO_TARGET_DIR:-target}/$target/release/airlift
}

is_static() {
  if have file; then
    file -b "$binary"
    file -b "$binary" | grep -qE 'static(ally|-pie) linked' || return 1
  fi
  # ldd succeeds only on what needs a loader; for a static-pie it says "statically linked".
  local said
  said=$(ldd "$binary" 2>&1 || true)
  echo "ldd: $said"
  grep -qE 'not a dynamic executable|statically linked' <<<"$said"
}

demo_in_an_empty_root() {
  # By its full name: `env -i` looks without /usr/sbin.
  local root enter=("$(command -v chroot)")
  root=$(mktemp -d "$work/root.XXXXXX")
  mkdir -m 1777 "$root/tmp"
  cp "$binary" "$root/airlift"
  if [ "$(id -u)" != 0 ]; then
    unshare -r true 2>/dev/null || { missing+=(chroot); rm -rf "$root"; echo "no chroot without root" >&2; return 0; }
    enter=("$(command -v unshare)" -r "${enter[@]}")
  fi
  local code=0 begun=$SECONDS
  timeout 120 env -i "${enter[@]}" "$root" /airlift demo || code=$?
  [ $((SECONDS - begun)) -lt 10 ] || { echo "the demo took $((SECONDS - begun)) s, at most 10 are right" >&2; code=1; }
  [ "$code" != 0 ] || [ -z "$(ls -A "$root/tmp")" ] || { echo "the demo left behind: $(ls -A "$root/tmp")" >&2; code=1; }
  rm -rf "$root"
  return "$code"
}

bench() {
  step "bench"
  bench_of workstation
  if [ -z "${AIRLIFT_CORPUS-}" ]; then
    echo "nothing beside crane and skopeo without the corpus" >&2
  else
    bench_of side_by_side
  fi
}

# Passed is a bench that has every figure that is wanted; one that it misses is named in the summary.
bench_of() {
  local line log=$work/bench-$1.log ended=0
  AIRLIFT_BENCH_PROGRAM=$binary cargo bench --locked --bench "$1" 2>&1 | tee "$log" || ended=$?
  while read -r line; do short+=("bench $1: $line"); done < <(grep ': MISSED' "$log")
  if [ "$ended" != 0 ]; then broke "bench $1"; elif ! grep -q ': MISSED' "$log"; then passed "bench $1"; fi
}

summary() {
  step "summary"
  printf 'passed   %s\n' "${done_list[@]-nothing}"
  [ ${#missing[@]} = 0 ] || printf 'missing  %s\n' "${missing[@]}"
  [ ${#short[@]} = 0 ] || printf 'missed   %s\n' "${short[@]}"
  [ ! -s "$work/skipped" ] || sed 's/^SKIPPED:/skipped /' "$work/skipped"
  [ ${#failed[@]} = 0 ] || { printf 'FAILED   %s\n' "${failed[@]}"; exit 1; }
}

step "components"
install_components
PATH=$PATH:$work/go
install_by_go registry "$distribution"
# Each is several words for build_by_go.
# shellcheck disable=SC2086
{ build_by_go $crictl; build_by_go $crio; build_pinns; build_by_go $butane; build_by_go $ignition; }
for program in "containerd-2 ./cmd/containerd" "ctr-2 ./cmd/ctr" "containerd-shim-2 ./cmd/containerd-shim-runc-v2"; do
  build_by_go "${program%% *}" "$containerd" "${program##* }" "$containerd_tags"
done
build_k3s_preload
if [ "${AIRLIFT_BENCH-}" = 1 ]; then
  install_by_go crane "$crane"
  have crane || missing+=(crane)
fi
require_components
start_corpus
step "static binary"
if build_static; then
  echo "$binary: $(stat -c %s "$binary") bytes"
  if is_static; then passed "static binary"; else broke "static binary"; fi
  export AIRLIFT_STATIC=$binary
  AIRLIFT_REQUIRE+=AIRLIFT_STATIC,
  step "demo in an empty root"
  if demo_in_an_empty_root; then passed "demo in an empty root"; else broke "demo in an empty root"; fi
else
  broke "static build"
  missing+=(AIRLIFT_STATIC)
fi
echo "required: ${AIRLIFT_REQUIRE%,}"
step "cargo test"
run_tests
[ "${AIRLIFT_BENCH-}" != 1 ] || [ -z "${AIRLIFT_STATIC-}" ] || bench
summary
