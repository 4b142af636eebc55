"""Who may ask the service: those with the token, or this computer's own programs."""

import asyncio

import pytest

from clipcond.errors import ArgumentError
from clipcond.service.guarding import Guard, check_token
from clipcond.service.refusals import RequestError
from tests.service.clients import Connection, opened

TOKEN = "a-long-random-text"


def refusal(token, listens="127.0.0.1", **headers):
    """The status that a request is refused with; None = it is let in."""
    given = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    try:
        Guard(token, listens).check(given)
    except RequestError as error:
        return error.status
    return None


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (b"Bearer " + TOKEN.encode(), None),
        (b"bearer  " + TOKEN.encode() + b" ", None),
        (TOKEN.encode(), 401),
        (b"Basic " + TOKEN.encode(), 401),
        (b"Bearer " + TOKEN.upper().encode(), 401),
        (b"Bearer " + TOKEN[:-1].encode(), 401),
        (b"Bearer ", 401),
        (b"", 401),
        (b"Bearer \xe4\xf6\xfc", 401),
        ("Bearer 令牌".encode(), 401),
    ],
)
def test_the_token(given, status):
    assert refusal(TOKEN, authorization=given) == status


def test_the_token_is_compared_in_constant_time(monkeypatch):
    compared = []

    def compare(given, wanted):
        compared.append((given, wanted))
        return given == wanted

    monkeypatch.setattr("clipcond.service.guarding.hmac.compare_digest", compare)
    refusal(TOKEN, authorization=b"Bearer \xff")
    refusal(TOKEN, authorization=b"Digest x")

    assert compared == [(b"\xff", TOKEN.encode()), (b"x", TOKEN.encode())]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": b"127.0.0.1:8000"}, None),
        ({"host": b"localhost"}, None),
        ({"host": b"[::1]:8000"}, None),
        ({"host": b"rebound.example:8000"}, 421),
        ({"host": b"127.0.0.1.example"}, 421),
        ({"host": b"\xff"}, 421),
        ({}, 421),
        ({"host": b"localhost:1", "origin": b"http://localhost:1"}, None),
        ({"host": b"localhost:1", "origin": b"http://localhost:2"}, 403),
        ({"host": b"localhost:1", "origin": b"https://other.example"}, 403),
        ({"host": b"localhost:1", "origin": b"null"}, 403),
    ],
)
def test_without_a_token_only_this_computers_programs(headers, status):
    assert refusal(None, **headers) == status


def test_with_a_token_any_name_will_do():
    assert refusal(TOKEN, "0.0.0.0", authorization=b"Bearer " + TOKEN.encode(), host=b"x") is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_others_need_a_token(host):
    with pytest.raises(ArgumentError, match=rf"others can reach {host}, so requests need a token"):
        check_token(None, host)
    check_token(TOKEN, host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_this_computer_needs_none(host):
    check_token(None, host)


@pytest.mark.parametrize("token", ["", " ", "a b", "a\n", "tokén"])
def test_a_token_that_no_request_can_carry(token):
    with pytest.raises(ArgumentError, match="CLIPCOND_TOKEN is empty, or has spaces"):
        check_token(token, "127.0.0.1")


def test_health_is_open_and_all_else_is_not(model):
    async def statuses():
        async with opened(model, token=TOKEN) as (app, _):
            found = {}
            for path in ("/healthz", "/healthz/live", "/metrics", "/encode", "/nothing"):
                connection = Connection(path, [b'{"prompt": "a cat"}'])
                found[path], answer = await connection.ask(app)
            return found, answer["error"], dict(connection.sent[0]["headers"])

    found, error, headers = asyncio.run(statuses())

    # these are GET's routes, so a POST that is let in gets 405
    assert found == {
        **{"/healthz": 405, "/healthz/live": 405},
        **{"/metrics": 401, "/encode": 401, "/nothing": 401},
    }
    assert error["code"] == "token"
    assert headers[b"www-authenticate"] == b'Bearer realm="clipcond"'
