#!/usr/bin/env bash
# Two published programs that use rayon, built as published and with the patch line: the same output, and how long each took.
#
#   ./compare.sh       oxipng and tokei, 5 turns (the first time builds them, some minutes)
#   ./compare.sh 9     9 turns
set -euo pipefail
cd "$(dirname "$0")"
core=$(cd .. && pwd)
work=$core/target/apps
turns=${1:-5}
oxipng=10.2.1
tokei=15.0.0

# The sources, as published.
mkdir -p "$work/fetch/src"
: >"$work/fetch/src/lib.rs"
cat >"$work/fetch/Cargo.toml" <<END
[package]
name = "fetch"
version = "0.0.0"
edition = "2021"

[dependencies]
oxipng = "=$oxipng"
tokei = "=$tokei"

[workspace]
END
source_of() {
    (cd "$work/fetch" && cargo metadata --format-version 1 2>/dev/null) |
        grep -oE "\"manifest_path\":\"[^\"]*/$1-[0-9.]+/Cargo.toml\"" | head -n 1 | cut -d '"' -f 4 | xargs dirname
}

for name in oxipng tokei; do
    from=$(source_of "$name")
    for build in real ours; do
        to=$work/$build/$name
        if [ ! -d "$to" ]; then
            mkdir -p "$work/$build"
            cp -r "$from" "$to"
            grep -q '^\[workspace\]' "$to/Cargo.toml" || printf '\n[workspace]\n' >>"$to/Cargo.toml"
            # The line that the guide speaks of.
            [ $build = real ] || printf '\n[patch.crates-io]\nrayon-core = { path = "%s" }\n' "$core" >>"$to/Cargo.toml"
        fi
        # A lockfile that the program brings along may hold an older rayon-core, which nothing patches, or an older
        # version of what filch needs, for which cargo would rather not take the patch.
        (cd "$to" && for package in rayon-core libc crossbeam-utils crossbeam-deque; do
            grep -q "^name = \"$package\"" Cargo.lock 2>/dev/null && echo $package
        done | xargs --no-run-if-empty cargo update --quiet)
        (cd "$to" && CARGO_TARGET_DIR=$work/$build/target cargo build --release --quiet)
        used=$(cd "$to" && cargo tree --quiet -i rayon-core 2>/dev/null | head -n 1)
        echo "$build $name: $used"
        if [ $build = ours ] && [[ $used != *"($core)" ]]; then
            echo "the patch was not taken" >&2
            exit 1
        fi
    done
done

# Input: pictures that are made here, and all the sources that cargo has.
rustc --edition 2024 -O -o "$work/pictures" pictures.rs
"$work/pictures" "$work/in"
sources=${CARGO_HOME:-$HOME/.cargo}/registry/src

run_oxipng() { "$work/$1/target/release/oxipng" --quiet -o 5 --dir "$work/out/$1" --force "$work"/in/*.png; }
run_tokei() { "$work/$1/target/release/tokei" --no-ignore "$sources" >"$work/out/$1/tokei.txt"; }

rm -rf "$work/out"
mkdir -p "$work"/out/{real,ours}
printf '\n%-8s %10s %10s %7s  output\n' program "real ms" "ours ms" ratio
for name in oxipng tokei; do
    "run_$name" real # warms the file cache
    times=$(mktemp)
    for ((turn = 0; turn < turns; turn++)); do
        if ((turn % 2)); then order="ours real"; else order="real ours"; fi
        for build in $order; do
            start=$(date +%s%N)
            "run_$name" "$build"
            echo "$build $((($(date +%s%N) - start) / 1000000))" >>"$times"
        done
    done
    median() { grep "^$1 " "$times" | cut -d ' ' -f 2 | sort -n | sed -n "$((turns / 2 + 1))p"; }
    real=$(median real) ours=$(median ours)
    rm "$times"
    if diff -r "$work/out/real" "$work/out/ours" >/dev/null; then same="the same"; else same="DIFFERS"; fi
    printf '%-8s %10d %10d %7.2f  %s\n' "$name" "$real" "$ours" "$(awk "BEGIN { print $ours / $real }")" "$same"
done
diff -r "$work/out/real" "$work/out/ours"
