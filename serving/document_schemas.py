"""Owns the shapes of POST /v1/documents: what is asked within JSON, and what is answered."""

from pydantic import BaseModel, ConfigDict, Field

from serving.schemas import READABLE, FailedItem, ItemFailure, LabelName, ModelIdentity, Prediction, Score

EXPLAIN = (
    "also say which sentence carries each answer, and give each paragraph's `text`; up to 17 times the work. A "
    "paragraph for which that takes too long has `evidence_error`, and all else"
)
LINES = "also give each paragraph's `lines`"
_LINES_OF = "asked for by `lines`: the words that were classified, at their own line ends, without marks"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DocumentRequest(_Strict):
    """A document as text, within JSON."""

    text: str = Field(
        description="the document; blank lines part its paragraphs",
        json_schema_extra=READABLE,  # what is blank is refused as holding no text
    )
    model: str | None = Field(default=None, description="which model; the default one if not given")
    explain: bool = Field(default=False, description=EXPLAIN)
    lines: bool = Field(default=False, description=LINES)
    thresholds: dict[LabelName, Score] = Field(default_factory=dict, max_length=256, description="as in /v1/classify")


class Interval(_Strict):
    """A figure with its interval, which reaches at least half a paragraph to either side of it, where there is room."""

    value: float
    low: float
    high: float


class LabelSummary(_Strict):
    """One label in a document."""

    share: Interval = Field(description="of the paragraphs, expected by their scores")
    n_given: int = Field(description="paragraphs that were given the label")


class HeadSummary(_Strict):
    """One head in a document."""

    labels: dict[str, LabelSummary]
    n_abstained: int | None = Field(default=None, description="one-of: paragraphs better left to a reader")
    balance: Interval | None = Field(
        default=None, description="of a head with poles: share of the first minus share of the second, from 1 to -1"
    )


class DocumentSummary(_Strict):
    """A document as a whole; intervals hold if scores are calibrated for it and its paragraphs err independently."""

    level: float = Field(description="least probability of each interval")
    n_paragraphs: int = Field(description="classified ones")
    n_left_out: int = Field(
        description="of these, for their warnings: `heads` are of the others, or of all if there are no others"
    )
    warnings: dict[str, int] = Field(description="how many paragraphs have each")
    heads: dict[str, HeadSummary]


class DocumentParagraph(Prediction):
    """A classified paragraph and where it stood."""

    paragraph: int = Field(ge=0, description="its number in the document")
    start: int = Field(ge=0, description="first character, in the text as sent or as extracted")
    end: int = Field(ge=0, description="one past the last")
    page: int | None = Field(default=None, ge=1, description="of a PDF: the page on which it begins, counted from 1")
    section: str | None = Field(
        default=None,
        description="the last heading above it, where headings are marked: HTML, .docx, PDF, Markdown; "
        "in an e-mail also its subject",
    )
    speaker: str | None = Field(
        default=None, description="of a transcript: who speaks, as the name stands where they first begin"
    )
    text: str | None = Field(
        default=None,
        description="the words that were classified, without marks and line ends: with `explain`, since places of "
        "`evidence` count in them, and where more than marks stands between them, such as times of subtitles",
    )
    evidence_error: ItemFailure | None = Field(
        default=None,
        description="with `explain`: why `evidence` is null, where it could not be found in time; all else is complete",
    )
    lines: str | None = Field(default=None, description=_LINES_OF)


class FailedParagraph(FailedItem):
    """A paragraph that could not be classified, such as one that is too long, and where it stood."""

    paragraph: int
    start: int
    end: int
    page: int | None = None
    section: str | None = None
    speaker: str | None = None
    lines: str | None = Field(default=None, description=_LINES_OF)


class DocumentInfo(_Strict):
    """What was read."""

    media_type: str
    n_chars: int
    n_paragraphs: int
    text: str | None = Field(description="what offsets count in, where it is not the text that was sent")
    notes: list[str] | None = Field(
        default=None, description="of an e-mail, where there are any: what of it is not read, such as attachments"
    )


class DocumentResponse(_Strict):
    """A classified document."""

    model: ModelIdentity
    document: DocumentInfo
    paragraphs: list[DocumentParagraph | FailedParagraph]
    summary: DocumentSummary | None = Field(description="null when no paragraph could be classified")
