# Runs one of the modules beside this file with whatever Python 3.9 or newer there is.
param([Parameter(Mandatory = $true)][string] $Module)
$ErrorActionPreference = 'Stop'
Set-Location (Join-Path $PSScriptRoot '../..')
$probe = 'import sys; sys.exit(sys.version_info < (3, 9))'
# `py` is the launcher of the real Python on Windows; `python` may be the store's stand-in
foreach ($python in 'py', 'python3', 'python') {
    if (-not (Get-Command $python -ErrorAction SilentlyContinue)) { continue }
    # the store's stand-in answers to the name, writes a line to stderr and runs nothing; Windows
    # PowerShell 5.1 would make an error of that line and stop
    $ErrorActionPreference = 'Continue'
    & $python -c $probe > $null 2> $null
    $good = $LASTEXITCODE -eq 0
    $ErrorActionPreference = 'Stop'
    if ($good) {
        # what a hook says on stderr is for the person, and no error
        $ErrorActionPreference = 'Continue'
        & $python -m "infra.scripts.$Module"
        exit $LASTEXITCODE
    }
}
[Console]::Error.WriteLine('Python 3.9 or newer is needed to run the hooks of azd: https://www.python.org/downloads/')
exit 1
