#!/usr/bin/env bash
# rayon's own tests over the real rayon-core and over this one, as a table.
#
#   ./suite.sh                 both cores, once
#   ./suite.sh --only ours     this one only (or: real)
#   ./suite.sh --runs 20       so many times in a row; what failed or hung in any run is listed
#   ./suite.sh --repeat 20     the same without cargo and the slow doc tests: built once, a line for every run
#   ./suite.sh --release       optimised builds
#   ./suite.sh --suite core    the suites whose name the expression `core` matches
#
# The published sources come from cargo's registry into target/suite and stay there. rayon is tested as it is; rayon-core's
# integration tests become those of a package that depends on the core under test, its doc tests are taken from its sources
# but linked to that core, and its unit tests are compiled against the public surface, without the two that look inside.
# The tests of this package must hold for the real core too, so they are here as well.
set -uo pipefail
cd "$(dirname "$0")"
here=$PWD
work=$here/target/suite
rayon=1.12.0
core=1.13.0

only=both runs=1 repeat=0 profile=() wanted=""
while [ $# -gt 0 ]; do
    case $1 in
        --only) only=$2; shift 2 ;;
        --runs) runs=$2; shift 2 ;;
        --repeat) repeat=$2; shift 2 ;;
        --suite) wanted=$2; shift 2 ;;
        --release) profile=(--release); shift ;;
        *) sed -n '2,15s/^# \{0,1\}//p' "${0##*/}"; exit 2 ;;
    esac
done
case $only in
    both) cores=(real ours) ;;
    real | ours) cores=("$only") ;;
    *) echo "--only real, or --only ours" >&2; exit 2 ;;
esac

# The sources, as published.
fetch() {
    [ -d "$work/published/rayon-core/src" ] && return
    mkdir -p "$work/fetch/src"
    : >"$work/fetch/src/lib.rs"
    cat >"$work/fetch/Cargo.toml" <<END
[package]
name = "fetch"
version = "0.0.0"
edition = "2021"

[dependencies]
rayon = "=$rayon"
rayon-core = "=$core"

[workspace]
END
    (cd "$work/fetch" && cargo vendor --quiet "$work/published" >/dev/null)
}

# The unit tests reach their crate through `crate` and `super`: a crate that re-exports the public surface stands in for it.
unit_tests() {
    local src=$work/published/rayon-core/src tests=$1
    mkdir -p "$tests/unit"
    for module in join scope spawn broadcast thread_pool; do
        mkdir -p "$tests/unit/$module"
        sed 's/^#!\[cfg(test)\]$//' "$src/$module/test.rs" >"$tests/unit/$module/test.rs"
    done
    sed 's/^#!\[cfg(test)\]$//' "$src/test.rs" >"$tests/unit/test.rs"
    # Two tests hold the registry itself.
    awk '
        /^#\[test\]$/ { held = $0; next }
        held != "" && /^#\[/ { held = held "\n" $0; next }
        held != "" { skip = /^fn (workers_stop|sleeper_stop)\(/; if (!skip) print held; held = "" }
        !skip { print }
        skip && /^}$/ { skip = 0 }
    ' "$src/thread_pool/test.rs" >"$tests/unit/thread_pool/test.rs"
    cat >"$tests/unit/main.rs" <<'END'
#![allow(unused, deprecated)]
pub use rayon_core::*;
mod unwind {
    pub fn halt_unwinding<R>(f: impl FnOnce() -> R) -> std::thread::Result<R> {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(f))
    }
}
mod registry {
    pub fn in_worker<R: Send>(f: impl FnOnce((), bool) -> R + Send) -> R {
        rayon_core::scope(|_| f((), false))
    }
}
mod join { pub use crate::*; pub use rayon_core::{join, join_context}; mod test; }
mod scope { pub use crate::*; mod test; }
mod spawn { pub use crate::*; pub use rayon_core::{spawn, spawn_fifo}; mod test; }
mod broadcast { pub use crate::*; mod test; }
mod thread_pool { pub use crate::*; mod test; }
mod test;
END
}

# A workspace of rayon, and of rayon-core's tests, over one core.
lay_out() {
    local name=$1 path=$2 at=$work/$1
    mkdir -p "$at/filch-tests"
    rm -rf "$at/filch-tests/tests"
    # With their times, or all of it would be built again.
    cp -rp "$here/tests" "$at/filch-tests/tests"
    [ "$at/laid-out" -nt "$here/suite.sh" ] && return
    mkdir -p "$at/core-tests/src" "$at/core-docs" "$at/filch-tests/src"
    rm -rf "$at/rayon" "$at/core-tests/tests" "$at/core-docs/src"
    cp -r "$work/published/rayon" "$at/rayon"
    rm -f "$at/rayon/.cargo-checksum.json"
    cp -r "$work/published/rayon-core/tests" "$at/core-tests/tests"
    : >"$at/core-tests/src/lib.rs"
    cp -r "$work/published/rayon-core/src" "$at/core-docs/src"
    unit_tests "$at/core-tests/tests"
    : >"$at/filch-tests/src/lib.rs"
    cat >"$at/Cargo.toml" <<END
[workspace]
members = ["rayon", "core-tests", "core-docs", "filch-tests"]
resolver = "2"

[patch.crates-io]
rayon-core = { path = "$path" }
END
    cat >"$at/core-tests/Cargo.toml" <<END
[package]
name = "core-tests"
version = "0.0.0"
edition = "2021"

[dependencies]
rayon-core = "1.13"

[dev-dependencies]
crossbeam-utils = "0.8"
libc = "0.2"
rand = "0.9"
rand_xorshift = "0.4"
scoped-tls = "1.0"
END
    cat >"$at/filch-tests/Cargo.toml" <<END
[package]
name = "filch-tests"
version = "0.0.0"
edition = "2024"

[dependencies]
rayon-core = "1.13"
END
    cat >"$at/core-docs/Cargo.toml" <<END
[package]
name = "core-docs"
version = "0.0.0"
edition = "2021"

[lib]
name = "published_core"

[dependencies]
rayon-core = "1.13"
crossbeam-deque = "0.8"
crossbeam-utils = "0.8"

[dev-dependencies]
scoped-tls = "1.0"
END
    touch "$at/laid-out"
}

suites=("rayon unit" "rayon integration" "rayon doc" "rayon-core unit" "rayon-core integration" "rayon-core doc" "this package")
declare -A what=(
    ["rayon unit"]="-p rayon --lib"
    ["rayon integration"]="-p rayon --test *"
    ["rayon doc"]="-p rayon --doc"
    ["rayon-core unit"]="-p core-tests --test unit"
    ["rayon-core integration"]="-p core-tests --test double_init_fail --test init_zero_threads --test scope_join
        --test scoped_threadpool --test simple_panic --test stack_overflow_crash --test use_current_thread"
    ["rayon-core doc"]="-p core-docs --doc"
    ["this package"]="-p filch-tests --tests"
)

for index in "${!suites[@]}"; do
    [[ ${suites[$index]} =~ $wanted ]] || unset "suites[$index]"
done

# One suite: "passed failed ignored seconds", with `hung` in place of `failed` when it did not end.
run() {
    local name=$1 suite=$2 log=$3 start=$SECONDS
    set -f
    # shellcheck disable=SC2086  # the words of `what` are arguments
    (cd "$work/$name" && timeout -k 5 240 cargo test --no-fail-fast "${profile[@]}" ${what[$suite]}) >"$log" 2>&1
    local status=$?
    set +f
    local counts
    counts=$(awk '/^test result:/ { for (i = 1; i < NF; i++) {
            if ($(i + 1) ~ /^passed/) p += $i; if ($(i + 1) ~ /^failed/) f += $i; if ($(i + 1) ~ /^ignored/) g += $i } }
        END { print p + 0, f + 0, g + 0 }' "$log")
    read -r passed failed ignored <<<"$counts"
    if [ $status -ge 124 ]; then failed=hung; elif [ $status -ne 0 ] && [ "$failed" = 0 ]; then failed=error; fi
    echo "$passed $failed $ignored $((SECONDS - start))"
}

fetch || exit 1
for name in "${cores[@]}"; do
    [ "$name" = real ] && path=$work/published/rayon-core || path=$here
    lay_out "$name" "$path"
    (cd "$work/$name" && cargo test "${profile[@]}" --no-run --quiet -p rayon -p core-tests -p filch-tests) || exit 1
done

# The test programs of a suite.
programs() {
    set -f
    # shellcheck disable=SC2086  # as above
    (cd "$work/$1" && cargo test --no-run --quiet --message-format=json "${profile[@]}" ${what[$2]}) |
        grep -oE '"executable":"[^"]+"' | cut -d '"' -f 4
    set +f
}

# How long a test program may take; the slowest of them takes about 10 s in a debug build.
limit=120

repeat() {
    local name=$1 suite turn program log bad=0
    local -a list=()
    for suite in "${suites[@]}"; do
        [[ $suite == *doc ]] || mapfile -t -O "${#list[@]}" list < <(programs "$name" "$suite")
    done
    for turn in $(seq "$repeat"); do
        local start=$SECONDS passed=0 failed=0 hung=0 count
        for program in "${list[@]}"; do
            log=$work/$name/${program##*/}.$turn.log
            (cd "$work/$name" && timeout -k 5 "$limit" "$program") >"$log" 2>&1
            local status=$?
            count=$(awk '/^test result:/ { print $4 }' "$log")
            passed=$((passed + ${count:-0}))
            if [ $status = 0 ]; then rm "$log"; continue; fi
            if [ $status = 124 ] || [ $status = 137 ]; then
                hung=$((hung + 1))
                echo "hung: $log"
            else
                failed=$((failed + 1))
                echo "failed: $log"
            fi
            grep -E '^(test .* FAILED|error)|has been running for over' "$log" | sort -u | head -n 20
        done
        [ $((failed + hung)) = 0 ] || bad=1
        echo "$name, run $turn of $repeat: ${#list[@]} programs, $passed tests passed, $failed programs failed," \
            "$hung hung, $((SECONDS - start)) s"
    done
    return $bad
}

bad=0
if [ "$repeat" -gt 0 ]; then
    for name in "${cores[@]}"; do repeat "$name" || bad=1; done
    exit $bad
fi

declare -A sum
for turn in $(seq "$runs"); do
    for suite in "${suites[@]}"; do
        for name in "${cores[@]}"; do
            log="$work/$name/${suite// /-}.$turn.log"
            read -r passed failed ignored seconds <<<"$(run "$name" "$suite" "$log")"
            sum[$name,$suite]="$passed $failed $ignored $seconds"
            if [ "$failed" != 0 ]; then
                bad=1
                echo "run $turn, $name, $suite: $failed; see $log"
                grep -E '^(test .* FAILED|error)|has been running for over' "$log" | sort | uniq | head -20
            fi
        done
    done
    [ "$runs" -gt 1 ] && echo "run $turn of $runs ended"
done

printf '\n%-24s' suite
for name in "${cores[@]}"; do printf ' | %6s: passed failed ignored  sec' "$name"; done
echo
declare -A total
for suite in "${suites[@]}"; do
    printf '%-24s' "$suite"
    for name in "${cores[@]}"; do
        read -r passed failed ignored seconds <<<"${sum[$name,$suite]}"
        printf ' | %14s %6s %7s %4s' "$passed" "$failed" "$ignored" "$seconds"
        read -r p f g s <<<"${total[$name]:-0 0 0 0}"
        [[ $failed =~ ^[0-9]+$ ]] || failed=1
        total[$name]="$((p + passed)) $((f + failed)) $((g + ignored)) $((s + seconds))"
    done
    echo
done
printf '%-24s' total
for name in "${cores[@]}"; do
    read -r p f g s <<<"${total[$name]}"
    printf ' | %14s %6s %7s %4s' "$p" "$f" "$g" "$s"
done
echo
exit $bad
