#!/usr/bin/env bash
# Published programs that use rayon, built as published and with the patch line: the same output, and how long each took.
#
#   ./compare.sh                  all of them, 7 turns of each build on 2 threads (the first time builds them: minutes)
#   ./compare.sh -n 9 tokei       9 turns of tokei only
#   ./compare.sh -t 4             on 4 threads
#   ./compare.sh --build          build only
#   ./compare.sh --no-build       measure what was built before
#
# The sources come from cargo's registry. They, the builds and the input lie in $FILCH_APPS, by default filch-apps in the
# temporary folder. The builds differ in the patch line alone, and take turns; every output is compared, byte for byte, with
# that of the first run on the real core. The time of the real core on one thread shows that the pool does the work.
set -euo pipefail
cd "$(dirname "$0")"
core=$(cd .. && pwd)
pictures=$PWD/pictures.rs
work=${FILCH_APPS:-${TMPDIR:-/tmp}/filch-apps}

# Program, the crate and the version that it is in.
declare -A crate=([oxipng]=oxipng [tokei]=tokei [b3sum]=b3sum [sort]=uu_sort)
declare -A version=([oxipng]=10.2.1 [tokei]=15.0.0 [b3sum]=1.8.7 [sort]=0.12.0)
all=(oxipng tokei b3sum sort)

turns=7 threads=2 build=yes measure=yes programs=()
while [ $# -gt 0 ]; do
    case $1 in
        -n) turns=$2; shift 2 ;;
        -t) threads=$2; shift 2 ;;
        --build) measure=no; shift ;;
        --no-build) build=no; shift ;;
        *) [ -n "${crate[$1]:-}" ] || { sed -n '2,13s/^# \{0,1\}//p' "${0##*/}"; exit 2; }
           programs+=("$1"); shift ;;
    esac
done
[ ${#programs[@]} -gt 0 ] || programs=("${all[@]}")

# All the sources that the programs are made of, as published. They are input as well: text to count and to sort.
sources=$work/in/sources
fetch() {
    [ -f "$work/in/fetched" ] && return
    mkdir -p "$work/fetch/src" "$work/in"
    : >"$work/fetch/src/lib.rs"
    {
        printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2024"\n\n[workspace]\n\n[dependencies]\n'
        for name in "${all[@]}"; do echo "${crate[$name]} = \"=${version[$name]}\""; done
    } >"$work/fetch/Cargo.toml"
    (cd "$work/fetch" && cargo vendor --quiet --versioned-dirs "$sources" >/dev/null)
    touch "$work/in/fetched"
}

make_input() {
    [ -f "$work/in/lines" ] && return
    rustc --edition 2024 -O -o "$work/pictures" "$pictures"
    "$work/pictures" "$work/in/pictures"
    find "$sources" -name '*.rs' -print0 | LC_ALL=C sort -z | xargs -0 cat >"$work/in/text"
    head -c 100000000 "$work/in/text" >"$work/in/lines"
}

log=$work/build.log
quietly() { "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; return 1; }; }

# One program over one core, "real" or "ours".
build() {
    local name=$1 which=$2
    local to=$work/$which/$name
    # Another checkout may have used the folder before.
    [ "$which" = real ] || grep -qsF "\"$core\"" "$to/Cargo.toml" || rm -rf "$to"
    if [ ! -d "$to" ]; then
        rm -rf "$to.new"
        mkdir -p "$work/$which"
        cp -r "$sources/${crate[$name]}-${version[$name]}" "$to.new"
        grep -q '^\[workspace\]' "$to.new/Cargo.toml" || printf '\n[workspace]\n' >>"$to.new/Cargo.toml"
        # The line that the guide speaks of.
        [ "$which" = real ] ||
            printf '\n[patch.crates-io]\nrayon-core = { path = "%s" }\n' "$core" >>"$to.new/Cargo.toml"
        # A lockfile that the program brings along may hold an older rayon-core, which nothing patches, or an older
        # version of what filch needs, for which cargo would rather not take the patch.
        (cd "$to.new" && for package in rayon-core libc crossbeam-utils crossbeam-deque; do
            grep -q "^name = \"$package\"" Cargo.lock 2>/dev/null && echo $package
        done | xargs --no-run-if-empty cargo update --quiet)
        mv "$to.new" "$to"
    fi
    # With their symbols, since `check` looks at them. And with C functions that start on cache lines in both: where
    # they came to lie by chance in oxipng made 4 % of difference, on one thread too.
    (cd "$to" && CFLAGS="-falign-functions=64 -falign-loops=64" CARGO_PROFILE_RELEASE_STRIP=false CARGO_TARGET_DIR=$work/$which/target \
        quietly cargo build --release --bin "$name")
    check "$name" "$which"
}

# Whose scheduler is in the program.
check() {
    local program=$work/$2/target/release/$1 theirs ours
    theirs=$(grep -aoc '10rayon_core8registry' "$program" || true)
    ours=$(grep -aoc '5filch8registry' "$program" || true)
    case $2 in
        real) [ "$theirs" -gt 0 ] && [ "$ours" -eq 0 ] ;;
        ours) [ "$theirs" -eq 0 ] && [ "$ours" -gt 0 ] ;;
    esac || { echo "$1: $2 is not what was linked ($theirs symbols of rayon's registry, $ours of filch's)" >&2; exit 1; }
}

# One run: the program, the number of threads, the folder for its output.
run_oxipng() { "$1" --threads "$2" --quiet -o 5 --dir "$3" --force "$work"/in/pictures/*.png; }
run_tokei() { RAYON_NUM_THREADS=$2 "$1" --no-ignore --hidden "$sources" >"$3/out"; }
run_b3sum() { "$1" --num-threads "$2" "$work"/in/{text,text,text,text,lines,lines,lines,lines} >"$3/out"; }
run_sort() { LC_ALL=C "$1" --parallel="$2" --output="$3/out" "$work/in/lines"; }
declare -A input=(
    [oxipng]="3 PNG" [tokei]="sources of the programs" [b3sum]="files, mapped" [sort]="lines of sources"
)

milliseconds() { # program, core, threads; the output goes to the folder `out`
    rm -rf "$work/out"
    mkdir -p "$work/out"
    local start
    start=$(date +%s%N)
    "run_$1" "$work/$2/target/release/$1" "$3" "$work/out"
    echo $((($(date +%s%N) - start) / 1000000))
}

median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
spread() { printf '%s\n' "$@" | sort -n | sed -n '1p;$p' | paste -sd-; }

measure() {
    local name=$1 turn which order time real=() ours=() alone=() differ=0
    milliseconds "$name" real "$threads" >/dev/null # fills the file cache
    rm -rf "$work/expected"
    mv "$work/out" "$work/expected"
    for ((turn = 0; turn < turns; turn++)); do
        # Who goes first changes: the second finds the machine warmer.
        if ((turn % 2)); then order="ours real"; else order="real ours"; fi
        for which in $order; do
            time=$(milliseconds "$name" $which "$threads")
            if [ $which = real ]; then real+=("$time"); else ours+=("$time"); fi
            diff -rq "$work/expected" "$work/out" >&2 || { echo "$name: other output from $which" >&2; differ=1; }
        done
        ((turn >= 3)) || alone+=("$(milliseconds "$name" real 1)")
    done
    local theirs mine
    theirs=$(median "${real[@]}") mine=$(median "${ours[@]}")
    printf '%-7s %-7s %-24s %9d %8d %8d %6.2f  %-12s %-12s %s\n' "$name" "${version[$name]}" "${input[$name]}" \
        "$(median "${alone[@]}")" "$theirs" "$mine" "$(awk "BEGIN { print $mine / $theirs }")" \
        "$(spread "${real[@]}")" "$(spread "${ours[@]}")" "$([ $differ = 0 ] && echo "the same" || echo DIFFERS)"
    return $differ
}

if [ $build = yes ]; then
    fetch
    make_input
    for name in "${programs[@]}"; do
        for which in real ours; do build "$name" $which; done
    done
fi
[ $measure = yes ] || exit 0
printf '%-7s %-7s %-24s %9s %8s %8s %6s  %-12s %-12s %s\n' \
    program version input "1 thread" "real ms" "ours ms" ratio "real spread" "ours spread" output
bad=0
for name in "${programs[@]}"; do measure "$name" || bad=1; done
exit $bad
