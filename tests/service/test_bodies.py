"""Whatever a body holds, it is read, or refused with a message; never more of it than allowed."""

import asyncio
import json
import socket
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipcond.errors import UnknownNameError
from clipcond.hosts import listen
from clipcond.service.bodies import check_headers, let_in, read_body, read_json
from clipcond.service.refusals import ClientGone, RequestError
from tests.service.clients import Connection, need_extra

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "expecting value at line 1, column 1"),
        (b"{", "expecting property name enclosed in double quotes at line 1, column 2"),
        (b"[]", "it is no object"),
        (b'"a"', "it is no object"),
        (b'{"prompt": "\xff"}', "byte 12 is not valid UTF-8"),
        (b'\xef\xbb\xbf{"prompt": ""}', "unexpected UTF-8 BOM"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' occurs twice"),
        (b'{"\\ud800": 1, "\\ud800": 3}', "'\\ud800' occurs twice"),
        (b'{"a": NaN}', "NaN is no number of JSON"),
        (b'{"a": [-Infinity]}', "-Infinity is no number of JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a number has too many digits"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "it is nested too deeply"),
        (b'{"a": ' * 100_000 + b"1" + b"}" * 100_000, "it is nested too deeply"),
        (b'{"a": "\x00"}', "invalid control character at line 1, column 8"),
    ],
)
def test_what_is_no_json_object(body, message):
    with pytest.raises(RequestError) as raised:
        read_json(body)

    assert (raised.value.status, raised.value.code) == (400, "json")
    assert raised.value.message.removeprefix("the body cannot be read as JSON: ").startswith(
        message
    )


@settings(max_examples=60)
@given(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_object_or_refused(body):
    found = result_or_error(read_json, body)

    assert isinstance(found, dict) or found.status == 400


@pytest.mark.parametrize("kind", ["EncodeAsked", "InspectAsked", "ConvertAsked", "GenerateAsked"])
def test_any_fields_make_a_request_or_are_refused(kind):
    need_extra()
    from clipcond.service import request_fields

    model = getattr(request_fields, kind)
    names = [field.alias or name for name, field in model.model_fields.items()]
    some = st.dictionaries(st.sampled_from(names), VALUES | st.integers(-(2**70), 2**70))
    whole = some.map(lambda fields: {"prompt": "a cat", "to": "compel", **fields})
    known = whole.map(lambda fields: {k: v for k, v in fields.items() if k in names})

    @settings(max_examples=40)
    @given(known | st.dictionaries(st.text(max_size=9), VALUES))
    def check(fields):
        made = result_or_error(request_fields.read_asked, model, fields)
        if isinstance(made, model) and kind == "EncodeAsked":
            made = result_or_error(made.texts)
        if isinstance(made, model) and kind == "GenerateAsked":
            assert made.guidance is None or 0 <= made.guidance <= 100
            made = result_or_error(getattr, made, "sides")
        if isinstance(made, RequestError):
            assert (made.status, made.code) == (400, "field")
        if isinstance(made, UnknownNameError):
            assert made.name in fields

    check()


def result_or_error(function, *arguments):
    """What a function returns, or how it refuses its arguments."""
    try:
        return function(*arguments)
    except (RequestError, UnknownNameError) as error:
        return error


def read(bodies, *, limit=10, seconds=1.0, **choices):
    connection = Connection("/", bodies, **choices)
    connection.cut.set()
    return asyncio.run(read_body(connection.receive, limit, seconds)), connection


def test_a_body_is_read_in_parts():
    assert read([b"12345", b"", b"67890"])[0] == b"1234567890"


def test_a_body_is_not_read_beyond_its_limit():
    bodies = [b"12345"] * 100
    with pytest.raises(RequestError) as raised:
        read(bodies)

    assert (raised.value.status, raised.value.code) == (413, "body-too-large")
    assert len(bodies) > 70


def test_a_body_that_does_not_end():
    connection = Connection("/", [], stalls=True)
    with pytest.raises(RequestError) as raised:
        asyncio.run(read_body(connection.receive, 10, 0.02))

    assert (raised.value.status, raised.value.code) == (408, "slow-body")


def test_a_body_whose_client_goes():
    with pytest.raises(ClientGone):
        read([])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json"}, None),
        ({"content-type": "Application/JSON; charset=utf-8", "content-length": "10"}, None),
        ({"content-type": 'application/json; charset="UTF-8"'}, None),
        ({"content-type": "application/json;charset=gbk"}, 415),
        ({"content-type": "application/json; Charset = utf-16"}, 415),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
        ({"content-type": "application/json", "content-length": "11"}, 413),
        ({"content-type": "application/json", "content-length": "9" * 5000}, 413),
        ({"content-type": "application/json", "content-length": "-1"}, 400),
        ({"content-type": "application/json", "content-length": "²"}, 400),
    ],
)
def test_headers(headers, status):
    try:
        check_headers(headers, 10)
        found = None
    except RequestError as error:
        found = error.status
    assert found == status


def test_the_rest_of_a_refused_body_is_read_for_a_moment(monkeypatch):
    """Or a client that still sends may see a broken connection, and not why."""

    def refused(bodies, said, **choices):
        headers = {"content-type": "application/json", "content-length": str(said)}
        connection = Connection("/", bodies, **choices)
        with pytest.raises(RequestError, match="more than 100 bytes"):
            asyncio.run(let_in(headers, connection.receive, 100))
        return len(connection.bodies)

    assert refused([b"x" * 10] * 50, 500) == 0
    assert refused([b"x" * 10] * 500, 5000) > 400  # a client may send for ever
    monkeypatch.setattr("clipcond.service.bodies.DISCARDING", 0.05)
    start = time.monotonic()
    assert refused([], 500, stalls=True) == 0
    assert time.monotonic() - start < 5
    bodies = [b"x" * 60] * 3
    with pytest.raises(RequestError, match="more than 100 bytes"):
        read(bodies, limit=100)
    assert not bodies


def test_answers_do_not_wait_for_acknowledgements():
    with (
        listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()[:2]),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
