#!/usr/bin/env bash
# Builds the wheel, installs it into an environment of its own and runs it from other folders:
# code, presets, energy tables, workloads and weights must all have travelled.
# Environment: PYTHON, an interpreter whose environment has 'build' and all that the wheel requires.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$PYTHON" -m build --wheel --outdir "$work/dist" "$root" >"$work/build.log" 2>&1 ||
    { cat "$work/build.log"; exit 1; }
rm -rf "$root/build"
"$PYTHON" -m venv --without-pip "$work/venv"
pip=("$PYTHON" -m pip --python "$work/venv/bin/python")
"${pip[@]}" install --quiet --no-deps "$work"/dist/*.whl
site=$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$PYTHON" "$root/tests/link_requirements.py" "$site" accelsim
"${pip[@]}" check

for folder in / "$root"; do
    cd "$folder"
    "$work/venv/bin/accelsim" list
    "$work/venv/bin/accelsim" simulate lenet5_digits -m ax_fpm --images 2 --out "$work/run$RANDOM"
    # A plain interpreter in the repository's root imports the checkout instead; that must work too.
    "$work/venv/bin/python" -c 'import accelsim; print(*accelsim.WORKLOADS, accelsim.__file__)'
done
cd /
"$work/venv/bin/python" - <<'PYTHON'
from pathlib import Path

import accelsim

package = Path(accelsim.__file__).parent
assert "site-packages" in str(package), package
assert list(package.glob("workloads/*.safetensors")), "the wheel lacks the weights"
assert list(package.glob("energy_tables/*.csv")), "the wheel lacks the energy tables"
assert list(package.glob("presets/*.yaml")), "the wheel lacks the presets"
assert list(package.glob("rtl/verilog/*.sv")), "the wheel lacks the RTL"
assert {"page.html", "page.css", "page.js"} <= {one.name for one in package.glob("report/*")}
print("the wheel is complete")
PYTHON
