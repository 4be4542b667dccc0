using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Uniscale.Dashboard.Browser;

/// <summary>
/// A folder with a real training run that goes on, something of every other kind (scripts/dashboard-runs.sh), and a hostile folder, and a
/// dashboard over it: all by the built program.
/// </summary>
public sealed partial class TrainedRuns : IAsyncLifetime
{
    private readonly List<Process> _processes = [];

    private static string Root => Repository.Root;

    private static string Program => Path.Combine(Root, "src/Uniscale.Cli/bin/Release/net10.0/uniscale");

    /// <summary>Where screenshots go; null: nowhere.</summary>
    public static string? Pictures => Environment.GetEnvironmentVariable("UNISCALE_SCREENSHOTS") is { Length: > 0 } folder ? folder : null;

    /// <summary>A folder that scripts/dashboard-runs.sh has made before, to be spared these minutes; null: none.</summary>
    private static string? Ready => Environment.GetEnvironmentVariable("UNISCALE_DASHBOARD_RUNS") is { Length: > 0 } folder ? folder : null;

    /// <summary>The folder.</summary>
    public string Folder { get; } = Ready ?? Directory.CreateTempSubdirectory("uniscale-browser-").FullName;

    /// <summary>Address of the dashboard.</summary>
    public string Address { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        if (Ready is null)
            Run("bash", Path.Combine(Root, "scripts", "dashboard-runs.sh"), Folder);
        string hostile = In("runs/<img src=x onerror=window.harmed=1>");
        Directory.CreateDirectory(hostile);
        File.WriteAllText(
            Path.Combine(hostile, "metrics.jsonl"),
            File.ReadAllText(In("runs/nan/metrics.jsonl"))
                .Replace("\"broad\"", "\"<img src=x onerror=window.harmed=1>\"", StringComparison.Ordinal)
        );
        Live = Start(
            "train",
            In("base.yaml"),
            "--ranks",
            "1",
            "--set",
            $"run_directory={In("runs/live")}",
            "--set",
            "phases=[]",
            "--set",
            "train.steps=100000"
        );
        var dashboard = Start("dashboard", In("runs"), "--port", "0", "--read-shards");
        string line = await dashboard.StandardOutput.ReadLineAsync() ?? "";
        Address = Url().Match(line) is { Success: true } found
            ? found.Value
            : throw new InvalidOperationException($"The dashboard did not start: {line} {await dashboard.StandardError.ReadToEndAsync()}");
    }

    /// <summary>The run that goes on.</summary>
    public Process Live { get; private set; } = null!;

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            process.Dispose();
        }
        Directory.Delete(Ready is null ? Folder : In("runs/live"), recursive: true);
    }

    /// <summary>A path in the folder.</summary>
    public string In(string path) => Path.Combine(Folder, path);

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment = { ["UNISCALE"] = Program },
            }
        )!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{string.Join(' ', arguments)}: {error.Result} {output.Result}");
    }

    private Process Start(params string[] arguments)
    {
        // In another folder than the program's: nothing may be looked for where it is started.
        var process = Process.Start(
            new ProcessStartInfo(Program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = Path.GetTempPath(),
            }
        )!;
        if (arguments[0] == "train")
        {
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
        }
        _processes.Add(process);
        return process;
    }

    [GeneratedRegex("http://[^ ]+")]
    private static partial Regex Url();
}
