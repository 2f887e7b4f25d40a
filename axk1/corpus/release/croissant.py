"""The release in the Croissant vocabulary 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html)."""

from hashlib import file_digest
from pathlib import Path
from typing import Any

from axk1.corpus.release.settings import ReleaseSettings
from axk1.corpus.release.statistics import Statistics
from axk1.corpus.release.tables import COLUMNS

__all__ = ["croissant"]

_TERMS = (
    "citeAs", "column", "dataType", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet",
    "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references",
    "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    **{term: f"cr:{term}" for term in _TERMS},
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}
_DESCRIPTIONS = {
    "text": "the document, NFC",
    "id": "file and line, or row, of its source",
    "source": "the name of its source",
    "license": "SPDX expression",
    "attribution": "whom to name",
    "url": "where the text came from",
    "changes": "what was done to it beside the steps in provenance.json",
    "metadata": "what is known beside, as a JSON object",
}
_PARQUET = "application/x-parquet"


def croissant(settings: ReleaseSettings, statistics: Statistics, folder: Path) -> dict[str, Any]:
    """The description of the Parquet files that lie in `folder`/data, with their digests."""
    files = sorted((folder / "data").glob("*.parquet"))
    splits = sorted({file.name.partition("-")[0] for file in files})
    creators = ", ".join(settings.creators)
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": settings.name,
        "description": settings.description_en,
        "license": sorted(map(_address, statistics.by("license"))),
        "url": settings.url,
        "version": settings.version,
        "datePublished": settings.date,
        "creator": [{"@type": "sc:Organization", "name": name} for name in settings.creators],
        "citeAs": f"{creators}: {settings.name} {settings.version}, {settings.date}. {settings.url}",
        "inLanguage": ["ko", "en"],
        "distribution": [*(_file(file) for file in files), *(_file_set(split) for split in splits)],
        "recordSet": [_record_set(split) for split in splits],
    }


def _address(license_: str) -> str:
    """Croissant wants an address or a name; SPDX has a page for single licences of its list."""
    single = " " not in license_ and not license_.startswith("LicenseRef-")
    return f"https://spdx.org/licenses/{license_}.html" if single else license_


def _file(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        digest = file_digest(opened, "sha256").hexdigest()
    place = f"data/{file.name}"
    return {
        "@type": "cr:FileObject",
        "@id": place,
        "name": file.stem,
        "contentUrl": place,
        "contentSize": f"{file.stat().st_size} B",
        "encodingFormat": _PARQUET,
        "sha256": digest,
    }


def _file_set(split: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{split}-files",
        "name": f"{split}-files",
        "encodingFormat": _PARQUET,
        "includes": f"data/{split}-*.parquet",
    }


def _record_set(split: str) -> dict[str, Any]:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{split}/{column}",
            "name": column,
            "description": _DESCRIPTIONS[column],
            "dataType": "sc:Text",
            "source": {"fileSet": {"@id": f"{split}-files"}, "extract": {"column": column}},
        }
        for column in COLUMNS
    ]
    return {"@type": "cr:RecordSet", "@id": split, "name": split, "field": fields}
