#!/bin/sh
# Runs parts of the test suite and ends with one plain line: "N passed, N failed" (", N skipped").
# What runs guest code, boots included, runs under each engine.  Called by the Makefile in the build
# folder, with SRC set to the source folder; arguments: unit, boot, window, slow.  Exit status 0
# only if nothing failed and every part came to its end.
set -u
LC_ALL=C
export LC_ALL
unset DISPLAY WAYLAND_DISPLAY # no windows; tests of windows start a display of their own

out=check-out
mkdir -p "$out" || exit 1
passed=0 failed=0 skipped=0 parts=0

# add PART PASSED FAILED SKIPPED
add()
{
    parts=$((parts + 1))
    passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
    printf '%s: %d passed, %d failed, %d skipped\n' "$1" "$2" "$3" "$4"
}

# run_unit NAME ENGINE OPTIONS...  A hung test is ended by Criterion; the limit is far above what
# any test needs.
run_unit()
{
    unit=$1 engine=$2
    shift 2
    rm -f "$out/unit.tap" "$out"/sanitizer.*
    # A sanitizer's report goes to a file: a leak, say, does not fail the test that made it.
    san="log_path=$PWD/$out/sanitizer"
    CANDELA_TEST_ACCEL=$engine ASAN_OPTIONS="$san" UBSAN_OPTIONS="print_stacktrace=1:$san" \
        ./tests/candela-tests --timeout 300 --tap="$out/unit.tap" "$@"
    status=$?
    [ -f "$out/unit.tap" ] || : >"$out/unit.tap"
    # What --filter left out is no test of this run.
    sed -i '/# SKIP *test was skipped$/d' "$out/unit.tap"
    sed -n 's/^ok - \(.*\)  *# SKIP/skipped: \1:/p' "$out/unit.tap"
    skip=$(grep -c '^ok .*# SKIP' "$out/unit.tap")
    pass=$(($(grep -c '^ok ' "$out/unit.tap") - skip))
    fail=$(grep -c '^not ok ' "$out/unit.tap")
    # The runner itself died, or found nothing to run: that is a failure too.
    if [ $fail = 0 ] && { [ $status != 0 ] || [ $((pass + skip)) = 0 ]; }; then
        echo "candela-tests ended with status $status after $((pass + skip)) tests" >&2
        fail=1
    fi
    for report in "$out"/sanitizer.*; do
        [ -f "$report" ] || continue
        cat "$report" >&2
        [ $fail != 0 ] || fail=1
    done
    add "$unit" "$pass" "$fail" "$skip"
}

# The suites that run guest code, as a pattern: they are run under the translator too.  Those of
# tests/accel/test_check.c choose their engines.
guest_suites()
{
    cd "$SRC/tests" &&
        sed -n 's/^Test(\([a-z0-9_]*\),.*/\1/p' cpu/test_*.c accel/test_*.c test_hostile.c \
            ui/test_monitor.c ui/test_monitor_live.c hw/test_modes.c |
            sort -u | grep -vx check | paste -sd '|' -
}

# run_script NAME SCRIPT OPTIONS...: a runner that ends with "N passed, N failed, N skipped".
run_script()
{
    name=$1 script=$2
    shift 2
    mkdir -p "$out/$name"
    # The status of the runner, not of tee.
    { sh "$SRC/tests/$script" --candela ./candela --out "$out/$name" "$@" 2>&1
      echo $? >"$out/$name.status"; } | tee "$out/$name.log"
    last=$(tail -n 1 "$out/$name.log")
    status=$(cat "$out/$name.status")
    counts=$(printf '%s\n' "$last" |
        sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p')
    if [ -z "$counts" ]; then
        echo "$script came to no end (status $status)" >&2
        counts="0 1 0"
    elif [ "$status" != 0 ]; then
        case $counts in
        *' 0 '*) counts="${counts%% *} 1 ${counts##* }" ;;
        esac
    fi
    # Three words, split on purpose.
    add "$name" $counts
}

for part in "$@"; do
    case $part in
    unit)
        run_unit unit interp --filter '!(xwindow)/*'
        run_unit unit-jit jit --filter "@($(guest_suites))/*"
        ;;
    boot) run_script boot boot/run_boot.sh ;;
    window) run_unit window jit --filter 'xwindow/*' ;;
    slow)
        run_script slow boot/run_boot.sh --slow
        # The /dev/kvm of this machine, if it is any good: without VT-x or AMD-V below it (kvm_pvm)
        # the kernel emulates the firmware at a million instructions a second.
        run_script kvm boot/run_boot.sh --accel kvm \
            --scale $((6 * ${CANDELA_TIME_SCALE:-1})) grub-cd-menu
        run_script nested nested/nested.sh # guests under KVM on AMD-V, one level down
        ;;
    *)
        echo "check.sh: unknown part '$part' (unit, boot, window, slow)" >&2
        exit 2
        ;;
    esac
done

line="$passed passed, $failed failed"
[ $skipped = 0 ] || line="$line, $skipped skipped"
printf '%s\n' "$line"
[ $failed = 0 ] && [ $parts -gt 0 ]
