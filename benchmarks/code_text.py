"""Program text in ten languages, from packages with free licences, to train tokenizers on and to measure them with.

    python benchmarks/code_text.py OUT [--kept FOLDER] [--megabytes 5]

Fetches the packages of `PACKAGES` by name through `apt-get download` (after `apt-get update`), `npm pack` and `pip
download`, into --kept, where those of an earlier run are taken as they are. Writes OUT/train/code_LANGUAGE.jsonl.zst
and OUT/eval/code_LANGUAGE.jsonl.zst, a file of source a line, with its package and licence: layout and names that
`benchmarks/tokenizer.py` reads. No package is in both parts; Java, PHP and Ruby are in none but the second. Files that
occur twice, generated and minified ones are left out. The texts are measured, never committed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import tarfile
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import zstandard

from axk1.runs import write_whole

Part = Literal["train", "eval"]
SUFFIXES = {
    "c": (".c", ".h"),
    "cpp": (".cc", ".cpp", ".hpp", ".h"),
    "go": (".go",),
    "java": (".java",),
    "javascript": (".js", ".mjs", ".cjs"),
    "perl": (".pm", ".pl"),
    "php": (".php",),
    "python": (".py",),
    "ruby": (".rb",),
    "rust": (".rs",),
    "typescript": (".ts", ".mts"),
}
FILE_BYTES = range(400, 200_000)
LONGEST_LINE = 400  # a file with a longer one is minified, or data
EVAL_BYTES = 1_000_000
GENERATED = ("/dist/", "/build/", "/cjs/", "/esm", "/umd/", ".min.", "/locales/", "/third_party/", "/test-data/")


@dataclass(frozen=True)
class Package:
    """`licence` is what its copyright file or metadata names; `inside`: a part of the path of the files that count."""

    part: Part
    language: str
    source: Literal["debian", "npm", "pypi"]
    name: str
    licence: str
    inside: str = ""


def listed(part: Part, language: str, source: Literal["debian", "npm", "pypi"], names: str) -> list[Package]:
    """NAME:LICENCE[:PART OF A PATH] …"""
    return [Package(part, language, source, *entry.split(":")) for entry in names.split()]


PACKAGES = [
    *listed("train", "c", "debian", "linux-libc-dev:GPL-2.0-with-Linux-syscall-note libglib2.0-dev:LGPL-2.1"),
    *listed("train", "c", "npm", "lmdb:MIT:/liblmdb/"),
    *listed("eval", "c", "npm", "hiredis:BSD-3-Clause:/hiredis/"),
    *listed("eval", "c", "debian", "libcurl4-openssl-dev:curl libxml2-dev:MIT"),
    *listed("train", "cpp", "debian", "libboost1.81-dev:BSL-1.0"),
    *listed("train", "cpp", "npm", "re2:BSD-3-Clause:/vendor/"),
    *listed("eval", "cpp", "npm", "leveldown:MIT:/leveldb-"),
    *listed("eval", "cpp", "debian", "libfmt-dev:MIT"),
    *listed("train", "go", "debian", "golang-1.19-src:BSD-3-Clause golang-github-docker-docker-dev:Apache-2.0"),
    *listed("eval", "go", "debian", "golang-github-gin-gonic-gin-dev:MIT golang-github-spf13-cobra-dev:Apache-2.0"),
    *listed("eval", "go", "debian", "golang-github-prometheus-client-golang-dev:Apache-2.0"),
    *listed("eval", "go", "debian", "golang-github-hashicorp-raft-dev:MPL-2.0"),
    *listed("train", "javascript", "npm", "lodash:MIT express:MIT webpack:MIT eslint:MIT three:MIT"),
    *listed("eval", "javascript", "npm", "fastify:MIT axios:MIT:/lib/ mocha:MIT"),
    *listed("train", "perl", "debian", "perl-modules-5.36:Artistic-1.0-Perl"),
    *listed("eval", "perl", "debian", "libmojolicious-perl:Artistic-2.0"),
    *listed("train", "python", "pypi", "django:BSD-3-Clause sqlalchemy:MIT sympy:BSD-3-Clause networkx:BSD-3-Clause"),
    *listed("eval", "python", "pypi", "pytest:MIT attrs:MIT requests:Apache-2.0"),
    *listed("train", "rust", "debian", "rust-src:MIT librust-syn-dev:MIT librust-tokio-dev:MIT librust-image-dev:MIT"),
    *listed("eval", "rust", "debian", "librust-clap-3-dev:MIT librust-regex-dev:MIT librust-hyper-dev:MIT"),
    *listed("eval", "rust", "debian", "librust-rayon-dev:MIT"),
    *listed("train", "typescript", "npm", "rxjs:Apache-2.0:/src/ zod:MIT:/src/ effect:MIT:/src/ @types/node:MIT"),
    *listed("eval", "typescript", "npm", "@tanstack/query-core:MIT:/src/ @reduxjs/toolkit:MIT:/src/"),
    *listed("eval", "java", "debian", "openjdk-17-source:GPL-2.0-with-classpath-exception"),
    *listed("eval", "php", "debian", "php-symfony-console:MIT"),
    *listed("eval", "ruby", "debian", "ruby-activerecord:MIT"),
]


def main() -> None:
    """Fetch, unpack, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kept", type=Path, default=Path("runs/peers/code"), help="downloaded packages")
    parser.add_argument("--megabytes", type=float, default=5.0, help="of each language, for training")
    options = parser.parse_args()
    texts: dict[tuple[Part, str], list[dict[str, str]]] = defaultdict(list)
    seen: set[bytes] = set()
    for package in sorted(PACKAGES, key=lambda one: one.part):  # eval first: what both have is measured, not trained on
        for place, text in sources(fetched(package, options.kept / package.source), package):
            digest = hashlib.sha256(text.encode("utf-8")).digest()
            if digest not in seen:
                seen.add(digest)
                about = {"package": package.name, "licence": package.licence, "path": place, "text": text}
                texts[package.part, package.language].append(about)
    for (part, language), files in sorted(texts.items()):
        most = options.megabytes * 1e6 if part == "train" else EVAL_BYTES
        taken = shares(files, most)
        write(options.out / part / f"code_{language}.jsonl.zst", taken)
        size = sum(len(file["text"].encode("utf-8")) for file in taken) / 1e6
        print(f"{part} {language}: {len(taken):,} of {len(files):,} files, {size:.2f} MB")


def fetched(package: Package, kept: Path) -> Path:
    """The downloaded archive, under the name of its package."""
    path = kept / package.name.replace("/", "-").lstrip("@")
    if path.exists():
        return path
    kept.mkdir(parents=True, exist_ok=True)
    command = {
        "debian": ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package.name],
        "npm": ["npm", "pack", "--silent", package.name],
        "pypi": ["pip", "download", "-q", "--no-deps", "--only-binary=:all:", package.name],
    }[package.source]
    with tempfile.TemporaryDirectory(dir=kept) as folder:
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (found,) = Path(folder).iterdir()
        found.rename(path)
    return path


def sources(archive: Path, package: Package) -> Iterator[tuple[str, str]]:
    """The files of the package's language that look written by hand, in the order of their names."""
    with tempfile.TemporaryDirectory() as folder:
        unpack(archive, Path(folder), package)
        for path in sorted(Path(folder).rglob("*")):
            place = "/" + path.relative_to(folder).as_posix()
            if path.suffix in SUFFIXES[package.language] and path.is_file() and not path.is_symlink():
                text = readable(path, place, package)
                if text:
                    yield place, text


def readable(path: Path, place: str, package: Package) -> str | None:
    if package.inside not in place or any(mark in place for mark in GENERATED):
        return None
    if path.stat().st_size not in FILE_BYTES:
        return None
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if max(map(len, text.split("\n"))) <= LONGEST_LINE else None


def unpack(archive: Path, folder: Path, package: Package) -> None:
    if package.source == "debian":
        subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
    elif package.source == "npm":
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
    else:
        unzip(archive, folder)
    for inner in folder.rglob("src.zip"):  # where OpenJDK keeps its sources
        unzip(inner, folder)


def unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder, [name for name in file.namelist() if ".." not in PurePosixPath(name).parts])


def shares(files: list[dict[str, str]], most: float) -> list[dict[str, str]]:
    """Up to `most` bytes, as much of each package as of the others while it has any; shuffled."""
    by_package: dict[str, list[dict[str, str]]] = defaultdict(list)
    for file in files:
        by_package[file["package"]].append(file)
    rng, taken, size = random.Random(0), list[dict[str, str]](), 0.0
    for some in by_package.values():
        rng.shuffle(some)
    spent = dict.fromkeys(by_package, 0)
    while size < most and any(by_package.values()):
        name = min((name for name, some in by_package.items() if some), key=spent.__getitem__)
        file = by_package[name].pop()
        bytes_ = len(file["text"].encode("utf-8"))
        spent[name], size = spent[name] + bytes_, size + bytes_
        taken.append(file)
    rng.shuffle(taken)
    return taken


def write(path: Path, files: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(file, ensure_ascii=False) + "\n" for file in files)
    write_whole(path, zstandard.compress(lines.encode("utf-8"), 10))


if __name__ == "__main__":
    main()
