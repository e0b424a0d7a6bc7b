#!/usr/bin/env bash
# Other systems, from a Linux machine: what can be built for each, and what can be run.
#
#   tests/targets.sh            all of it; the runs need wine and a cross compiler, or are skipped with a word
#   tests/targets.sh --quick    checks of the library and of rayon-core for five systems
#
# A target that cannot be had (no network to rustup's servers) is skipped with a word. What was skipped is listed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

all=(
    x86_64-pc-windows-gnu aarch64-apple-darwin x86_64-unknown-freebsd i686-unknown-linux-gnu wasm32-unknown-unknown
    x86_64-pc-windows-msvc aarch64-linux-android aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf
    riscv64gc-unknown-linux-gnu x86_64-unknown-linux-musl
)
quick=""
[ "${1:-}" = --quick ] && quick=yes && all=("${all[@]:0:5}")
skipped=()
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target/targets}

for target in "${all[@]}"; do
    if ! rustup target add "$target" >/dev/null 2>&1; then
        skipped+=("$target: rustup cannot fetch it")
        continue
    fi
    echo "== check $target"
    RUSTFLAGS="-D warnings" cargo check --quiet --target "$target"
    (cd rayon-core && RUSTFLAGS="-D warnings" cargo check --quiet --target "$target")
done
if [ -n "$quick" ]; then
    [ ${#skipped[@]} -eq 0 ] || printf 'skipped: %s\n' "${skipped[@]}"
    exit 0
fi

# The tests that Windows can have: those of forked children, signals, masks and limits are Linux's.
windows=x86_64-pc-windows-gnu
if command -v wine64 >/dev/null || command -v wine >/dev/null; then
    if command -v x86_64-w64-mingw32-gcc >/dev/null; then
        echo "== tests under wine"
        wine=$(command -v wine64 || command -v wine)
        runner="$CARGO_TARGET_DIR/wine.sh"
        mkdir -p "$CARGO_TARGET_DIR"
        # Wine 8 lacks a function that std asks for random numbers: a library with it lies beside each test.
        x86_64-w64-mingw32-gcc -shared -o "$CARGO_TARGET_DIR/bcryptprimitives.dll" -x c - -ladvapi32 <<'C'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL ProcessPrng(PBYTE buffer, SIZE_T length) { return SystemFunction036(buffer, (ULONG)length); }
C
        cat >"$runner" <<SH
#!/bin/sh
cp -n "$CARGO_TARGET_DIR/bcryptprimitives.dll" "\$(dirname "\$1")/" 2>/dev/null
WINEDEBUG=-all WINEPREFIX="$CARGO_TARGET_DIR/wine" exec "$wine" "\$@"
SH
        chmod +x "$runner"
        CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER="$runner" \
            cargo test --quiet --no-fail-fast --target "$windows" \
            --test every_fork --test join --test join_panics --test scope --test broadcast --test queue \
            --test queue_state --test queue_counts --test queue_handles --test close_when_idle --test handles \
            --test count_latch --test waits --test wait_graphs --test shutdown --test detach --test bad_input \
            --test fences --test free_functions --test helping
    else
        skipped+=("$windows: its tests need x86_64-w64-mingw32-gcc (gcc-mingw-w64-x86-64)")
    fi
else
    skipped+=("$windows: its tests need wine")
fi
[ ${#skipped[@]} -eq 0 ] || printf 'skipped: %s\n' "${skipped[@]}"
