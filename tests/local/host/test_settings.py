"""App settings: the file, the environment, and what bindings make of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.host.connections import storage_client, storage_connection_string
from local.host.errors import RefusedError
from local.host.settings import AppSettings, load_settings


def written(folder: Path, content: Any) -> Path:
    path = folder / "local.settings.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_environment_wins_over_the_file_as_with_func_start(tmp_path: Path) -> None:
    path = written(tmp_path, {"IsEncrypted": False, "Values": {"A": "file", "B": "file"}})
    settings = load_settings(path, {"A": "environment"})
    assert (settings.get("A"), settings.get("B")) == ("environment", "file")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("nonsense", id="not JSON"),
        pytest.param([], id="not an object"),
        pytest.param({"Values": []}, id="values not an object"),
        pytest.param({"IsEncrypted": True, "Values": {}}, id="encrypted"),
        pytest.param({"Values": {"A": 1}}, id="a number"),
        pytest.param({"Values": {"A": {"B": "C"}}}, id="nested"),
    ],
)
def test_a_file_that_func_start_could_not_use_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(RefusedError, match="--settings"):
        load_settings(written(tmp_path, content), {})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="does not exist"):
        load_settings(tmp_path / "none.json", {})


def test_placeholders_are_replaced() -> None:
    settings = AppSettings({"HUB": "requests", "N": "5"})
    assert settings.resolve("%HUB%-%N%", where="f") == "requests-5"
    assert settings.resolve("plain", where="f") == "plain"


@pytest.mark.parametrize("values", [{}, {"HUB": ""}], ids=["missing", "empty"])
def test_a_placeholder_without_setting_is_refused_by_name(values: dict[str, str]) -> None:
    with pytest.raises(RefusedError, match=r"function f.*'HUB'"):
        AppSettings(values).resolve("%HUB%", where="function f")


def test_development_storage_means_azurite() -> None:
    settings = AppSettings({"AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    text = storage_connection_string(settings)
    assert text is not None
    assert "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1" in text


def test_missing_storage_is_refused_by_name() -> None:
    with pytest.raises(RefusedError, match="AzureWebJobsStorage"):
        storage_client(AppSettings({}))
