#!/bin/sh
# What stands behind the commands of rig.toml: hands a request to the `proving up --as-rig` that has
# written this file, and waits for its answer.
#   rig power on|off
#   rig reset
#   rig factory FILE
#   rig storage erase
#   rig storage read FILE
#   rig access-point NAME power|internet|isolation on|off
set -eu
here=$(cd -- "$(dirname -- "$0")" && pwd)
control=$here/control

fail() {
    echo "rig: $1" >&2
    exit 1
}

[ -e "$here/rig.toml" ] || fail "the \`proving up --as-rig\` that made it has ended"
file=
case "${1-} ${2-}" in
factory\ *)
    file=${2-}
    set -- factory
    ;;
'storage read')
    file=${3-}
    set -- storage read
    ;;
esac

# A number that no other request has, even where process ids are another machine's.
n=$$
until mkdir "$control/$n.turn" 2>/dev/null; do
    [ -d "$control" ] || fail "there is no $control"
    n=$((n + 1))
done
trap 'rm -rf "$control/$n.turn" "$control/$n.data" "$control/$n.done"' EXIT
trap 'exit 1' HUP INT TERM

[ "$1" != factory ] || cp -- "$file" "$control/$n.data"
echo "$*" >"$control/$n.new"
mv "$control/$n.new" "$control/$n.request"

looks=0
until [ -e "$control/$n.done" ]; do
    [ -e "$here/rig.toml" ] || fail "the \`proving up --as-rig\` that made it has ended"
    looks=$((looks + 1))
    [ "$looks" -lt 1500 ] || fail "\`$*\` was not answered; does \`proving up --as-rig\` still run?"
    sleep 0.02 2>/dev/null || sleep 1
done
read -r answer <"$control/$n.done" || :
[ "$answer" = ok ] || fail "$answer"
[ "$*" != 'storage read' ] || cp -- "$control/$n.data" "$file"
