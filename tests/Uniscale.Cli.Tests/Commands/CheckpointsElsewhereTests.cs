namespace Uniscale.Cli.Tests.Commands;

/// <summary>Commands that read a run find its checkpoints where its configuration has them, also after it was moved.</summary>
public sealed class CheckpointsElsewhereTests : IDisposable
{
    private readonly SmallCorpus _corpus = new();

    public void Dispose() => _corpus.Dispose();

    private string In(string path) => _corpus.In(path);

    [Theory]
    [InlineData("run/saves", "moved/saves")]
    [InlineData("disk", "disk")]
    public void EveryCommandFindsThem(string saves, string place)
    {
        CommandRun.Of("train", In("base.yaml"), "--set", $"checkpoint.directory={In(saves)}", "--set", "train.steps=2");
        // As a run that once saved into its own folder has left it.
        Directory.CreateDirectory(In("run/checkpoints"));
        Directory.Move(In("run"), In("moved"));
        string step = In($"{place}/step-00000002");
        Assert.StartsWith($"good     {step}", CommandRun.Ok("checkpoint", "verify", In("moved")), StringComparison.Ordinal);
        Assert.Contains("\n         2 ", CommandRun.Ok("checkpoint", "list", In("moved")), StringComparison.Ordinal);
        Assert.Contains("step 2, ", CommandRun.Ok("checkpoint", "inspect", In("moved")), StringComparison.Ordinal);
        Assert.Equal("0 of 1 checkpoints\n", CommandRun.Ok("checkpoint", "prune", In("moved")));
        Assert.Contains(
            " of step 2 are in ",
            CommandRun.Ok("export", In("moved"), "--to", In("model"), "--no-tokenizer"),
            StringComparison.Ordinal
        );
    }

    /// <summary>A configuration may say where checkpoints are relative to where the run was started.</summary>
    [Fact]
    public void ThoseOfAnotherWorkingDirectoryAreFoundByWhereTheyWereSaved()
    {
        CommandRun.Of("train", In("base.yaml"), "--set", $"checkpoint.directory={In("disk")}", "--set", "train.steps=2");
        string config = In("run/config.yaml");
        File.WriteAllText(config, File.ReadAllText(config).Replace(In("disk"), "disk", StringComparison.Ordinal));
        Assert.StartsWith(
            $"good     {In("disk/step-00000002")}",
            CommandRun.Ok("checkpoint", "verify", In("run")),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void NothingToVerifyIsNotGood() =>
        Assert.Equal(
            $"uniscale: there is no checkpoint in {In("none")}.",
            CommandRun.Refused("checkpoint", "verify", Directory.CreateDirectory(In("none")).FullName)
        );
}
