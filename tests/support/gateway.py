"""The gateway's policies as a program: their expressions compiled as C#, run on a table of calls.

Neither a gateway nor an interpreter: the program holds the policies' own expressions word for word,
in the order of the policies, on a stand-in of the documented `context`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

STAND_IN = Path(__file__).resolve().parents[1] / "infra" / "azd" / "policies" / "StandIn.cs"

MONO = ("mcs", "mono")
JSON_LIBRARY = "Newtonsoft.Json"

PROJECT = """<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net{version}</TargetFramework>
    <LangVersion>7.3</LangVersion>
    <Nullable>disable</Nullable>
  </PropertyGroup>
  <ItemGroup><PackageReference Include="Newtonsoft.Json" Version="13.0.3" /></ItemGroup>
</Project>
"""

MAIN = """
public static class Program
{
    public static void Main()
    {
        var results = new JArray();
        foreach (JObject call in JArray.Parse(Console.In.ReadToEnd()))
        {
            var run = new Run(call);
            try { Policies.Inbound(run); Policies.Backend(run); Policies.Outbound(run); }
            catch (Answered) { }
            catch (Exception error)
            {
                if (!(error is NoAnswer)) run.Threw = error.GetType().Name + ": " + error.Message;
                try { Policies.OnError(run); }
                catch (Exception again) { run.Threw = "on-error: " + again.Message; }
            }
            results.Add(run.Result());
        }
        Console.Out.Write(results.ToString());
    }
}
"""


class CannotCompile(Exception):
    """There is no C# compiler here, or it has no JSON library."""


def source(document: ElementTree.Element, fragments: Mapping[str, ElementTree.Element]) -> str:
    """The program's part that is made of the policies."""
    writer = _Writer(fragments)
    sections = []
    for section in document:
        name = "".join(part.capitalize() for part in section.tag.split("-"))
        lines = "\n".join(writer.statements(section))
        sections.append(f"    public static void {name}(Run run)\n    {{\n{lines}\n    }}")
    usings = [
        "System",
        "System.Collections.Generic",
        "System.Linq",
        "Newtonsoft.Json",
        "Newtonsoft.Json.Linq",
    ]
    return "\n".join(
        [
            *(f"using {one};" for one in usings),
            "public static class Policies\n{",
            *sections,
            *writer.methods,
            "}",
            MAIN,
        ]
    )


class _Writer:
    """Turns policies into statements; each expression becomes a method of its own."""

    def __init__(self, fragments: Mapping[str, ElementTree.Element]) -> None:
        self._fragments = fragments
        self.methods: list[str] = []

    def statements(self, parent: ElementTree.Element) -> list[str]:
        return [line for element in parent for line in self._of(element)]

    def _of(self, element: ElementTree.Element) -> list[str]:
        given = element.attrib
        text = (element.text or "").strip()
        match element.tag:
            case "include-fragment":
                return self.statements(self._fragments[given["fragment-id"]])
            case "set-variable":
                return [
                    f'run.Context.Variables["{given["name"]}"] = {self._value(given["value"])};'
                ]
            case "set-body":
                return [f"run.Sent = (string){self._value(text)};"]
            case "log-to-eventhub":
                return [f"run.Tell({self._value(text)});"]
            case "forward-request":
                return ["run.Forward();"]
            case "validate-jwt":
                name = given["output-token-variable-name"]
                return [f'run.Context.Variables["{name}"] = new Jwt {{ Claims = run.Claims }};']
            case "authentication-managed-identity":
                return [f'run.Context.Variables["{given["output-token-variable-name"]}"] = "t";']
            case "return-response":
                status = element.find("set-status")
                assert status is not None
                return [f"run.Return({status.attrib['code']});"]
            case "retry":
                again = self._value(given["condition"])
                body = self.statements(element)
                return [
                    f"for (var go = {given['count']}; ; go--) {{",
                    *body,
                    f"if (go == 0 || !(bool){again}) break;",
                    "}",
                ]
            case "choose":
                return self._choose(element)
            case _:  # nothing that this program looks at, but its expressions must compile
                values = [*given.values(), *(child.text or "" for child in element.iter())]
                for value in values:
                    if value.strip().startswith("@"):
                        self._value(value.strip())
                return []

    def _choose(self, element: ElementTree.Element) -> list[str]:
        lines: list[str] = []
        for branch in element:
            opening = "else " if lines else ""
            if branch.tag == "when":
                opening += f"if ((bool){self._value(branch.attrib['condition'])}) "
            lines += [opening + "{", *self.statements(branch), "}"]
        return lines

    def _value(self, text: str) -> str:
        """A call of the method that holds the expression; a literal as it is."""
        if not text.startswith("@"):
            return json.dumps(text)
        inner = text[2:-1]
        body = f"return {inner};" if text[1] == "(" else inner
        # a named value stands in a string, as text
        while '"{{' in body:
            before, _, rest = body.partition('"{{')
            name, _, after = rest.partition('}}"')
            body = f'{before}context.NamedValues["{name}"]{after}'
        name = f"E{len(self.methods)}"
        self.methods.append(f"    static object {name}(Context context)\n    {{\n{body}\n    }}")
        return f"{name}(run.Context)"


def compiled(program: str, folder: Path) -> list[str]:
    """The command that runs it. Raises CannotCompile; AssertionError for what is no C# 7.3."""
    (folder / "Policies.cs").write_text(program, encoding="utf-8")
    shutil.copy(STAND_IN, folder)
    why = "there is neither dotnet nor mono (Debian: mono-mcs, libnewtonsoft-json5.0-cil)"
    if shutil.which("dotnet"):
        try:
            return _by_dotnet(folder)
        except CannotCompile as error:
            why = str(error)
    if all(map(shutil.which, MONO)):
        return _by_mono(folder)
    raise CannotCompile(why)


def _by_dotnet(folder: Path) -> list[str]:
    version = _run(["dotnet", "--version"], folder).stdout.strip()
    (folder / "gateway.csproj").write_text(
        PROJECT.format(version=".".join(version.split(".")[:2])), encoding="utf-8"
    )
    restored = _run(["dotnet", "restore"], folder)
    if restored.returncode != 0:
        raise CannotCompile(f"dotnet finds no {JSON_LIBRARY}: {restored.stdout[-300:]}")
    built = _run(["dotnet", "build", "--no-restore", "-o", "out"], folder)
    assert built.returncode == 0, built.stdout[-4_000:]
    return ["dotnet", str(folder / "out" / "gateway.dll")]


def _by_mono(folder: Path) -> list[str]:
    library = next(Path("/usr/lib/mono/gac").glob(f"{JSON_LIBRARY}/*/{JSON_LIBRARY}.dll"), None)
    if library is None:
        raise CannotCompile(f"mono has no {JSON_LIBRARY} (Debian: libnewtonsoft-json5.0-cil)")
    built = _run(
        [
            "mcs",
            "-langversion:7.2",
            f"-r:{library}",
            "-out:gateway.exe",
            "Policies.cs",
            "StandIn.cs",
        ],
        folder,
    )
    assert built.returncode == 0, built.stderr[-4_000:]
    return ["mono", str(folder / "gateway.exe")]


def run(command: Sequence[str], calls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What became of each call."""
    done = subprocess.run(
        command, input=json.dumps(calls), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
