"""The words and phrases that the prose check counts, and how it counts them.

The project used to be written in a private dialect of English. The check keeps that dialect out: it counts archaic
pronouns, and phrases that native technical writing does not use, per 1,000 words.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["pronouns", "phrases"]

PRONOUNS = r"somebody|nobody|everybody|anybody|whom?(?:so)?ever"

# Each alternative names what to write instead. A space matches any white space, so phrases are found across lines.
# A verb after "what": the phrase names a thing by a riddle.
_VERB = "(?:is|are|was|were|has|have|had|may|must|can|cannot|will|stands?|goes|comes?|came|waits?)"

PHRASES = (
    # "what is said", "what it has": name the thing instead. Questions ("What is Famichat?") are ordinary English.
    rf"what(?:ever)? {_VERB}\b(?![^.!;\n]*\?)",
    r"what (?:it|they|one|he|she) (?:is|are|was|were|has|have|had|may|must|says?|said|takes?|gives?|knows?|tells?)\b",
    r"all (?:that|there) (?:is|was|are|were|has|have|waits?)\b",  # everything, all the ...
    r"(?:is|are|was|were|be|been|being) (?:said|told)\b(?! apart)",  # is sent, is notified
    r"as (?:asked|told|said)\b(?! (?:above|before|earlier)\b)",  # as requested
    r"anew",  # again
    r"for ever",  # forever, permanently
    r"in earnest",  # in production
    r"no more(?=\s*(?:[.,;:)]|$)| and\b| when\b| here\b)",  # no longer
    r"(?:not|never|n't|no\w*|without)\b[^.;:]{0,60}? any more(?! than| \w+s\b)",  # no longer
    r"(?:put|puts|putting) (?:out|away)",  # remove, hide
    r"(?:take|takes|took|taken|taking) (?:back|away)",  # revoke, delete
    r"look(?:s|ed|ing)? after",  # manage
    r"(?:is|are|was|were) (?:here|there) (?:already|again|no more|any more|anew)",  # already exists, is online
    r"by (?:itself|themselves|himself|herself|oneself)",  # automatically
    r"oneself",
    r"(?:what|where|whom|when|as) one (?:is|has|had|was|may|can|must|does|did|sees?|says|said|wants?|goes|comes)\b",
    r"(?:of|to|for|by) whom one",
    r"hears? (?:nothing|of|no more)",  # receives nothing
    r"(?:has|have|had) never heard of",  # does not depend on
    r"(?:comes|came) by\b",  # connects
    r"nothing came of",  # failed
    r"stands? (?:here|there|beside|apart)\b",  # is listed here
    r"who (?:is|are|was|were) (?:here|there|in|out)(?=\s*[.,;:)])",  # who is online, the members
    r"(?:a|an) \w+ of (?:its|their|his|her|one's) own",  # its own ...
    r"(?:thereof|therein|whence|hither|thither|hitherto|henceforth|lest|ere)",
)


def _compiled(alternatives: Iterable[str]) -> re.Pattern[str]:
    anywhere = "|".join(f"(?:{alternative})" for alternative in alternatives)
    return re.compile(rf"\b(?:{anywhere})(?<=\S)(?!\w)".replace(" ", r"\s+"), re.IGNORECASE)


_PATTERNS: dict[Kind, re.Pattern[str]] = {"pronouns": _compiled([PRONOUNS]), "phrases": _compiled(PHRASES)}
_WORD = re.compile(r"[^\W\d_][\w'\u2019-]*")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of prose: one docstring, one block of comment lines, one document, one interface text."""

    path: Path
    line: int  # of its first character, counted from 1
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A word or phrase that counts, and where it is."""

    path: Path
    line: int
    kind: Kind
    found: str
    context: str


@dataclass(frozen=True, slots=True)
class Figures:
    """The result for a group of passages: how many words it has, and every hit."""

    words: int
    hits: tuple[Hit, ...]

    def rate(self, kind: Kind) -> float:
        """Return the hits of this kind per 1,000 words."""
        return 1000 * sum(hit.kind == kind for hit in self.hits) / max(self.words, 1)


def measure(passages: Iterable[Passage]) -> Figures:
    """Count the words of all passages, and find their hits."""
    words = 0
    hits: list[Hit] = []
    for passage in passages:
        words += len(_WORD.findall(passage.text))
        hits.extend(_hits(passage))
    return Figures(words, tuple(hits))


def _hits(passage: Passage) -> Iterator[Hit]:
    lines = passage.text.split("\n")
    for kind, pattern in _PATTERNS.items():
        for match in pattern.finditer(passage.text):
            index = passage.text.count("\n", 0, match.start())
            found = " ".join(match.group().split())
            yield Hit(passage.path, passage.line + index, kind, found, lines[index].strip())
