#!/bin/sh
# Checks and tests the scripts of the pages, where Node is installed; in CI it must be.
if command -v node >/dev/null 2>&1; then exec node --test --test-reporter=dot tests/js/scripts.test.mjs; fi
if [ "${CI:-}" = true ]; then echo "Node is missing: the scripts of the pages cannot be tested." >&2; exit 1; fi
echo "Node is not installed: the scripts of the pages were not checked."
