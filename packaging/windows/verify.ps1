# Runs on a real Windows what was only shown under Wine, and prints what holds.
#
# On Linux:    cargo xtask windows --bundle       (makes target/windows/verify with this file in it)
# On Windows:  copy that folder, then in it:      powershell -ExecutionPolicy Bypass -File verify.ps1
#
# With -Abide PATH\abide.exe, in a console of an administrator, it also makes a service "abide-verify" with that program,
# reads with Windows's own tools what was written, and removes it.
#
# For an administrator it makes a service "abide-verify-controls" with an example of the library, too, and removes it; and, where
# abide.exe is beside it, a user "abide-verify" with a password of its own, as whom a service "abide-verify-user" runs a program, and
# removes both.
#
# Without these it needs no rights but those of an ordinary user, writes to the folder of temporary files alone, and leaves
# no process behind: everything that it starts is in a job that ends with it.

param([string]$Abide)

$ErrorActionPreference = 'Stop'

# The lines that a program says on both streams. Windows PowerShell takes what is said on standard error for an error of
# the script, and would stop at the first such line.
function Invoke-Program([string]$File, [string[]]$Arguments) {
    $ErrorActionPreference = 'Continue'
    & $File @Arguments 2>&1 | ForEach-Object { "$_" }
}

$here = Split-Path -Parent $MyInvocation.MyCommand.Path
$report = Join-Path $here 'report.txt'
# Test programs have the name of their crate before a dash; examples, which they drive, and the command have none.
$programs = Get-ChildItem -Path $here -Filter '*-*.exe' | Sort-Object Name
# Tests of whole homes run this one: units with real consoles and a real window are stopped step by step.
$env:ABIDE_EXE = Join-Path $here 'abide.exe'
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
    $lines = @(Invoke-Program $program.FullName)
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

# What Wine's Service Control Manager forgets, and its Event Log does not keep.
if ($Abide) {
    "`n=== services" | Tee-Object -FilePath $report -Append
    $key = 'HKLM:\SYSTEM\CurrentControlSet\Services\abide-verify'
    Invoke-Program $Abide @('install', '--name', 'abide-verify', '--start', 'delayed', '--recover', 'restart:1s,restart:10s,none',
        '--recover-reset', '1h', '--recover-errors', '--preshutdown', '45s', '--service-sid', 'unrestricted',
        '--privilege', 'SeChangeNotifyPrivilege', '--depends-on', 'RpcSs',
        '--', "$env:SystemRoot\System32\ping.exe", '-t', '127.0.0.1') | Add-Content -Path $report
    if ($LASTEXITCODE -ne 0) { $broken += 'abide install' }
    else {
        $said = (sc.exe qfailure abide-verify) + (sc.exe qfailureflag abide-verify) + (sc.exe qsidtype abide-verify) + (sc.exe qprivs abide-verify) + (sc.exe qc abide-verify)
        $said | Add-Content -Path $report
        $said = $said -join "`n"
        $checks = [ordered]@{
            'two restarts'            = ([regex]::Matches($said, 'RESTART')).Count -eq 2
            'reset after an hour'     = $said -match '3600'
            'errors are failures'     = (Get-ItemProperty $key).FailureActionsOnNonCrashFailures -eq 1
            'its own identifier'      = $said -match 'UNRESTRICTED'
            'one privilege'           = $said -match 'SeChangeNotifyPrivilege'
            'delayed'                 = (Get-ItemProperty $key).DelayedAutostart -eq 1
            'preshutdown'             = (Get-ItemProperty $key).PreshutdownTimeout -eq 45000
            'quoted'                  = (Get-ItemProperty $key).ImagePath.StartsWith('"')
            'a source with its texts' = (Get-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Services\EventLog\Application\abide-verify').EventMessageFile -eq (Resolve-Path $Abide).Path
        }
        [System.Diagnostics.EventLog]::WriteEntry('abide-verify', 'a text of abide-verify', 'Warning', 8)
        $event = Get-WinEvent -ProviderName abide-verify -MaxEvents 1
        $checks['the viewer shows the text'] = $event.Id -eq 8 -and $event.Message -match 'a text of abide-verify'
        Invoke-Program $Abide @('uninstall', 'abide-verify') | Add-Content -Path $report
        $checks['it is gone'] = $LASTEXITCODE -eq 0 -and -not (Test-Path $key)
        # Another account: its own identifier may change the home, and may do nothing any more when the service is gone.
        Invoke-Program $Abide @('install', '--name', 'abide-verify', '--account', 'NT SERVICE\abide-verify', '--control', '128=reload', '--now',
            '--', "$env:SystemRoot\System32\ping.exe", '-t', '127.0.0.1') | Add-Content -Path $report
        $checks['a virtual account keeps in its home'] = $LASTEXITCODE -eq 0
        $folder = "$env:ProgramData\abide\hosted\abide-verify"
        $checks['it was given its home'] = (icacls $folder) -join "`n" -match 'NT SERVICE\\abide-verify:\(OI\)\(CI\)\(M\)'
        # The doctor reads that account's rights off the lists.
        $found = { (& $Abide doctor abide-verify --json | ConvertFrom-Json).findings | Where-Object { $_.subject -eq 'abide-verify' } | ForEach-Object { $_.check } }
        $checks['the doctor lets it be'] = -not (& $found | Where-Object { $_ -in 'account', 'executable', 'directory', 'program' })
        icacls $folder /remove:g 'NT SERVICE\abide-verify' | Add-Content -Path $report
        $checks['the doctor sees that its home was taken from it'] = (& $found) -contains 'directory'
        icacls $folder /grant 'NT SERVICE\abide-verify:(OI)(CI)(M)' | Add-Content -Path $report
        Invoke-Program sc.exe @('control', 'abide-verify', '128') | Add-Content -Path $report
        $checks['it takes its control'] = $LASTEXITCODE -eq 0
        Invoke-Program $Abide @('uninstall', '--keep-logs', 'abide-verify') | Add-Content -Path $report
        $checks['it has its home no more'] = $LASTEXITCODE -eq 0 -and (icacls $folder) -join "`n" -notmatch 'S-1-5-80|abide-verify:\('
        Remove-Item -Recurse -Force $folder -ErrorAction SilentlyContinue
        # A restricted service can write only to what its identifier may.
        Invoke-Program $Abide @('install', '--name', 'abide-verify', '--service-sid', 'restricted', '--now',
            '--', "$env:SystemRoot\System32\ping.exe", '-t', '127.0.0.1') | Add-Content -Path $report
        $checks['a restricted service keeps in its home'] = $LASTEXITCODE -eq 0
        $checks['its identifier was given its home'] = (icacls $folder) -join "`n" -match 'NT SERVICE\\abide-verify:\(OI\)\(CI\)\(M\)'
        Invoke-Program $Abide @('uninstall', 'abide-verify') | Add-Content -Path $report
        $checks['it is gone, too'] = $LASTEXITCODE -eq 0 -and -not (Test-Path $key)
        foreach ($check in $checks.GetEnumerator()) {
            "service: $($check.Key): $(if ($check.Value) { $passed++; 'holds' } else { $failed++; $broken += $check.Key; 'does not hold' })" | Tee-Object -FilePath $report -Append
        }
    }
}

# The Service Control Manager, as far as Wine's does not do the same. Who may not make services leaves it out.
function Wait-Until([string]$what, [scriptblock]$isSo) {
    $deadline = (Get-Date).AddSeconds(60)
    while (-not (& $isSo)) {
        if ((Get-Date) -gt $deadline) { throw "waited in vain: $what" }
        Start-Sleep -Milliseconds 100
    }
}
function Test-Services([string]$example) {
    $name = 'abide-verify-controls'
    $notes = Join-Path $env:TEMP "$name.notes"
    Remove-Item $notes, "$env:TEMP\$name.go" -ErrorAction SilentlyContinue
    $state = { (Get-CimInstance Win32_Service -Filter "Name='$name'").State }
    $exit = { $s = Get-CimInstance Win32_Service -Filter "Name='$name'"; "$($s.ExitCode)/$($s.ServiceSpecificExitCode)" }
    $noted = { param($line) (Test-Path $notes) -and (@(Get-Content $notes) -contains $line) }
    New-Service -Name $name -BinaryPathName "`"$example`" run `"$notes`"" -StartupType Manual | Out-Null
    try {
        & sc.exe start $name slow | Out-Null
        Wait-Until 'start pending' { (& $state) -eq 'Start Pending' }
        Set-Content "$env:TEMP\$name.go" ''
        Wait-Until 'running when it is ready' { (& $state) -eq 'Running' }
        & sc.exe pause $name | Out-Null
        Wait-Until 'paused' { (& $state) -eq 'Paused' }
        & sc.exe continue $name | Out-Null
        Wait-Until 'running again' { (& $state) -eq 'Running' }
        & sc.exe control $name paramchange | Out-Null
        Wait-Until 'a reload' { & $noted 'reload' }
        & sc.exe control $name 150 | Out-Null
        Wait-Until 'its own control' { & $noted 'Control(150)' }
        & sc.exe control $name 200 | Out-Null
        Wait-Until 'its own exit code' { (& $state) -eq 'Stopped' -and (& $exit) -eq '1066/42' }
        & sc.exe start $name | Out-Null
        Wait-Until 'running' { (& $state) -eq 'Running' }
        & sc.exe control $name 201 | Out-Null
        Wait-Until 'an unexpected end' { (& $state) -eq 'Stopped' -and (& $exit) -eq '1067/0' }
        & sc.exe start $name | Out-Null
        Wait-Until 'running' { (& $state) -eq 'Running' }
        & sc.exe stop $name | Out-Null
        Wait-Until 'a clean end' { (& $state) -eq 'Stopped' -and (& $exit) -eq '0/0' }
        & $example run $notes once | Out-Null
        if ($LASTEXITCODE -ne 0) { throw "by hand it ended with $LASTEXITCODE" }
    } finally {
        & sc.exe stop $name | Out-Null
        & sc.exe delete $name | Out-Null
    }
}
# A unit of another account. The user may log on as a batch job, as one of the backup operators: a service's logon is refused first.
function Test-Account([string]$abide) {
    $user = 'abide-verify'
    $service = 'abide-verify-user'
    $folder = Join-Path $env:ProgramData 'abide-verify-user'
    $place = "$env:ProgramData\abide\hosted\$service"
    $secret = 'aA1!' + [guid]::NewGuid().ToString('N').Substring(0, 10)
    Remove-Item -Recurse -Force $folder -ErrorAction SilentlyContinue
    New-Item -ItemType Directory $folder | Out-Null
    New-LocalUser -Name $user -Password (ConvertTo-SecureString $secret -AsPlainText -Force) | Out-Null
    try {
        Get-LocalGroup -SID 'S-1-5-32-551' | Add-LocalGroupMember -Member $user
        & icacls $folder /grant "${user}:(OI)(CI)M" | Out-Null
        $file = Join-Path $folder 'password'
        Set-Content -Path $file -Value $secret
        $unit = @(
            "[service.$service]"
            "command = '$env:SystemRoot\System32\cmd.exe /d /c who.cmd'"
            "directory = '$folder'"
            "user = '.\$user'"
            'password_file = "password"'
            'stop = { signal = "INT", within = "20s" }'
            'ready = { file = "ready", within = "60s" }'
            'before_start = [{ command = "whoami > hook", shell = true }]'
        )
        Set-Content -Path (Join-Path $folder 'who.toml') -Value $unit
        Set-Content -Path (Join-Path $folder 'who.cmd') -Value @('@whoami > who', '@set > variables', '@reg query HKCU\Environment > registry', '@echo x > ready', '@ping -t 127.0.0.1')
        $check = Invoke-Program $abide @('check', "$folder\who.toml")
        $check | Add-Content -Path $report
        if ($LASTEXITCODE -eq 0 -or "$check" -notmatch 'icacls') { throw 'a password that everybody may read is taken' }
        & icacls $file /inheritance:r /grant:r '*S-1-5-32-544:F' '*S-1-5-18:F' | Out-Null
        Invoke-Program $abide @('check', "$folder\who.toml") | Add-Content -Path $report
        if ($LASTEXITCODE -ne 0) { throw 'a private password is refused' }
        Invoke-Program $abide @('install', "$folder\who.toml:$service", '--now') | Add-Content -Path $report
        Wait-Until 'the program of the user' { Test-Path "$folder\ready" }
        if ((Get-Content "$folder\who") -notmatch "\\$user`$") { throw 'it runs as somebody else' }
        if ((Get-Content "$folder\variables") -notcontains "USERNAME=$user") { throw 'it has not the variables of its user' }
        if (-not (Get-Content "$folder\registry")) { throw 'it has not the registry of its user' }
        if ((Get-Content "$folder\hook") -notmatch "\\$user`$") { throw 'its hook runs as somebody else' }
        $told = Get-ChildItem -Recurse -File $place -ErrorAction SilentlyContinue | Select-String -SimpleMatch $secret
        if ($told) { throw "its password is in $($told[0].Path)" }
        & sc.exe stop $service | Out-Null
        Wait-Until 'its end' { (Get-Service $service).Status -eq 'Stopped' }
        # Of what was done for each step of a stop an event tells.
        $reached = Get-ChildItem -Recurse -File $place | Select-String -SimpleMatch 'Ctrl-C in 1 console'
        if (-not $reached) { throw 'Ctrl-C did not reach it' }
    } finally {
        Invoke-Program $abide @('uninstall', $service) | Add-Content -Path $report
        Get-CimInstance Win32_UserProfile | Where-Object { $_.LocalPath -like "*\$user*" } | Remove-CimInstance -ErrorAction SilentlyContinue
        Remove-LocalUser -Name $user
        Remove-Item -Recurse -Force $folder -ErrorAction SilentlyContinue
    }
}
$example = Join-Path $here 'controls.exe'
$me = New-Object Security.Principal.WindowsPrincipal([Security.Principal.WindowsIdentity]::GetCurrent())
if (-not $me.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    "`nservices: left out, as making one takes an administrator" | Tee-Object -FilePath $report -Append
} elseif (Test-Path $example) {
    try {
        Test-Services $example
        $passed += 1
        "`nservices: hold" | Tee-Object -FilePath $report -Append
    } catch {
        $failed += 1
        $broken += "services ($_)"
    }
}
if ($me.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator) -and (Test-Path $env:ABIDE_EXE)) {
    try {
        Test-Account $env:ABIDE_EXE
        $passed += 1
        "`nanother account: holds" | Tee-Object -FilePath $report -Append
    } catch {
        $failed += 1
        $broken += "another account ($_)"
    }
}

"`n$passed hold, $failed do not, $ignored were left out, in $($programs.Count) programs" | Tee-Object -FilePath $report -Append
if ($broken.Count -gt 0) {
    "not as it should be: $($broken -join ', '); all they said is in $report" | Tee-Object -FilePath $report -Append
    exit 1
}
"everything holds; please send $report" | Tee-Object -FilePath $report -Append
exit 0
