# After the code is there: what needs it, then one request to see that all of it works.
foreach ($module in 'after_code', 'smoke') {
    & (Join-Path $PSScriptRoot 'hook.ps1') $module
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}
