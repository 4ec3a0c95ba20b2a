#!/bin/sh
# The static checks: `make lint`.  Usage: lint.sh OBJDIR, with SRC set to the source folder.
#
# Each check is a file of its own here and prints what it finds as "FILE:LINE: what is wrong";
# lines that begin with "warning: " do not fail.  The last line counts: "lint: N checks passed, N
# failed".
set -u
LC_ALL=C
export LC_ALL

objdir=${1:?usage: lint.sh OBJDIR}
objdir=$(cd "$objdir" && pwd) || exit 1
cd "${SRC:?}" || exit 1
here=tests/lint
passed=0 failed=0
found=$(mktemp) || exit 1
trap 'rm -f "$found"' EXIT
trap 'exit 1' HUP INT TERM

# files FOLDERS SUFFIXES: names under the folders, one a line.
files()
{
    for dir in $1; do
        [ -d "$dir" ] || continue
        for suffix in $2; do
            find "$dir" -type f -name "*.$suffix"
        done
    done | sort
}

production="hw cpu accel vhd ui"
code=$(files "$production" "c h")
all_code=$(files "$production tests pc-bios" "c h inc S")
scripts="configure .ci/run $(files "tests" "sh awk")"

# check NAME COMMAND...: a check fails when it prints something that is no warning, or ends with an
# error.
check()
{
    name=$1
    shift
    "$@" >"$found" 2>&1
    status=$?
    cat "$found"
    if [ $status -ne 0 ] || grep -qv '^warning: ' "$found"; then
        printf 'FAIL  %s\n' "$name"
        failed=$((failed + 1))
    else
        printf 'ok    %s\n' "$name"
        passed=$((passed + 1))
    fi
}

# on_files PROGRAM FILES: awk over the files; an empty list is fine and must not read stdin.
on_files()
{
    program=$1
    shift
    [ $# -eq 0 ] || awk -f "$here/$program" "$@"
}

# Criterion ends with status 1 when a test that passes has logged a warning or an error.
check_logs()
{
    grep -n 'cr_log_\(warn\|error\)' $(files "tests" "c h") |
        sed 's/:\([0-9]*\):.*/:\1: cr_log_warn and cr_log_error fail the run; use fprintf/'
}

check_scripts()
{
    for f in $scripts; do
        case $(sed 1q "$f") in
        '#!/bin/sh'*) sh -n "$f" || echo "$f: not POSIX sh" ;;
        '#!'*bash*) bash -n "$f" || echo "$f: not bash" ;;
        esac
    done
}

check_format()
{
    if ! command -v clang-format >/dev/null; then
        echo "warning: clang-format is not installed; layout not compared"
        return
    fi
    for f in $(files "$production tests" "c h"); do
        clang-format --dry-run -Werror "$f" >/dev/null 2>&1 ||
            echo "$f:1: differs from what clang-format makes of it"
    done
}

# tool COMMAND: is it there?  What it would have looked at is named otherwise.
tool()
{
    command -v "$1" >/dev/null || { echo "warning: $1 is not installed; $2 not read"; return 1; }
}

# A page is read by man (groff) and by mandoc; what only the latter says is told where it is there.
check_manuals()
{
    for f in docs/man/*.[1-8]; do
        if tool groff "$f"; then
            groff -man -ww -Tutf8 -z "$f" 2>&1
        fi
        if command -v mandoc >/dev/null; then
            mandoc -T lint -W warning "$f"
        fi
    done
}

check_desktop()
{
    if tool desktop-file-validate data/*.desktop; then
        desktop-file-validate data/*.desktop
    fi
    if tool appstreamcli data/candela.metainfo.xml; then
        appstreamcli validate --no-net --no-color data/candela.metainfo.xml >"$found.xml" 2>&1 ||
            cat "$found.xml"
    fi
    if tool update-mime-database data/candela.mime.xml; then
        mkdir -p "$found.d/mime/packages" &&
            cp data/candela.mime.xml "$found.d/mime/packages/" &&
            XDG_DATA_HOME=$found.d update-mime-database "$found.d/mime" 2>&1
    fi
    rm -rf "$found.xml" "$found.d"
}

# configure has the version; who cannot read it there says the same.
check_version()
{
    version=$(sed -n 's/^version=//p' configure)
    grep -q "<release version=\"$version\"" data/candela.metainfo.xml ||
        echo "data/candela.metainfo.xml: no release $version, which configure says this is"
    sed 1q debian/changelog | grep -q "^candela ($version)" ||
        echo "debian/changelog: the first entry is not $version, which configure says this is"
}

# The lists are split into words on purpose: configure refuses folders with blanks.
check "layers (who may include whom)" on_files includes.awk $(files "$production tests" "c h inc S")
check "no writable globals" sh "$here/globals.sh" "$objdir"
check "sizes of functions and files" on_files sizes.awk $(files "$production tests" "c h")
check "calls that are not allowed" on_files banned.awk $code
check "header comments" on_files header.awk $code
check "tabs, line ends, line lengths" on_files layout.awk $all_code $scripts
check "logs of tests" check_logs
check "scripts" check_scripts
check "manual pages" check_manuals
check "desktop files" check_desktop
check "one version" check_version
check "clang-format" check_format

printf 'lint: %d checks passed, %d failed\n' "$passed" "$failed"
[ $failed -eq 0 ]
