#!/usr/bin/env bash
# Runs what takes too long for every day: the full counts. See long.txt beside this for what, and how to add to it.
#
#   tests/long.sh            everything
#   tests/long.sh zombies    only the items whose name contains this
set -uo pipefail
cd "$(dirname "$0")/.."
export CARGO="cargo test --locked --test it --"
wanted="${1:-}"
failed=()
logs="$(mktemp -d)"
cargo test --locked --test it --no-run || exit 1
while IFS='|' read -r name command; do
    [[ -z "${name// }" || "$name" == \#* ]] && continue
    name="$(echo "$name" | xargs)"
    [[ "$name" == *"$wanted"* ]] || continue
    log="$logs/${name//[ \/]/-}.log"
    started=$SECONDS
    if bash -c "$command" >"$log" 2>&1 </dev/null; then
        grep -h '^result: ' "$log" | sed "s/^result: /ok   /"
        grep -h '^SKIPPED' "$log"
        echo "     $name: $((SECONDS - started)) s"
    else
        failed+=("$name")
        cat "$log"
        echo "FAILED $name after $((SECONDS - started)) s; its output is above and in $log"
    fi
done <tests/long.txt
if ((${#failed[@]})); then
    echo "failed: ${failed[*]}"
    exit 1
fi
echo 'All long tests passed.'
