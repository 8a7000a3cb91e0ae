# After provisioning: local.settings.json for work on this machine; then the app's role, which must
# count before the code is deployed.
foreach ($module in 'local_settings', 'role_wait') {
    & (Join-Path $PSScriptRoot 'hook.ps1') $module
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}
