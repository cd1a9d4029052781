"""The report's box “Look here first”."""

import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.report import write
from tests.curation import release_fixture

pytestmark = pytest.mark.slow


def test_the_box_names_leaks_and_the_words_that_tell_a_class(tmp_path):
    folder = release_fixture.make(tmp_path / "sandbox" / "1.0.0", leakage="paper", images=False)
    for path in folder.glob("t*.parquet"):
        table = pq.read_table(path)
        texts = [
            f"{text or ''} quickmeme.com" if label == 2 else text
            for text, label in zip(table["text"].to_pylist(), table["label"].to_pylist(), strict=True)
        ]
        place = table.schema.get_field_index("text")
        pq.write_table(table.set_column(place, table.field("text"), pa.array(texts, pa.string())), path)
    page = write(folder).read_text()
    box = page[page.index('id="look-first"') : page.index("</section>", page.index('id="look-first"'))]
    said = re.sub(r"<[^>]+>", "", box)
    assert re.search(r"\d of \d+ test posts (has|have) a duplicate in training", said)
    assert re.search(r"2 marks of sites tell the label: “com” \((\d+) of \1 rows are anger\)", said)
    assert [place for place in re.findall(r'href="#(\w+)"', box) if f'id="{place}"' not in page] == []
    assert "<bdi>quickmeme</bdi>" in box
    assert write(folder).read_text() == page
