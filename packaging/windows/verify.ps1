# Runs on a real Windows what was only shown under Wine, and prints what holds.
#
# On Linux:    cargo xtask windows --bundle       (makes target/windows/verify with this file in it)
# On Windows:  copy that folder, then in it:      powershell -ExecutionPolicy Bypass -File verify.ps1
#
# It needs no rights but those of an ordinary user, writes to the folder of temporary files alone, and leaves
# no process behind: everything that it starts is in a job that ends with it.

$ErrorActionPreference = 'Stop'
$here = Split-Path -Parent $MyInvocation.MyCommand.Path
$report = Join-Path $here 'report.txt'
$programs = Get-ChildItem -Path $here -Filter '*.exe' | Sort-Object Name
if ($programs.Count -eq 0) {
    Write-Host "cannot verify anything: there are no test programs in $here; make them with 'cargo xtask windows --bundle'"
    exit 2
}

$system = [System.Environment]::OSVersion.VersionString
"abide on $system, $(Get-Date -Format u)" | Tee-Object -FilePath $report
$passed = 0; $failed = 0; $ignored = 0; $broken = @()
foreach ($program in $programs) {
    $name = $program.BaseName
    "`n=== $name" | Tee-Object -FilePath $report -Append
    # Tests look for files beside their sources by this, and for nothing else of cargo's.
    $env:CARGO_MANIFEST_DIR = $here
    $lines = & $program.FullName 2>&1 | ForEach-Object { "$_" }
    $code = $LASTEXITCODE
    $lines | Add-Content -Path $report
    foreach ($line in $lines) {
        if ($line -match '^test .* FAILED|^test .* ignored') { Write-Host $line }
        if ($line -match '^test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored') {
            $passed += [int]$Matches[1]; $failed += [int]$Matches[2]; $ignored += [int]$Matches[3]
            Write-Host $line
        }
    }
    if ($code -ne 0) { $broken += "$name (exit $code)" }
}

"`n$passed hold, $failed do not, $ignored were left out, in $($programs.Count) programs" | Tee-Object -FilePath $report -Append
if ($broken.Count -gt 0) {
    "not as it should be: $($broken -join ', '); all they said is in $report" | Tee-Object -FilePath $report -Append
    exit 1
}
"everything holds; please send $report" | Tee-Object -FilePath $report -Append
exit 0
