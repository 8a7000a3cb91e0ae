# Runs one of the hooks of azd down, unless it is to be left out. Decided here, since there may be no
# Python: this machine may be another one than the one that deployed.
param([Parameter(Mandatory = $true)][string] $Module)
$ErrorActionPreference = 'Stop'
if (@('1', 't', 'T', 'TRUE', 'true', 'True') -ccontains $env:SKIP_DOWN_HOOKS) {
    Write-Host 'SKIP_DOWN_HOOKS is set: what lies outside the resource group stays, and may go on costing.'
    exit 0
}
if (-not $env:AZURE_SUBSCRIPTION_ID) {
    Write-Host 'This environment has no subscription: nothing was created that these checks could look for.'
    exit 0
}
Set-Location (Join-Path $PSScriptRoot '../..')
foreach ($python in 'py', 'python3', 'python') {
    if (-not (Get-Command $python -ErrorAction SilentlyContinue)) { continue }
    # the store's stand-in for Python writes to the error stream, which Stop makes an error of
    $ErrorActionPreference = 'Continue'
    & $python -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>&1 | Out-Null
    $found = $LASTEXITCODE -eq 0
    $ErrorActionPreference = 'Stop'
    if ($found) {
        # what a hook says on stderr is for the person, and no error
        $ErrorActionPreference = 'Continue'
        & $python -m "infra.scripts.$Module"
        exit $LASTEXITCODE
    }
}
[Console]::Error.WriteLine('The hooks of azd down need Python 3.9 or newer. To take down without them:')
[Console]::Error.WriteLine('    azd env set SKIP_DOWN_HOOKS true')
[Console]::Error.WriteLine('What then stays, and what it costs, is told in docs/deployment.md, "Taking it down".')
exit 1
