#!/usr/bin/env bash
# Write the Python packages of an image as a CycloneDX bill of materials, and print its path:
#   docker/sbom.sh [IMAGE [FILE]]     default: polyhead:<version>, dist/<image>.cdx.json
#   DOCKER   the docker command. Default: docker
# It needs .venv (make setup). The base's Debian packages stand in the image's own /var/lib/dpkg/status.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' components/polyhead/__init__.py)
image=${1:-polyhead:$version}
file=${2:-dist/$(printf %s "$image" | tr ':/' '--').cdx.json}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An environment that holds what the image's packages say of themselves, and nothing of this one's.
.venv/bin/python -m venv --without-pip "$work/environment"
"${DOCKER:-docker}" run --rm --network=none --read-only --entrypoint sh "$image" -c \
  'cd /opt/polyhead/lib/python3*/site-packages && tar --create -- *.dist-info' |
  tar --extract --directory "$(echo "$work"/environment/lib/python3*/site-packages)"
sed "s/^dynamic = .*/version = \"$version\"/" pyproject.toml >"$work/pyproject.toml"
mkdir -p "$(dirname "$file")"
.venv/bin/cyclonedx-py environment --pyproject "$work/pyproject.toml" --output-reproducible --output-file "$file" \
  "$work/environment"
echo "$file"
