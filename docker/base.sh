#!/usr/bin/env bash
# Build a base image from Debian's packages, for machines that reach no image registry:
#   docker/base.sh [TAG]          default: polyhead-base:bookworm; then: make image BASE_IMAGE=polyhead-base:bookworm
#
# Needs root, debootstrap and a Docker daemon.
#   SUITE    Debian release. Default: bookworm, whose Python is 3.11
#   MIRROR   where its packages are. Default: debootstrap's own
#   DOCKER   the docker command. Default: docker
set -euo pipefail
suite=${SUITE:-bookworm}
tag=${1:-polyhead-base:$suite}
docker=${DOCKER:-docker}

[ "$(id -u)" = 0 ] || { echo "error: debootstrap needs root: run with sudo" >&2; exit 1; }
command -v debootstrap >/dev/null || {
  echo "error: debootstrap is not installed (Debian, Ubuntu: apt install debootstrap)" >&2
  exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$suite" "$work/tree" ${MIRROR:+"$MIRROR"} \
  >"$work/log" || { tail -n 20 "$work/log" >&2; exit 1; }
rm -rf "$work"/tree/var/cache/apt/* "$work"/tree/var/lib/apt/lists/* "$work"/tree/var/log/* \
  "$work"/tree/usr/share/{doc,info,locale,man}/*
"$docker" import --change 'CMD ["python3"]' - "$tag" < <(tar --directory "$work/tree" --numeric-owner --create .) >/dev/null
echo "$tag"
