# tools.sh - sourced by the scripts beside it: the pinned tools, installed when they are not there.
# Without npm the script that sources this says so and ends well: nothing was checked.
# shellcheck shell=sh
if ! command -v npm >/dev/null 2>&1; then
    echo 'skipped: npm is not installed'
    exit 0
fi
# npm writes this file last, so that an interrupted or outdated installation is done again.
if [ -z "$(find tests/conformance/node_modules/.package-lock.json -newer tests/conformance/package-lock.json 2>/dev/null)" ]; then
    (cd tests/conformance && timeout 120 npm ci --prefer-offline --loglevel=error >&2) || {
        # A registry that cannot be reached is no fault of what is checked.
        [ -n "${CI:-}" ] || exit 1
        echo 'skipped: npm could not fetch the tools'
        exit 0
    }
fi
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
