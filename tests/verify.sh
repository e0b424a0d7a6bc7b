#!/usr/bin/env bash
# All that checks filch beyond its tests, with the tables that each part prints.
#
#   tests/verify.sh          loom's models, canaries, bugs put back in and a sample of mutants; a user's crate under
#                            loom; shuttle's models, canaries and a user's crate; sites; stress: about 5 minutes on 2 cores, and builds
#   tests/verify.sh --long   every mutant to the end of its models (half an hour), more schedules, stress at length,
#                            ThreadSanitizer if there is a nightly toolchain with rust-src
set -euo pipefail
cd "$(dirname "$0")/.."

long=""
case ${1-} in
    "") ;;
    --long) long=yes ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

part() { echo; echo "== $1"; }

part "loom: models, canaries, bugs put back in; mutants"
(cd loom-tests && cargo test)
part "loom: a user's crate"
(cd loom-tests/downstream && cargo test)
part "shuttle: models, canaries, a user's crate"
(cd shuttle-tests && cargo test --workspace)
part "sites"
cargo test --test sites
part "stress"
if [ -z "$long" ]; then
    cargo test --test stress
    exit
fi
cargo test --release --test stress -- --long
part "shuttle: many schedules"
(cd shuttle-tests && cargo test --test models -- --seed 50000 --iterations 8000)
part "ThreadSanitizer, advice only"
tests/tsan.sh
part "loom: every mutant"
(cd loom-tests && cargo test --test mutants -- --full)
