#!/usr/bin/env bash
# ThreadSanitizer over the stress cases, in sizes that it can bear. Advice, not proof: see docs/VERIFICATION.md.
#
#   tests/tsan.sh                  # 2 to 3 minutes, half of them to build std
#   tests/tsan.sh growth trees     # the cases whose names contain these
#
# TSAN_SIZE and TSAN_SEED set the stress program's --size and --seed.
#
# Needs a nightly toolchain with its rust-src: std is built anew, because TSan takes what an uninstrumented one does
# under a lock or in `park` for a race. Says "skipped" where there is none. Fails on a race that is not in tsan.supp.
set -euo pipefail
cd "$(dirname "$0")/.."

toolchain=${TSAN_TOOLCHAIN:-nightly}
if ! rustc "+$toolchain" --version >/dev/null 2>&1; then
    echo "skipped: no toolchain called $toolchain"
    exit 0
fi
if [ ! -d "$(rustc "+$toolchain" --print sysroot)/lib/rustlib/src/rust/library" ]; then
    echo "skipped: $toolchain has no sources of std (rustup component add rust-src --toolchain $toolchain)"
    exit 0
fi
target=$(rustc "+$toolchain" -vV | sed -n 's/^host: //p')
case $target in
x86_64-*-linux-gnu | aarch64-*-linux-gnu) ;;
*)
    echo "skipped: not tried on $target"
    exit 0
    ;;
esac

export RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer"
export CARGO_TARGET_DIR=${TSAN_TARGET_DIR:-target/tsan}
program=$(cargo "+$toolchain" test -Zbuild-std --target "$target" --test stress --no-run 2>&1 | tee /dev/stderr |
    sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
[ -x "$program" ] || { echo "the program was not built"; exit 1; }

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
# Reports go to files; the cases end as they would without.
export TSAN_OPTIONS="log_path=$logs/report exitcode=0 history_size=4 suppressions=$PWD/tests/tsan.supp"

# Is it alive? Two jobs that race must be reported. Arguments: size, seed, long, milliseconds.
"$program" --stress-child race 0 0 0 60000 >/dev/null
if ! grep -qs 'WARNING: ThreadSanitizer: data race' "$logs"/report*; then
    echo "a deliberate race was not reported: the rest would prove nothing"
    exit 1
fi
rm -f "$logs"/report*

# Left out: what takes memory away, sends signals (delivered late under TSan) or hangs on purpose.
skip=(--skip watchdog --skip memory_limits --skip signals --skip create_drop)
seed=(); [ -z "${TSAN_SEED:-}" ] || seed=(--seed "$TSAN_SEED")
"$program" --size "${TSAN_SIZE:-5000}" "${skip[@]}" "${seed[@]}" "$@" && ended=0 || ended=$?

if compgen -G "$logs/report*" >/dev/null; then
    cat "$logs"/report*
    echo "reports: $(cat "$logs"/report* | grep -c '^WARNING: ThreadSanitizer')"
    exit 1
fi
echo "no reports"
exit "$ended"
