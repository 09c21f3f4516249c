"""Compares the page's vendored libraries with the npm packages they come from, or fetches them anew.

    python tests/page/vendored.py            # exit 1 and a list where a file differs, 2 where npm reaches no registry
    python tests/page/vendored.py --write    # take the files of the versions in vendored.json

`vendored.json` beside this file pins each package by version and SHA-512. Files are taken over byte for byte, but for
the Parquet writer: it is many small modules with bare imports, so esbuild, itself pinned, joins them into one.
"""

import argparse
import base64
import hashlib
import json
import platform
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PINS = json.loads((Path(__file__).with_name("vendored.json")).read_text(encoding="utf-8"))


def fetch(name, version, integrity, folder):
    """Fetch one package through npm, check its SHA-512, and unpack it where Node would look for it."""
    done = subprocess.run(
        ["npm", "pack", f"{name}@{version}", "--json", "--silent"],
        cwd=folder, capture_output=True, check=False, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.stderr.write(f"{name}@{version} cannot be fetched: {done.stderr.strip() or done.stdout.strip()}\n")
        raise SystemExit(2)
    packed = json.loads(done.stdout)
    packed = next(iter(packed.values())) if isinstance(packed, dict) else packed[0]
    archive = folder / packed["filename"].replace("@", "").replace("/", "-")
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != integrity:
        raise SystemExit(f"{name}@{version} has the digest {digest}; vendored.json pins {integrity}")
    target = folder / "node_modules" / name
    target.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            member.name = member.name.partition("/")[2]
            if member.name and member.isfile():
                tar.extract(member, target, filter="data")


def make(pin, folder):
    """The bytes that the vendored file must have."""
    if pin["how"] == "copy":
        return (folder / "node_modules" / pin["from"]).read_bytes()
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower(), "x64")
    esbuild = folder / "node_modules" / f"@esbuild/{sys.platform}-{machine}" / "bin" / "esbuild"
    esbuild.chmod(0o755)
    built = subprocess.run(
        [esbuild, f"node_modules/{pin['from']}", "--bundle", "--format=esm", "--minify", "--target=es2022",
         "--legal-comments=none", "--log-level=error"],
        cwd=folder, capture_output=True, check=True,
    ).stdout  # fmt: skip
    return f"/* {pin['banner']} */\n".encode() + built


def main():
    """Compare or write; the exit code is 1 where a file differs."""
    parser = argparse.ArgumentParser(description="Compare the vendored libraries with their npm packages.")
    parser.add_argument("--write", action="store_true", help="write the files instead of comparing them")
    write = parser.parse_args().write
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for package in PINS["packages"]:
            if (
                package.get("platform", f"{sys.platform}-{platform.machine()}")
                == f"{sys.platform}-{platform.machine()}"
            ):
                fetch(package["name"], package["version"], package["integrity"], folder)
        for pin in PINS["files"]:
            content, path = make(pin, folder), ROOT / pin["path"]
            if write:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                pin["sha256"] = hashlib.sha256(content).hexdigest()
            elif not path.is_file() or path.read_bytes() != content:
                wrong.append(pin["path"])
    if write:
        text = json.dumps(PINS, indent=2) + "\n"
        Path(__file__).with_name("vendored.json").write_text(text, encoding="utf-8")
    for path in wrong:
        sys.stderr.write(f"{path} differs from its package; see tests/page/vendored.json\n")
    sys.stdout.write(f"{len(PINS['files']) - len(wrong)} of {len(PINS['files'])} vendored files are their packages'\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
