#!/usr/bin/env bash
# Other systems, from a Linux machine: what can be built for each, and what can be run.
#
#   tests/targets.sh            all of it, about half an hour
#   tests/targets.sh --quick    checks for five systems, a third of the tests under Wine, wasm under Node, some tests
#                               where membarrier(2) is refused
#
# What this machine lacks is skipped with a word, and listed at the end: targets that rustup cannot fetch, wine with a
# cross compiler (gcc-mingw-w64-x86-64), node, qemu-aarch64 with gcc-aarch64-linux-gnu.
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
root=$PWD
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target/targets}
mkdir -p "$CARGO_TARGET_DIR"

has() {
    local missing=""
    for program in "${@:2}"; do
        command -v "$program" >/dev/null || missing+=" $program"
    done
    [ -z "$missing" ] && return
    skipped+=("$1:$missing missing")
    return 1
}

# Clippy only for what the manifest denies, as blocks of `unsafe` without a reason. Its other lints have it that a type is
# what it is on one system only.
check() {
    RUSTFLAGS="-D warnings" cargo clippy --quiet "$@" -- -A clippy::all
}

for target in "${all[@]}"; do
    if ! rustup target add "$target" >/dev/null 2>&1; then
        skipped+=("$target: rustup cannot fetch it")
        continue
    fi
    echo "== check $target"
    check --target "$target"
    (cd rayon-core && RUSTFLAGS="-D warnings" cargo check --quiet --target "$target")
done

native=x86_64-unknown-linux-gnu
if has "tests without membarrier" cc && [ "$(rustc -vV | sed -n 's/^host: //p')" = $native ]; then
    # Runs a program under a filter that answers membarrier(2) with ENOSYS, as some containers and old kernels do.
    cc -o "$CARGO_TARGET_DIR/without-membarrier" -x c - <<'C'
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        perror("seccomp");
        return 1;
    }
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 1;
}
C
    echo "== tests where membarrier is refused"
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="$CARGO_TARGET_DIR/without-membarrier"
    # In the folder of the ordinary build, which has these tests, or will have them.
    if [ -n "$quick" ]; then
        CARGO_TARGET_DIR=$root/target cargo test --quiet --test every_fork --test join --test scope --test queue \
            --test waits --test stress
    else
        CARGO_TARGET_DIR=$root/target cargo build --quiet --examples
        CARGO_TARGET_DIR=$root/target cargo test --quiet --no-fail-fast --lib --tests
        (cd rayon-core && cargo test --quiet --no-fail-fast --lib --tests)
        echo "== rayon's tests over rayon-core, without membarrier"
        (cd rayon-core && ./suite.sh --only ours --suite 'unit|integration|package')
    fi
    unset CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER
fi

wasm=wasm32-unknown-unknown
if [ -z "$quick" ]; then
    echo "== check aarch64-apple-darwin with the feature mach-fence"
    check --target aarch64-apple-darwin --features mach-fence
    # The standard library for threads on wasm is not built in advance. The stable compiler builds it if asked to.
    if rustup component add rust-src >/dev/null 2>&1; then
        echo "== check $wasm with atomics"
        RUSTC_BOOTSTRAP=1 RUSTFLAGS="-D warnings -C target-feature=+atomics,+bulk-memory,+mutable-globals" \
            CARGO_TARGET_DIR="$CARGO_TARGET_DIR/wasm-threads" \
            cargo check --quiet --target $wasm -Z build-std=std,panic_abort
    else
        skipped+=("$wasm with atomics: rustup cannot fetch rust-src")
    fi
fi
if has "wasm" node; then
    echo "== wasm without threads, under node"
    (cd tests/wasm && cargo build --quiet --release --target $wasm)
    node tests/wasm/run.mjs "$CARGO_TARGET_DIR/$wasm/release/wasm.wasm"
fi

windows=x86_64-pc-windows-gnu
if has "tests under Wine" wine wineserver x86_64-w64-mingw32-gcc; then
    runner="$CARGO_TARGET_DIR/wine.sh"
    # Wine 8 lacks a function that std asks for random numbers: a library with it lies beside each test.
    x86_64-w64-mingw32-gcc -shared -o "$CARGO_TARGET_DIR/bcryptprimitives.dll" -x c - -ladvapi32 <<'C'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL ProcessPrng(PBYTE buffer, SIZE_T length) { return SystemFunction036(buffer, (ULONG)length); }
C
    cat >"$runner" <<SH
#!/bin/sh
cp -n "$CARGO_TARGET_DIR/bcryptprimitives.dll" "\$(dirname "\$1")/" 2>/dev/null
exec timeout 600 wine "\$@"
SH
    chmod +x "$runner"
    # Wine's server ends a moment after its last program, and a program that comes just then is refused. So it stays.
    export WINEPREFIX="$CARGO_TARGET_DIR/wine" WINEDEBUG=-all
    mkdir -p "$WINEPREFIX"
    wineserver -p
    trap 'wineserver -k' EXIT
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER="$runner"
    echo "== a DLL with a pool, under Wine: the process ends; the DLL is unloaded"
    (cd tests/dll && cargo build --quiet --target "$windows")
    (cd "$CARGO_TARGET_DIR/$windows/debug" && "$runner" ./host.exe && "$runner" ./host.exe stop)
    echo "== tests under Wine"
    if [ -n "$quick" ]; then
        tests=()
        for test in bad_input broadcast count_latch detach every_fork fences free_functions handles helping join \
            lent_end lifetimes placement queue queue_counts queue_state scope shutdown wait_graphs waits; do
            tests+=(--test "$test")
        done
        cargo test --quiet --target "$windows" "${tests[@]}"
    else
        cargo build --quiet --examples --target "$windows"
        cp "$CARGO_TARGET_DIR/bcryptprimitives.dll" "$CARGO_TARGET_DIR/$windows/debug/examples/"
        cargo test --quiet --no-fail-fast --target "$windows" --lib --tests
        (cd rayon-core && cargo test --quiet --no-fail-fast --target "$windows" --lib --tests)
        echo "== rayon's tests over rayon-core, under Wine"
        (cd rayon-core && CARGO_BUILD_TARGET=$windows ./suite.sh --only ours --suite 'unit|integration|package')
    fi
fi

if [ -z "$quick" ]; then
    arm=aarch64-unknown-linux-gnu
    if has "$arm" qemu-aarch64 aarch64-linux-gnu-gcc; then
        echo "== tests of aarch64 under qemu: those that start no process and set no limit"
        export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
        export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="timeout 600 qemu-aarch64 -L /usr/aarch64-linux-gnu"
        cargo test --quiet --no-fail-fast --target $arm --test every_fork --test join --test scope --test queue \
            --test handles --test count_latch --test waits --test wait_graphs --test broadcast --test queue_state
    fi
    musl=x86_64-unknown-linux-musl
    echo "== tests of $musl"
    cargo build --quiet --examples --target $musl
    cargo test --quiet --no-fail-fast --target $musl --lib --tests
    echo "== AddressSanitizer and LeakSanitizer"
    # The stable toolchain ships their runtimes. Frames are larger, and the
    # shadow takes address space and memory, so tests that measure these are left out.
    (
        export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR="$CARGO_TARGET_DIR/asan"
        export LSAN_OPTIONS="suppressions=$root/tests/lsan.supp:print_suppressions=0"
        cargo build --quiet --examples --target x86_64-unknown-linux-gnu
        cargo test --quiet --no-fail-fast --target x86_64-unknown-linux-gnu --lib --tests -- \
            --skip nested_steals_are_bounded --skip the_stack_is_as_large --skip the_system_refuses \
            --skip memory --skip create_drop --skip rejected
    )
fi
[ ${#skipped[@]} -eq 0 ] || printf 'skipped: %s\n' "${skipped[@]}"
