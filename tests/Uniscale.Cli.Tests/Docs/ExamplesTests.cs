using System.Diagnostics;

namespace Uniscale.Cli.Tests.Docs;

/// <summary>What lies in examples/ runs, and says what its page promises.</summary>
public sealed partial class ExamplesTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ACustomScheduleIsCheckedAndDrawn()
    {
        string output = Run(Example("custom-schedule"));
        Assert.Contains("1f1b: 614 instructions of 8 ranks checked; bubble 27.3", output);
        Assert.Contains("bounded: 614 instructions of 8 ranks checked", output);
        Assert.Contains("│001122·", output);
    }

    [Fact]
    public void TheLibrariesStandAlone()
    {
        string output = Run(Example("library-use"));
        Assert.Contains("data: 3 documents, 30 tokens; the third begins 200 201 202 203", output);
        Assert.Contains("programs: 2048 ranks", output);
        Assert.Contains("no deadlock", output);
        Assert.Contains("second row 4 5 6", output);
        Assert.Contains("mpi: 1 rank, sum 1", output);
    }

    [Fact]
    public void AFirstModelIsTrainedResumedAndWrites()
    {
        // A little text and a few steps: the example's own are a minute.
        string text = _folder.In("text");
        Directory.CreateDirectory(text);
        foreach (string page in Directory.GetFiles(Path.Combine(Repository.Root, "docs", "decisions"), "*.md"))
            File.Copy(page, Path.Combine(text, Path.GetFileName(page)));
        string script = Path.Combine(_folder.In("first-model"), "run.sh");
        Directory.CreateDirectory(_folder.In("first-model"));
        string example = Path.Combine(Repository.Root, "examples", "first-model");
        File.WriteAllText(
            Path.Combine(_folder.In("first-model"), "run.yaml"),
            File.ReadAllText(Path.Combine(example, "run.yaml")).Replace("steps: 200", "steps: 6").Replace("every: 100", "every: 3")
        );
        File.WriteAllText(
            script,
            File.ReadAllText(Path.Combine(example, "run.sh"))
                .Replace("--stop-after 100", "--stop-after 3")
                .Replace("--validation 0.05", "--validation 0.2")
        );
        string output = Run("bash", script, text);
        Assert.Contains("step 6/6", output);
        Assert.True(File.Exists(_folder.In("first-model/runs/first-model/metrics.jsonl")));
    }

    /// <summary>The tutorial's way, with a little text and a few steps.</summary>
    [Fact]
    public void AModelIsTaughtToAnswerAndToPrefer()
    {
        Nightly.Only();
        string text = _folder.In("text"),
            example = _folder.In("alignment");
        Directory.CreateDirectory(text);
        Directory.CreateDirectory(example);
        foreach (string page in Directory.GetFiles(Path.Combine(Repository.Root, "docs", "decisions"), "*.md"))
            File.Copy(page, Path.Combine(text, Path.GetFileName(page)));
        foreach (string file in Directory.GetFiles(Path.Combine(Repository.Root, "examples", "alignment")))
            File.WriteAllText(
                Path.Combine(example, Path.GetFileName(file)),
                StepCount().Replace(File.ReadAllText(file), "steps: 4").Replace("layers: 4", "layers: 1")
            );
        string output = Run("bash", Path.Combine(example, "run.sh"), text);
        Assert.Contains("⟦", output);
        Assert.Matches(@"step 4/4 .* accuracy", output);
        Assert.Matches(@"correct +400 +[0-9.]+%", output);
        Assert.True(File.Exists(_folder.In("alignment/runs/dpo/metrics.jsonl")));
        Assert.True(File.Exists(_folder.In("alignment/runs/grpo/metrics.jsonl")));
        Assert.True(File.Exists(_folder.In("alignment/runs/ppo/metrics.jsonl")));
        Assert.Contains("All rounds are done", output);
    }

    [System.Text.RegularExpressions.GeneratedRegex(@"steps: \d+")]
    private static partial System.Text.RegularExpressions.Regex StepCount();

    [Fact]
    public void TheClustersConfigurationIsALayoutOfFourRanks()
    {
        var (code, output, error) = CommandRun.Of("program", Path.Combine(Repository.Root, "examples", "cluster", "run.yaml"));
        Assert.True(code == 0, error);
        Assert.Contains("Checked: all 4 ranks", output);
    }

    [Fact]
    public void TheClustersHostsAreTaken()
    {
        string example = Path.Combine(Repository.Root, "examples", "cluster");
        var (code, output, error) = CommandRun.Of(
            "launch",
            Path.Combine(example, "run.yaml"),
            "-n",
            "4",
            "--hosts",
            Path.Combine(example, "hosts.txt"),
            "--dry-run"
        );
        Assert.True(code == 0, error);
        Assert.Contains("hosts.txt", output);
    }

    private static string Example(string name) =>
        Path.Combine(Repository.Root, "examples", name, "bin", new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name, "net10.0", name);

    private static string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["UNISCALE"] = Path.Combine(AppContext.BaseDirectory, "uniscale");
        start.Environment["UNISCALE_PLAIN"] = "1";
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        Assert.True(process.WaitForExit(Limit), $"{program} does not end");
        Assert.True(process.ExitCode == 0, error.Result + output.Result);
        return output.Result + error.Result;
    }
}
