#!/usr/bin/env bash
# Build the image of this checkout and print its tag: polyhead:<version>, or polyhead:<version>-gpu.
#   TARGET       cpu or gpu. Default: cpu
#   BASE_IMAGE   Debian or Ubuntu with Python 3.11 to 3.13 as python3, its venv module, and ca-certificates.
#                Default: the one in the Dockerfile
#   TAG          another tag
#   INDEX_URL    a mirror of the package index
#   NETRC        file with the mirror's credentials; only the stages that install see it
#   CA_CERT      file with the certificates to trust while installing; likewise
#   BUILD_FLAGS  more flags of docker build, such as --network=host
#   DOCKER       the docker command. Default: docker
# HTTP_PROXY, HTTPS_PROXY and NO_PROXY are passed on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${TARGET:-cpu}
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' components/polyhead/__init__.py)
case $target in
  cpu) tag=polyhead:$version ;;
  gpu) tag=polyhead:$version-gpu ;;
  *) echo "error: TARGET is '$target', not cpu or gpu" >&2; exit 1 ;;
esac
tag=${TAG:-$tag}
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || revision=$revision-dirty

flags=(--file docker/Dockerfile --target "$target" --tag "$tag")
flags+=(--build-arg "VERSION=$version" --build-arg "REVISION=$revision")
flags+=(--build-arg HTTP_PROXY --build-arg HTTPS_PROXY --build-arg NO_PROXY)
[ -z "${BASE_IMAGE:-}" ] || flags+=(--build-arg "BASE_IMAGE=$BASE_IMAGE")
[ -z "${INDEX_URL:-}" ] || flags+=(--build-arg "INDEX_URL=$INDEX_URL")
[ -z "${CA_CERT:-}" ] || flags+=(--secret "id=ca,src=$CA_CERT")
[ -z "${NETRC:-}" ] || flags+=(--secret "id=netrc,src=$NETRC")
read -ra more <<<"${BUILD_FLAGS:-}"
DOCKER_BUILDKIT=1 "${DOCKER:-docker}" build "${flags[@]}" "${more[@]}" .
echo "$tag"
