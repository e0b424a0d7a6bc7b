#!/usr/bin/env bash
# The same rayon program over the real rayon-core and over this one, run in turn; medians, and ours as a part of theirs.
#
#   ./compare.sh                all kinds, 5 turns (about 3 minutes)
#   ./compare.sh -n 9 fine/     those whose name has `fine/` in it, 9 turns
#   CARGO_BUILD_TARGET=x86_64-pc-windows-gnu RUNNER=wine ./compare.sh    for another system
set -euo pipefail
cd "$(dirname "$0")"

turns=5 filter=""
while [ $# -gt 0 ]; do
    case $1 in
        -n) turns=$2; shift 2 ;;
        -*) sed -n '2,6s/^# \{0,1\}//p' "${0##*/}"; exit 2 ;;
        *) filter=$1; shift ;;
    esac
done

for core in real ours; do
    (cd $core && CARGO_TARGET_DIR=target cargo build --release --quiet)
done
suffix=""
[[ ${CARGO_BUILD_TARGET:-} == *windows* ]] && suffix=.exe
folder=target/${CARGO_BUILD_TARGET:+$CARGO_BUILD_TARGET/}release
real="${RUNNER:-} real/$folder/rayon-bench-real$suffix"
ours="${RUNNER:-} ours/$folder/rayon-bench-ours$suffix"

results=$(mktemp)
trap 'rm -f "$results"' EXIT
mapfile -t kinds < <($real | tr -d '\r' | grep -F -- "$filter")
for ((turn = 1; turn <= turns; turn++)); do
    for kind in "${kinds[@]}"; do
        # Who goes first changes: the second finds the machine warmer.
        if ((turn % 2)); then order="real ours"; else order="ours real"; fi
        for core in $order; do
            echo "$kind $core $(${!core} "$kind" | tr -d '\r')" >>"$results"
        done
    done
done

sort -k1,1 -k2,2 -k3,3n "$results" | awk -v turns="$turns" '
    { times[$1, $2, ++count[$1, $2]] = $3; if (!($1 in seen)) { seen[$1] = 1; order[++kinds] = $1 } }
    END {
        printf "%-28s %14s %14s %7s %15s\n", "kind", "real ns", "ours ns", "ratio", "real spread"
        middle = int((turns + 1) / 2)
        for (i = 1; i <= kinds; i++) {
            kind = order[i]
            theirs = times[kind, "real", middle]; ours = times[kind, "ours", middle]
            spread = sprintf("%.2f-%.2f", times[kind, "real", 1] / theirs, times[kind, "real", turns] / theirs)
            printf "%-28s %14d %14d %7.3f %15s\n", kind, theirs, ours, ours / theirs, spread
            logs += log(ours / theirs)
            if (kind ~ /^fine\//) { fine += log(ours / theirs); fines++ }
        }
        printf "\ngeometric mean %.3f of %d kinds", exp(logs / kinds), kinds
        if (fines) printf "; fine-grained %.3f of %d", exp(fine / fines), fines
        print ""
    }'
