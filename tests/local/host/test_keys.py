"""Access keys: which key opens which level, and the file they live in."""

import json
from pathlib import Path

import pytest

from local.host.errors import RefusedError
from local.host.keys import Keys, load_keys

KEYS = Keys(
    master="the-master",
    host={"default": "a-host-key"},
    functions={"f": {"default": "key-of-f"}, "g": {"default": "key-of-g"}},
)


@pytest.mark.parametrize(
    ("level", "key", "allowed"),
    [
        pytest.param("anonymous", None, True, id="anonymous needs none"),
        pytest.param("anonymous", "wrong", True, id="anonymous does not look"),
        pytest.param("function", None, False, id="function needs one"),
        pytest.param("function", "", False, id="an empty key is none"),
        pytest.param("function", "wrong", False, id="wrong"),
        pytest.param("function", "key-of-f", True, id="its own"),
        pytest.param("function", "key-of-g", False, id="another function's"),
        pytest.param("function", "a-host-key", True, id="host key"),
        pytest.param("function", "the-master", True, id="master key"),
        pytest.param("function", "schlüssel", False, id="not ASCII"),
        pytest.param("admin", "key-of-f", False, id="admin: function key"),
        pytest.param("admin", "a-host-key", False, id="admin: host key"),
        pytest.param("admin", "the-master", True, id="admin: master key"),
    ],
)
def test_a_key_opens_a_level(level: str, key: str | None, allowed: bool) -> None:
    assert KEYS.allows(level=level, function="f", key=key) is allowed


def test_only_the_master_key_opens_the_host_itself() -> None:
    assert KEYS.is_master("the-master")
    assert not KEYS.is_master("a-host-key")
    assert not KEYS.is_master(None)


def test_a_missing_file_is_written_with_random_keys_that_only_the_owner_reads(
    tmp_path: Path,
) -> None:
    path = tmp_path / "deep" / "keys.json"
    first = load_keys(path, ["f"])
    assert first == load_keys(path, ["f"])
    assert path.stat().st_mode & 0o077 == 0
    assert len({first.master, first.host["default"], first.functions["f"]["default"]}) == 3
    assert list(path.parent.iterdir()) == [path]


def test_new_functions_get_keys_and_the_others_keep_theirs(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    before = load_keys(path, ["f"])
    after = load_keys(path, ["f", "g"])
    assert after.functions["f"] == before.functions["f"]
    assert after.master == before.master
    assert set(after.functions) == {"f", "g"}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("nonsense", id="not JSON"),
        pytest.param("[]", id="not an object"),
        pytest.param("{}", id="nothing in it"),
        pytest.param(
            json.dumps({"masterKey": "", "functionKeys": {}, "functions": {}}), id="empty master"
        ),
        pytest.param(
            json.dumps({"masterKey": "m", "functionKeys": {}, "functions": {"f": "k"}}), id="flat"
        ),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(RefusedError, match="--keys"):
        load_keys(path, [])
