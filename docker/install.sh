#!/bin/sh
# Install a lock file into a virtual environment of its own, without what only building or testing needs.
#   install.sh LOCK ENVIRONMENT
set -eu
lock=$1 environment=$2

uv venv --quiet --python python3 "$environment"
export VIRTUAL_ENV="$environment"
uv pip sync --quiet --require-hashes ${INDEX_URL:+--default-index "$INDEX_URL"} "$lock"
# Nothing imports these: TensorFlow names them as dependencies for building and for its own tools.
uv pip uninstall --quiet libclang setuptools wheel
rm -f "$environment/.lock" "$environment"/bin/activate* "$environment"/bin/*.bat

cd "$environment"/lib/python3*/site-packages
rm -rf tensorflow/include pyarrow/include
find pandas pyarrow scipy sklearn -type d -name tests -prune -exec rm -rf {} +

# A read-only root cannot keep bytecode, and without it each step that uses TensorFlow starts four seconds later.
"$environment/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash . >/dev/null || true
