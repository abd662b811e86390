"""XML as another parser reads it, whatever it looks like."""

import time
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.channels.wechat.xml import LARGEST, Malformed, read

names = st.sampled_from(["MsgId", "Content", "Event", "a.b", "_x-1"])
texts = st.text(st.sampled_from("位a]>< &;\t\n\r\x00\x0b\x85\u2028\ufffe𠮷"), max_size=6) | st.text(max_size=4)
leaves = st.builds("<{0}>{1}</{2}>".format, names, texts, names)
quoted = st.builds("<{0}><![CDATA[{1}]]></{0}>".format, names, texts)
nested = st.builds("<Outer>{}</Outer>".format, st.lists(quoted, max_size=2).map("".join))
pieces = st.lists(quoted | quoted | leaves | nested | st.sampled_from(["", "\n", " ", "\r\n", "x", "\xa0"]), max_size=5)
documents = st.builds("<xml>{}</xml>{}".format, pieces.map("".join), st.sampled_from(["", "\n", " \r\n", "x"]))
# Text messages as they usually come, or nearly so.
usual = st.builds(
    "<xml>{2}<ToUserName><![CDATA[{0}]]></ToUserName>{2}<FromUserName><![CDATA[mei]]></FromUserName>"
    "<CreateTime>{1}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{0}]]></Content>"
    "<MsgId>1</MsgId>{3}{2}</xml>{2}".format,
    texts,
    st.sampled_from(["1", "", "&#49;", "1<!---->"]),
    st.sampled_from(["", "\n", " \r\n", "\xa0"]),
    st.sampled_from(["", "<MsgId>2</MsgId>", "<Idx>3</Idx>", "x"]),
)


@given(documents | usual)
@example("<xml><a><![CDATA[1]]>2</b><![CDATA[]]></a></xml>")
@example("<xml><a>1</a><a>2</a></xml>")
def test_as_another_parser_reads_it(document: str) -> None:
    body = document.encode()
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        with pytest.raises(Malformed):
            read(body)
        return
    leaves = {one.tag: one.text or "" for one in reversed(root) if not len(one)}
    fields = read(body)
    assert {name: fields[name] for name in leaves} == leaves


@pytest.mark.parametrize("piece", ["<a><![CDATA[", "<a>", "<a></b>", "<a><![CDATA[]]></b>", "]]><a>", "<a><![CDATA[]"])
def test_what_never_ends_is_soon_refused(piece: str) -> None:
    for size in (4_000, LARGEST - 100):
        body = f"<xml>{piece * (size // len(piece))}</xml>".encode()
        began = time.process_time()
        with pytest.raises(Malformed):
            read(body)
        assert time.process_time() - began < 0.5
