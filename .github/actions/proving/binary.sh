#!/usr/bin/env bash
# Names the `proving` to run: the released one, or one that is built here.
set -euo pipefail

if [[ -n "${PROVING_BINARY:-}" ]]; then
    if [[ ! -x "$PROVING_BINARY" ]]; then
        echo "::error::there is no program $PROVING_BINARY; leave \`binary\` out to build one"
        exit 2
    fi
    path=$(realpath "$PROVING_BINARY")
else
    cd "$PROVING_SOURCE"
    arguments=(build --release --locked --package proving)
    if [[ -n "${PROVING_FEATURES:-}" ]]; then
        arguments+=(--features "$PROVING_FEATURES")
    fi
    cargo "${arguments[@]}"
    path=$(realpath "${CARGO_TARGET_DIR:-target}/release/proving")
fi
echo "path=$path" >>"$GITHUB_OUTPUT"
