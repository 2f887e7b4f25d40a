"""Whose text a document is, and what may be done with it."""

from axk1.corpus.documents import Document
from axk1.corpus.release.settings import ReleaseSettings, SourceTerms, require_spdx
from axk1.corpus.streams import CorpusError

__all__ = ["terms_of"]


def terms_of(document: Document, settings: ReleaseSettings) -> SourceTerms:
    """The document's own metadata over what the settings say of its source. CorpusError when no licence is known."""
    of_source = settings.sources.get(document.source) or SourceTerms()
    own = {name: str(document.metadata.get(name) or "") for name in ("license", "attribution", "url", "changes")}
    license_ = own["license"] or of_source.license
    if not license_:
        raise CorpusError(
            f"document {document.id} of source {document.source!r} has no licence: give it in"
            f' [sources.{document.source}] license = "SPDX", or as a field `license` of the document'
        )
    try:
        names = require_spdx(license_)
    except ValueError as error:
        raise CorpusError(f"document {document.id} of source {document.source!r}: {error}") from error
    if missing := sorted(name for name in names if name.startswith("LicenseRef-") and name not in settings.licenses):
        raise CorpusError(f"license {missing[0]}: write what it says in [licenses.{missing[0]}] name and text")
    return SourceTerms(
        license_,
        own["attribution"] or of_source.attribution,
        own["url"] or of_source.url,
        own["changes"] or of_source.changes,
    )
