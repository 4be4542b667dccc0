using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Uniscale.Dashboard.Browser;

/// <summary>
/// A folder with a real training run that goes on, something of every other kind (scripts/dashboard-runs.sh), and a hostile folder, and a
/// dashboard over it: all by the built program.
/// </summary>
public sealed partial class TrainedRuns : IAsyncLifetime
{
    private DashboardProcess? _dashboard;
    private Process? _live;

    private static string Root => Repository.Root;

    /// <summary>Where screenshots go; null: nowhere.</summary>
    public static string? Pictures => Environment.GetEnvironmentVariable("UNISCALE_SCREENSHOTS") is { Length: > 0 } folder ? folder : null;

    /// <summary>A folder that scripts/dashboard-runs.sh has made before, to be spared these minutes; null: none.</summary>
    private static string? Ready => Environment.GetEnvironmentVariable("UNISCALE_DASHBOARD_RUNS") is { Length: > 0 } folder ? folder : null;

    /// <summary>The folder.</summary>
    public string Folder { get; } = Ready ?? Directory.CreateTempSubdirectory("uniscale-browser-").FullName;

    /// <summary>Address of the dashboard.</summary>
    public string Address => _dashboard!.Address;

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
        string infinite = In("runs/infinite/metrics.jsonl");
        Directory.CreateDirectory(Path.GetDirectoryName(infinite)!);
        // No fault that can be injected makes a loss infinite: the file says so of one step.
        File.WriteAllText(
            infinite,
            LossOfStep40().Replace(File.ReadAllText(In("runs/first/metrics.jsonl")), "$1\"loss\":\"Infinity\",")
        );
        _live = DashboardProcess.StartProgram(
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
        _live.BeginOutputReadLine();
        _live.BeginErrorReadLine();
        _dashboard = await DashboardProcess.Start(In("runs"), "--read-shards");
    }

    public async ValueTask DisposeAsync()
    {
        if (_dashboard is not null)
            await _dashboard.DisposeAsync();
        if (_live is not null)
        {
            if (!_live.HasExited)
                _live.Kill(entireProcessTree: true);
            await _live.WaitForExitAsync();
            _live.Dispose();
        }
        Directory.Delete(Ready is null ? Folder : In("runs/live"), recursive: true);
    }

    /// <summary>A path in the folder.</summary>
    public string In(string path) => Path.Combine(Folder, path);

    [GeneratedRegex("(\"step\":40,.*?)\"loss\":[^,]*,")]
    private static partial Regex LossOfStep40();

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment = { ["UNISCALE"] = DashboardProcess.Program },
            }
        )!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{string.Join(' ', arguments)}: {error.Result} {output.Result}");
    }
}
