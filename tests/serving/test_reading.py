import pytest

from serving.reading import estimate_tokens
from twohands.encoding import ParagraphEncoder
from twohands.locate import find_model
from twohands.windows import WindowRule

RULE = WindowRule(max_tokens=100, overlap_tokens=10, max_windows=2)
ENGLISH = "The ministry will buy the first three years of output from any domestic maker of lithography tools. "
CHINESE = "发改委要求各地加快产业政策落实支持国产设备。"


def estimate(*texts, explain=False):
    return estimate_tokens(texts, RULE, limit_chars=5000, explain=explain)


def test_what_is_not_read_costs_nothing_and_nothing_is_free():
    assert estimate("", None, 7, "x" * 6000) == 1
    assert estimate() == 1
    assert estimate("plan") == 3


def test_no_text_costs_more_than_its_windows_hold():
    assert estimate("plan " * 900) == 200


def test_evidence_is_counted():
    plain, explained = estimate(ENGLISH * 3), estimate(ENGLISH * 3, explain=True)
    assert explained == pytest.approx(4 * plain, rel=0.3)
    assert estimate(ENGLISH * 40, explain=True) == 17 * 200


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH * 5,
        ENGLISH * 40,  # several windows that overlap
        CHINESE * 20,
        ENGLISH + CHINESE * 5,
        "経済産業省は国内の半導体メーカーに補助金を出す方針を固めた。" * 10,
        "정부는 국내 반도체 기업에 보조금을 지급하기로 했다. " * 10,
        "Министерство закупит продукцию отечественных производителей станков. " * 10,
        "Das Ministerium wird die Förderung für inländische Hersteller von Werkzeugmaschinen verlängern. " * 5,
        "In 2023 exports rose 14.2% to $3,412.5m; in 2024 they fell 3.1% (Q1: -0.4%, Q2: -2.9%). " * 5,
        "1,234.56; 78.9% (2019), $4.50 - 12/31/2024; " * 20,
    ],
)
def test_estimate_is_rather_more_than_the_released_tokenizer_finds(text):
    rule = WindowRule(max_tokens=256, overlap_tokens=64, max_windows=16)
    encoder = ParagraphEncoder.from_file(find_model() / "tokenizer.json", rule)
    found = sum(len(window) for window in encoder.encode(text).windows)
    guessed = estimate_tokens([text], rule, limit_chars=5000, explain=False)
    assert 0.9 * found < guessed < 2 * found
