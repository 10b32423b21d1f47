#!/usr/bin/env bash
# A pull request on simulated devices, from its plan to the drift that is found afterwards: what the pipelines in this directory do, step by
# step. Nothing but a temporary directory is written to.
#
#   ./pull-request.sh
#   WGFORM=target/debug/wgform ./pull-request.sh

set -euo pipefail

readonly HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
WGFORM=$(type -P "${WGFORM:-wgform}") || { echo "wgform is not in PATH; name it with WGFORM=FILE" >&2; exit 1; }
WGFORM=$(realpath "$WGFORM")
readonly WGFORM

copy=$(mktemp -d)
readonly copy
trap 'rm -rf "$copy"' EXIT
cp "$HERE/main.wg.hcl" "$copy"
cd "$copy"
export CI=true NO_COLOR=1

main() {
  step "The main branch is applied"
  expect 0 apply -input=false -auto-approve

  step "A pull request gives carol a laptop: its job makes a comment, and saves the plan"
  edit main.wg.hcl 's|^    bob .*|&\n    carol = { key = "d2dmb3JtIGV4YW1wbGUga2V5IG9mIGNhcm9sIDAwMDE=", host = 12 }|'
  expect 2 plan -input=false -detailed-exitcode -out=plan.wgplan -markdown-into=comment.md
  must_hold comment.md 'peer "laptop"["carol"]'
  cat comment.md

  step "Before it is merged, somebody changes the hub's port by hand"
  edit .wgform/simulated/hq.json '0,/"listen_port": 51820/s//"listen_port": 51999/'

  step "It is merged: the plan that was reviewed is no longer what would be done, and nothing is"
  expect 7 apply -input=false -lock-timeout=1m plan.wgplan

  step "Plan again: the comment now has the drift too, for whoever reviews it"
  expect 2 plan -input=false -detailed-exitcode -out=plan.wgplan -markdown-into=comment.md
  must_hold comment.md 51999
  expect 0 apply -input=false -lock-timeout=1m plan.wgplan

  step "A plan is good for one apply"
  expect 7 apply -input=false -lock-timeout=1m plan.wgplan

  step "The devices have what was applied"
  expect 0 drift -metrics-into=wgform.prom
  must_hold wgform.prom 'wgform_drift_objects{backend="hq",class="changed"} 0'

  step "Somebody changes the port by hand again, and the next look finds it"
  edit .wgform/simulated/hq.json '0,/"listen_port": 51820/s//"listen_port": 51999/'
  expect 2 drift -metrics-into=wgform.prom
  must_hold wgform.prom 'wgform_drift_objects{backend="hq",class="changed"} 1'

  printf '\nAll of it went as it should.\n'
}

step() {
  printf '\n== %s\n' "$1"
}

# Runs wgform, and fails unless it ends with this code.
expect() {
  local wanted=$1 code=0
  shift
  printf '\n$ wgform %s\n' "$*"
  "$WGFORM" "$@" || code=$?
  if [ "$code" != "$wanted" ]; then
    printf '`wgform %s` ended with %s, and not with %s\n' "$*" "$code" "$wanted" >&2
    exit 1
  fi
  printf '(exit code %s)\n' "$code"
}

# Edits a file with sed, and fails when that changes nothing.
edit() {
  cp "$1" before
  sed -i "$2" "$1"
  if cmp -s before "$1"; then
    printf 'nothing in %s is changed by: %s\n' "$1" "$2" >&2
    exit 1
  fi
}

must_hold() {
  if ! grep -qF -- "$2" "$1"; then
    printf '%s does not have: %s\n' "$1" "$2" >&2
    cat "$1" >&2
    exit 1
  fi
}

main
