#!/bin/sh
# Take what installs Python packages out of a base image: pip, setuptools, wheel and what would bring them back.
# And let no program run with more rights than its caller.
set -eu

find / -xdev -type f -perm /6000 -exec chmod a-s {} +

# Debian's Python has them as packages, python.org's images as files.
if command -v dpkg-query >/dev/null; then
  packages=$(dpkg-query --show --showformat '${Package} ' 'python3*-venv' 'python3-*-whl' 2>/dev/null || true)
  # shellcheck disable=SC2086  # a list of names
  [ -z "$packages" ] || dpkg --purge $packages
fi
python3 - <<'END'
import importlib.util
import pathlib
import shutil
import sysconfig

for name in ("pip", "setuptools", "pkg_resources", "_distutils_hack", "wheel", "ensurepip"):
    spec = importlib.util.find_spec(name)
    for place in (spec.submodule_search_locations or []) if spec else []:
        shutil.rmtree(place)
    for about in pathlib.Path(sysconfig.get_path("purelib")).glob(f"{name}-*.dist-info"):
        shutil.rmtree(about)
for pattern in ("pip*", "wheel*"):
    for program in pathlib.Path(sysconfig.get_path("scripts")).glob(pattern):
        program.unlink()
END
