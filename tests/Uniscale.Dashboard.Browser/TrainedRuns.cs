using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Uniscale.Dashboard.Browser;

/// <summary>
/// A folder with a real training run that goes on, finished ones, a sweep and hostile folders, and a dashboard over it: all by the built
/// program.
/// </summary>
public sealed partial class TrainedRuns : IAsyncLifetime
{
    private readonly List<Process> _processes = [];

    private static string Root => Repository.Root;

    private static string Program => Path.Combine(Root, "src/Uniscale.Cli/bin/Release/net10.0/uniscale");

    /// <summary>Where screenshots go; null: nowhere.</summary>
    public static string? Pictures => Environment.GetEnvironmentVariable("UNISCALE_SCREENSHOTS") is { Length: > 0 } folder ? folder : null;

    /// <summary>The folder.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("uniscale-browser-").FullName;

    /// <summary>Address of the dashboard.</summary>
    public string Address { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(In("raw/docs"));
        foreach (string file in Directory.GetFiles(Path.Combine(Root, "docs", "reference"), "*.md"))
            File.Copy(file, In($"raw/docs/{Path.GetFileName(file)}"));
        Run("data", "import", In("raw/docs"), "--domain", "docs", "--out", In("store"));
        Run("tokenizer", "train", In("store"), "--vocabulary", "600", "--out", In("t.model"));
        Run("data", "tokenize", In("store"), "--tokenizer", In("t.model"), "--out", In("tokens"));
        File.WriteAllText(
            In("base.yaml"),
            $$"""
            model: { layers: 2, hidden: 32, heads: 2, context: 32 }
            data:
              tokenizer: {{In("t.model")}}
              sources: [{ name: docs, domain: docs, shards: [{{In("tokens/docs.train")}}] }]
              validation: [{ name: docs, domain: docs, shards: [{{In("tokens/docs.train")}}] }]
            batch: { global: 8, micro: 4 }
            train: { threads: 1 }
            phases: [{ name: broad, tokens: 15360, mixture: { docs: 1 } }, { name: fine, tokens: 15360, mixture: { docs: 1 }, lr: 1e-4 }]
            evaluation: { every: 20, sequences: 4 }
            checkpoint: { every: 40 }
            logging: { peak_flops: 10G, every: 50 }
            """
        );
        Run("train", In("base.yaml"), "--ranks", "1", "--set", $"run_directory={In("runs/first")}", "--trace", In("trace.json"));
        Run(
            "train",
            In("base.yaml"),
            "--ranks",
            "1",
            "--set",
            $"run_directory={In("runs/nan")}",
            "--set",
            "faults.enabled=true",
            "--set",
            "faults.inject=[{ kind: nan-gradient, step: 30 }]",
            "--set",
            "optimizer.lr=3e-3"
        );
        File.Copy(In("trace.json"), In("runs/first/trace.json"));
        Run("program", In("runs/first/config.yaml"), "--ranks", "1", "--trace", In("runs/first/predicted.json"));
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
        var dashboard = Start("dashboard", In("runs"), "--port", "0");
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
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>A path in the folder.</summary>
    public string In(string path) => Path.Combine(Folder, path);

    private void Run(params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(Program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true }
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
