namespace Uniscale.Cli.Tests.Commands;

public sealed class LaunchCommandTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("uniscale-cli-").FullName;
    private readonly string file;

    public LaunchCommandTests()
    {
        file = Path.Combine(folder, "run.yaml");
        File.WriteAllText(file, """
            model: { layers: 4, hidden: 64, heads: 4, vocabulary: 512, context: 64 }
            train: { steps: 3, threads: 3 }
            batch: { global: 16, micro: 1 }
            parallel: { pipeline: 2, data: 2 }
            """);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void The_layout_gives_the_number_of_ranks_and_overrides_reach_them()
    {
        var (code, output, error) = CommandRun.Of("launch", file, "--dry-run", "--set", "optimizer.lr=1e-4");
        Assert.True(code == 0, error);
        Assert.StartsWith("mpirun -n 4 ", output);
        Assert.Contains("-x OMP_NUM_THREADS=3", output);
        Assert.EndsWith($"train {file} --set optimizer.lr=1e-4", output.TrimEnd());
    }

    [Fact]
    public void A_resumed_job_resumes_its_ranks() =>
        Assert.EndsWith(" --resume", CommandRun.Of("launch", file, "--dry-run", "--resume").Output.TrimEnd());

    [Fact]
    public void Ranks_whose_launcher_is_killed_save_and_end()
    {
        using var corpus = new SmallCorpus();
        string[] arguments = ["launch", corpus.In("base.yaml"), "-n", "2", "--bind", "none", "--set", "train.steps=5000", "--set", "evaluation.every=0"];
        string metrics = corpus.In("run/metrics.jsonl");
        var launcher = SmallCorpus.Start(arguments);
        SmallCorpus.Wait(() => File.Exists(metrics) && File.ReadAllText(metrics).Contains("\"step\":3,", StringComparison.Ordinal));
        launcher.Kill(); // SIGKILL, to the launcher alone
        launcher.WaitForExit();
        SmallCorpus.Wait(() => File.ReadAllText(metrics).Contains("\"kind\":\"end\"", StringComparison.Ordinal));
        // The last metrics are written before the ranks are gone, and only then the job counts as stopped.
        SmallCorpus.Wait(() => CommandRun.Of("status", corpus.In("run")).Output.Contains("stopped", StringComparison.Ordinal));
        Assert.Single(Directory.GetDirectories(corpus.In("run/checkpoints"), "step-*"));
    }

    [Theory]
    [InlineData("--host-faults 0", "--host-faults 0 is not a number of faults: give 1 or more.")]
    [InlineData("-n 3", "3")]
    [InlineData("-n -1", "-n -1 is not a number of ranks")]
    [InlineData("--hosts nowhere", "The host file nowhere does not exist")]
    public void What_cannot_be_is_the_users_error(string options, string sentence)
    {
        var (code, _, error) = CommandRun.Of(["launch", file, .. options.Split(' '), "--set", $"run_directory={folder}/run"]);
        Assert.Equal(2, code);
        Assert.Contains(sentence, error);
    }
}
