"""The summary at the end of a crawl: the outcome of every post and every linked image is counted."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affectory.core.errors import AffectoryError
from affectory.core.html.notebook import snippet, table
from affectory.core.numbers import count
from affectory.core.progress import span
from collectors.crawl.source import Failure
from collectors.http.answers import NO_ANSWER

#: Outcomes of posts that are in the store now, in the order of the summary.
STORED = ("new", "updated", "known")

#: How many hosts the summary names that gave no answer or refused images; the others are counted.
HOSTS_NAMED = 5


@dataclass(frozen=True, slots=True, repr=False)
class Summary:
    """What a crawl has done. `str()` asserts that the parts add up to the totals."""

    asked: int
    posts: Counter[str]
    by_community: Mapping[str, int]
    media: Counter[tuple[str, str | None]]
    fetched: Counter[str]
    failures: Sequence[Failure]
    trouble: AffectoryError | None
    folder: Path
    seconds: float
    interrupted: bool
    stopped_by: int = signal.SIGINT  # the signal, if interrupted
    notes: Sequence[str] = ()
    silent: Mapping[str, Counter[str]] = field(default_factory=dict)  # hosts without any answer: reasons
    refusals: Sequence[tuple[str, str, int]] = ()  # host, signal, images
    robots_unknown: Collection[str] = ()  # hosts whose robots.txt was asked for in vain

    @property
    def exit_code(self) -> int:
        """0; 1 if a part failed; 2 if nothing was collected; 130 after Ctrl-C, 143 after SIGTERM."""
        if self.interrupted:
            return 128 + self.stopped_by
        if self.failures or self.trouble is not None:
            worked = self.fetched["stored"] or any(self.posts[k] for k in STORED)
            return 1 if worked else 2
        return 1 if self.silent else 0

    def __str__(self) -> str:
        assert self.asked == self.posts.total(), (self.asked, self.posts)
        of = [f"{name} {n:,}" for name, n in self.by_community.items()]
        lines = [
            _sum("posts", "asked", self.asked, [(k, self.posts[k]) for k in _order(self.posts, STORED)]),
            *(["        " + " · ".join(of)] if of else []),
            _sum("images", "linked", self.media.total(), self._images()),
        ]
        if self.fetched.total():
            parts = " + ".join(f"{n:,} {_words(r)}" for r, n in self.fetched.most_common())
            lines.append(f"        in this run: {parts}")
        lines += [f"note    {note}" for note in [*self.notes, *self._refused()]]
        lines += [f"problem {problem}" for problem in self._problems()]
        lines.append(f"store   {self.folder}  ({span(self.seconds)}{', interrupted' * self.interrupted})")
        if hint := self._next():
            lines.append(f"next    {hint}")
        return "\n".join(lines)

    __repr__ = __str__

    def as_json(self) -> dict[str, Any]:
        """Return all counts, notes and problems, as `--json` prints them."""
        return {
            "store": str(self.folder),
            "posts": dict(self.posts),
            "communities": dict(self.by_community),
            "images": dict(self._images()),
            "fetched": dict(self.fetched),
            "notes": [*self.notes, *self._refused()],
            "problems": self._problems(),
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "next": self._next() or None,
        }

    def _repr_html_(self) -> str:
        """Return what a notebook shows: posts and images by their outcome, notes and problems."""
        posts = [(k, self.posts[k]) for k in _order(self.posts, STORED)]
        of_each = {"posts": posts, "images": self._images()}
        return snippet(
            f"{self.folder}{', interrupted' * self.interrupted}",
            *(
                table([name, "number"], [(_words(what), f"{n:,}") for what, n in counts])
                for name, counts in of_each.items()
                if counts
            ),
            notes=[*self.notes, *self._refused(), *self._problems(), *filter(None, [self._next()])],
            paths={"store": self.folder},
        )

    def _problems(self) -> list[str]:
        return [
            *(str(one.error) for one in self.failures),
            *self._silent(),
            *map(str, filter(None, [self.trouble])),
        ]

    def _silent(self) -> list[str]:
        """Return the hosts without any answer, those with the most images first, with the next step."""
        hosts = sorted(self.silent, key=lambda host: (-self.silent[host].total(), host))
        lines = [
            f"{host} gave no answer for {count(self.silent[host].total(), 'image')} "
            f"({_words(self.silent[host].most_common(1)[0][0])}): check whether it can be reached, "
            f"and run the same command again later{self._without_robots(host)}"
            for host in hosts[:HOSTS_NAMED]
        ]
        if rest := hosts[HOSTS_NAMED:]:
            images = sum(self.silent[host].total() for host in rest)
            lines.append(f"{count(len(rest), 'more host')} gave no answer for {count(images, 'image')}")
        return lines

    def _without_robots(self, host: str) -> str:
        """Return the option to name if a host answers, but not with its robots.txt; else ""."""
        answers = not self.silent[host].keys().isdisjoint(("server_error", "rate_limited"))
        only_robots = answers and host in self.robots_unknown
        return "; if only its robots.txt fails, --no-honour-robots takes them" * only_robots

    def _refused(self) -> list[str]:
        """Return the hosts that refuse images, those with the most images first, with the next step."""
        lines = [
            f"{host} refused {count(images, 'image')} ({signal}); --no-honour-robots takes them"
            for host, signal, images in self.refusals[:HOSTS_NAMED]
        ]
        if rest := self.refusals[HOSTS_NAMED:]:
            images, hosts = sum(images for *_, images in rest), len({host for host, *_ in rest})
            lines.append(f"{count(hosts, 'more host')} refused {count(images, 'image')}")
        return lines

    def _images(self) -> list[tuple[str, int]]:
        """Return the counts of images: stored, pending, then each reason with its status."""
        named: Counter[str] = Counter()
        for (status, reason), n in self.media.items():
            named[status if reason is None or status in ("stored", "pending") else f"{status}: {reason}"] += n
        return [(name, named[name]) for name in _order(named, ("stored", "pending"))]

    def _next(self) -> str:
        waiting = sum(n for (status, _), n in self.media.items() if status == "pending")
        again = "run the same command again to continue"
        if self.trouble and not self.interrupted:  # a refused key, a full disk
            return f"fix the problem, then {again}"
        if self.interrupted or (waiting and self.fetched.total()):
            return again
        if waiting and self.posts["new"]:  # later runs that ask for known posts leave images as they are
            return f"{count(waiting, 'image waits', 'images wait')}: run again with --media"
        return ""


def silent_hosts(by_host: Mapping[str, Counter[str]]) -> dict[str, Counter[str]]:
    """Return the hosts that answered no request in a run, with the reasons.

    A refusal or a 404 is an answer.
    """
    return {host: counts for host, counts in by_host.items() if counts.keys() <= NO_ANSWER}


def _order(counts: Counter[str], first: Sequence[str]) -> list[str]:
    rest = sorted(counts.keys() - set(first), key=lambda k: (-counts[k], k))
    return [k for k in (*first, *rest) if counts[k]]


def _sum(what: str, verb: str, total: int, parts: Sequence[tuple[str, int]]) -> str:
    assert total == sum(n for _, n in parts), (total, parts)
    shown = " + ".join(f"{n:,} {_words(name)}" for name, n in parts) or "0"
    return f"{what:<7} {verb} {total:,} = {shown}"


def _words(reason: str) -> str:
    return reason.replace("_", " ")
