using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Uniscale.Dashboard.Browser;

/// <summary>A dashboard, as a user starts it, over a folder of runs.</summary>
public sealed partial class DashboardProcess : IAsyncDisposable
{
    private readonly Process _process;

    private DashboardProcess(Process process) => _process = process;

    /// <summary>The built program.</summary>
    public static string Program => Path.Combine(Repository.Root, "src/Uniscale.Cli/bin/Release/net10.0/uniscale");

    /// <summary>Where it listens.</summary>
    public string Address { get; private init; } = "";

    /// <summary>Starts it, and waits until it listens.</summary>
    public static async Task<DashboardProcess> Start(string folder, params string[] options)
    {
        var process = StartProgram(["dashboard", folder, "--port", "0", .. options]);
        string line = await process.StandardOutput.ReadLineAsync() ?? "";
        if (Url().Match(line) is { Success: true } found)
            return new DashboardProcess(process) { Address = found.Value };
        string error = await process.StandardError.ReadToEndAsync();
        process.Dispose();
        throw new InvalidOperationException($"The dashboard did not start: {line} {error}");
    }

    /// <summary>Starts the program in another folder than its own: nothing may be looked for where it is started.</summary>
    public static Process StartProgram(params string[] arguments) =>
        Process.Start(
            new ProcessStartInfo(Program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = Path.GetTempPath(),
            }
        )!;

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    [GeneratedRegex("http://[^ ]+")]
    private static partial Regex Url();
}
