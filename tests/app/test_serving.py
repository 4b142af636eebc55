"""What the server gives away, and to whom. Needs gradio, no browser."""

import json
import socket
import tempfile
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from clipcond.app.settings import MOST_UPLOADED_BYTES, AppSettings
from clipcond.errors import ClipcondError
from tests.app.browser import need, served

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def ask(address, path, body=None, **headers):
    """Send a request; return the status, the text, and the headers."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    given = {"content-type": "application/json", **headers}
    request = Request(address.rstrip("/") + path, data, given)
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode("utf-8", "replace"), answer.headers
    except HTTPError as error:
        with error:
            return error.code, error.read().decode("utf-8", "replace"), error.headers


def raw(address, path):
    """Ask for a path as it is written, which urllib would tidy up."""
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port), 60) as connection:
        lines = f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(lines.encode())
        return int(connection.recv(4096).split()[1])


def test_files_of_other_folders_are_not_given(site):
    address, root = site
    (root / "out" / "shown.png").write_bytes(b"x")
    secret = root / "loras" / "broken.safetensors"
    for path in (
        "/etc/passwd",
        str(secret),
        f"{root}/out/../loras/broken.safetensors",
        f"{root}/out/%2e%2e/loras/broken.safetensors",
        "../../../../etc/passwd",
        f"{root}/out/..%2floras%2fbroken.safetensors",
        "//etc/passwd",
        "file:///etc/passwd",
    ):
        assert raw(address, f"/en/gradio_api/file={path}") in {403, 404}, path
    assert raw(address, f"/en/gradio_api/file={root}/out/shown.png") == 200
    (root / "out" / "notes.txt").write_text("of its owner")
    assert raw(address, f"/en/gradio_api/file={root}/out/notes.txt") == 404
    assert raw(address, "/en/static/../../../../etc/passwd") in {403, 404}


def test_a_link_in_the_output_folder_leads_nowhere_else(site):
    address, root = site
    link = root / "out" / "link.txt"
    link.symlink_to(root / "loras" / "broken.safetensors")

    assert raw(address, f"/en/gradio_api/file={link}") in {403, 404}
    link.unlink()


def answered(address, number, data):
    """Call a function of the page as its browser does: through the queue, and at once."""
    body = {"data": data, "fn_index": number, "session_hash": f"s{number}"}
    texts = [ask(address, "/en/gradio_api/run/predict", body)[1]]
    status, text, _ = ask(address, "/en/gradio_api/queue/join", body)
    texts.append(text)
    if status == 200:
        with urlopen(
            f"{address}en/gradio_api/queue/data?session_hash=s{number}", timeout=60
        ) as now:
            for line in now:
                texts.append(line.decode())
                if "process_completed" in texts[-1] or "close_stream" in texts[-1]:
                    break
    return "".join(texts)


def test_a_path_in_place_of_an_upload_is_refused_by_every_function(site):
    address, root = site
    secret = root / "secret.png"
    kept = PngInfo()
    kept.add_text("parameters", "nobody's prompt\nSteps: 2")
    Image.new("RGB", (8, 8)).save(secret, pnginfo=kept)
    content = secret.read_bytes()
    temporary = Path(tempfile.gettempdir())
    for each in json.loads(ask(address, "/en/config")[1])["dependencies"]:
        number, n_inputs = each["id"], len(each["inputs"])
        for file in ({"path": str(secret)}, {"path": "", "url": f"file://{secret}"}):
            whole = {**file, "meta": {"_type": "gradio.FileData"}}
            text = answered(address, number, [whole] * n_inputs)
            assert "nobody" not in text, (number, text)
            assert str(temporary / "clipcond-") not in text, (number, text)
    for folder in temporary.glob("clipcond-*"):
        assert all(each.read_bytes() != content for each in folder.rglob("*") if each.is_file())


def test_an_upload_has_a_bound(site):
    before = b'--x\r\nContent-Disposition: form-data; name="files"; filename="../../a.png"\r\n\r\n'
    kind = {"content-type": "multipart/form-data; boundary=x"}

    def upload(n):
        body = before + b"0" * n + b"\r\n--x--\r\n"
        return ask(site[0], "/en/gradio_api/upload", body, **kind)

    status, text, _ = upload(1000)
    assert status == 200
    (path,) = json.loads(text)
    assert ".." not in path
    assert "clipcond-" in path
    assert upload(MOST_UPLOADED_BYTES + 1000)[0] == 413


def test_requests_of_other_sites_are_refused(site):
    address, _ = site

    assert ask(address, "/en/", host="evil.example")[0] == 421
    assert ask(address, "/live/en/read", {"texts": ["a"]}, origin="http://evil.example")[0] == 403
    assert ask(address, "/live/en/read", {"texts": ["a"]}, origin=address.rstrip("/"))[0] == 200


def test_what_is_asked_while_one_types_has_bounds(site):
    address, _ = site

    def weigh(text):
        return ask(address, "/live/weight", {"text": text, "start": 0, "stop": 1, "change": 0.1})

    assert ask(address, "/live/en/read", {"texts": ["a", "b", "c"]})[0] == 422
    assert weigh("a" * 20_001)[0] == 422
    assert json.loads(weigh("a cat")[1])["text"] == "(a:1.1) cat"
    status, text, _ = ask(address, "/live/en/read", {"texts": ["a"], "tower": "/etc/passwd"})
    assert (status, json.loads(text)[0]["is_error"]) == (200, True)


def test_the_language_follows_the_browser(site):
    address, _ = site

    for header, path in (("zh-CN,zh;q=0.9", "/zh/"), ("de,en;q=0.5", "/en/"), ("", "/en/")):
        with urlopen(Request(address, headers={"accept-language": header})) as answer:
            assert urlsplit(answer.url).path == path
    assert "文本编码器" in json.dumps(json.loads(ask(address, "/zh/config")[1]), ensure_ascii=False)
    assert "文本编码器" not in json.dumps(
        json.loads(ask(address, "/en/config")[1]), ensure_ascii=False
    )


def test_what_gradio_adds_is_off(site):
    config = json.loads(ask(site[0], "/en/config")[1])

    assert not config["analytics_enabled"]
    assert config["footer_links"] == []
    assert {each["api_visibility"] for each in config["dependencies"]} == {"private"}
    for path in ("/docs", "/openapi.json", "/en/docs", "/en/monitoring"):
        assert ask(site[0], path)[0] in {403, 404}, path


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Start `serve` without a model; return what was said, and how `make_app` was called."""
    need("gradio")
    from clipcond.app import serving

    said, made = [], {}
    monkeypatch.setattr(serving, "make_app", lambda settings, **choices: made.update(choices))
    monkeypatch.setattr(serving.uvicorn.Server, "run", lambda self, sockets: None)

    def start(**choices):
        serving.serve(AppSettings(tmp_path), port=0, browser=False, say=said.append, **choices)
        return said, made

    return start


def test_a_server_that_is_ended_takes_its_uploads_with_it(tmp_path):
    need("gradio")
    before = set(Path(tempfile.gettempdir()).glob("clipcond-*"))
    with served("--output", str(tmp_path / "out")) as (address, _):
        (own,) = set(Path(tempfile.gettempdir()).glob("clipcond-*")) - before
        assert raw(address, "/en/") == 200

    assert not own.exists()


def test_only_this_computer_without_a_password(started):
    said, made = started()

    assert made == {"password": None, "hosts": frozenset({"127.0.0.1", "localhost", "::1"})}
    assert said[0].startswith("http://127.0.0.1:")


def test_the_network_never_without_a_password(started):
    said, made = started(host="0.0.0.0")

    assert len(made["password"]) >= 16
    assert made["hosts"] is None
    assert made["password"] in said[0]


def test_a_password_of_ones_own(started):
    assert started(host="0.0.0.0", password="secret")[1]["password"] == "secret"


def test_a_port_that_is_taken(started, tmp_path):
    from clipcond.app import serving

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ClipcondError, match=f"port {port} of 127.0.0.1 cannot be used"):
            serving.serve(AppSettings(tmp_path), port=port, browser=False)
