"""Route templates: what matches, with which parameters, and what is refused."""

import pytest

from local.host.errors import RefusedError
from local.host.routes import RouteTable, build_route

GUID = "00000000-0000-0000-0000-00000000000a"


def table(*templates: str, prefix: str = "", methods: tuple[str, ...] = ()) -> RouteTable:
    return RouteTable(
        build_route(function=f"f{index}", template=template, methods=methods, prefix=prefix)
        for index, template in enumerate(templates)
    )


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        pytest.param("producer", "/producer", {}, id="literal"),
        pytest.param("producer", "/Producer/", {}, id="case and trailing slash do not matter"),
        pytest.param("producer", "/producers", None, id="whole segments only"),
        pytest.param("response/{id}", "/response/a%20b", {"id": "a b"}, id="unquoted"),
        pytest.param("response/{id}", "/response", None, id="a parameter is required"),
        pytest.param("response/{id}", "/response/a/b", None, id="one segment only"),
        pytest.param("response/{id}", "/response/a%2Fb", {"id": "a/b"}, id="a quoted slash"),
        pytest.param("r/{id?}", "/r", {}, id="optional, absent"),
        pytest.param("r/{id?}", "/r/7", {"id": "7"}, id="optional, there"),
        pytest.param("r/{id:int}", "/r/7", {"id": "7"}, id="int"),
        pytest.param("r/{id:int}", "/r/x7", None, id="not an int"),
        pytest.param("r/{id:int?}", "/r", {}, id="optional int, absent"),
        pytest.param("r/{id:int}/x", "/r/7/x", {"id": "7"}, id="int in the middle"),
        pytest.param("r/{id:guid}", f"/r/{GUID}", {"id": GUID}, id="guid"),
        pytest.param("r/{id:guid}", "/r/nope", None, id="not a guid"),
        pytest.param("r/{id:alpha}", "/r/abc", {"id": "abc"}, id="alpha"),
        pytest.param("r/{id:length(2,3)}", "/r/abcd", None, id="too long"),
        pytest.param("r/{id:minlength(2)}", "/r/abcd", {"id": "abcd"}, id="long enough"),
        pytest.param("r/{id:maxlength(2)}", "/r/abcd", None, id="longer than the maximum"),
        pytest.param("r/{id:regex(^a+$)}", "/r/aaa", {"id": "aaa"}, id="regex"),
        pytest.param("r/{id:regex(^a+$)}", "/r/aab", None, id="not the regex"),
        pytest.param("v{major}.{minor}", "/v1.2", {"major": "1", "minor": "2"}, id="mixed"),
        pytest.param("files/{*path}", "/files/a/b.txt", {"path": "a/b.txt"}, id="catch-all"),
        pytest.param("files/{*path}", "/files", {}, id="catch-all of nothing"),
        pytest.param("{**path}", "/a/b", {"path": "a/b"}, id="double star"),
        pytest.param(
            "openai/deployments/{d}/{*rest}",
            "/openai/deployments/p/c/d",
            {"d": "p", "rest": "c/d"},
            id="long",
        ),
        pytest.param("{request-id}", "/7", {"request-id": "7"}, id="a dash in the name"),
        pytest.param("", "/", {}, id="the root"),
    ],
)
def test_a_path_matches_a_template(
    template: str, path: str, expected: dict[str, str] | None
) -> None:
    found = table(template).find("GET", path)
    assert (found[1] if found else None) == expected


def test_the_route_prefix_comes_first() -> None:
    routes = table("producer", prefix="api")
    assert routes.find("GET", "/api/producer") == ("f0", {})
    assert routes.find("GET", "/producer") is None


def test_another_method_is_not_found_as_in_azure() -> None:
    routes = table("producer", methods=("post",))
    assert routes.find("POST", "/producer") == ("f0", {})
    assert routes.find("GET", "/producer") is None


def test_without_methods_every_method_is_taken() -> None:
    assert table("producer").find("PATCH", "/producer") == ("f0", {})


def test_overlapping_routes_are_tried_in_the_order_of_function_names() -> None:
    routes = table("{anything}", "literal")
    assert routes.find("GET", "/literal") == ("f0", {"anything": "literal"})


def test_overlapping_routes_are_reported() -> None:
    assert table("{anything}", "literal").overlaps() == [("f0", "f1")]
    assert table("a/{x}", "b/{x}", "a/{x}/y").overlaps() == []
    assert table("files/{*path}", "files/{id}/content").overlaps() == [("f0", "f1")]


def test_routes_for_different_methods_do_not_overlap() -> None:
    routes = RouteTable(
        build_route(function=method, template="things/{id}", methods=(method,), prefix="")
        for method in ("GET", "DELETE")
    )
    assert routes.overlaps() == []


@pytest.mark.parametrize(
    ("template", "prefix"),
    [
        pytest.param("admin/things", "", id="admin"),
        pytest.param("Runtime", "", id="runtime in any case"),
        pytest.param("/admin", "api", id="behind a prefix too"),
        pytest.param("things", "admin", id="as the prefix"),
    ],
)
def test_reserved_routes_are_refused(template: str, prefix: str) -> None:
    with pytest.raises(RefusedError, match="must not start with admin or runtime"):
        table(template, prefix=prefix)


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("{*rest}/more", id="a catch-all before the end"),
        pytest.param("{id?}/more", id="an optional parameter before the end"),
        pytest.param("r/{id:range(1,2)}", id="an unknown constraint"),
        pytest.param("r/{id=5}", id="a default"),
        pytest.param("r/{id", id="an open brace"),
        pytest.param("a{id?}", id="optional within a segment"),
    ],
)
def test_what_is_not_supported_is_refused(template: str) -> None:
    with pytest.raises(RefusedError, match="route"):
        table(template)


def test_only_the_first_segment_is_reserved() -> None:
    assert table("things/admin", "administrators").find("GET", "/administrators") == ("f1", {})
