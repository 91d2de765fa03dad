#!/bin/sh
# Makes sure that a Chromium or Chrome is there for the browser tests; installs Debian's package where that needs no
# question. Never fails: what a missing browser means is decided by tests/browser/conftest.py.
set -u
if [ -n "${CHROMIUM:-}" ] && [ -x "$CHROMIUM" ]; then exit 0; fi
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ]; then exit 0; fi

if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then as_root=""
    elif sudo -n true >/dev/null 2>&1; then as_root="sudo -n"
    else as_root="none"; fi
    if [ "$as_root" != none ]; then
        echo "Installing Chromium for the browser tests ..."
        export DEBIAN_FRONTEND=noninteractive
        if { $as_root apt-get install -y -qq --no-install-recommends chromium ||
            { $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends chromium; }; } \
            >/dev/null 2>&1; then exit 0; fi
    fi
fi
echo "No Chromium found and none could be installed: the browser tests are skipped." \
    "Install Chromium or Chrome, or set CHROMIUM to its path, to run them."
