# PowerShell completion for smscli. The program's output is never evaluated.

Register-ArgumentCompleter -Native -CommandName smscli -ScriptBlock {
    param($word, $line, $cursor)

    $words = @($line.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursor } |
        ForEach-Object { if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text } })
    $current = "$word".Trim("'", '"')
    # Before 7.3 PowerShell drops an empty argument, unless it is written as two quotes.
    if ($current -eq '' -and ($PSVersionTable.PSVersion -lt [version]'7.3' -or $PSNativeCommandArgumentPassing -eq 'Legacy')) {
        $current = '""'
    }

    $program = Get-Command smscli -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if (-not $program) { return }

    & $program __complete @words $current 2>$null | ForEach-Object {
        $value, $description = $_ -split "`t", 2
        if ($value -eq '/') {
            [System.Management.Automation.CompletionCompleters]::CompleteFilename($word)
        }
        elseif ($value) {
            $typed = if ($value.Contains(' ') -or $value.StartsWith('@')) { "'$value'" } else { $value }
            $told = if ($description) { $description } else { $value }
            [System.Management.Automation.CompletionResult]::new($typed, $value, 'ParameterValue', $told)
        }
    }
}
