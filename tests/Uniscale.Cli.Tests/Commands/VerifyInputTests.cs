namespace Uniscale.Cli.Tests.Commands;

/// <summary>What makes no sense is refused before anything is computed.</summary>
public sealed class VerifyInputTests
{
    [Theory]
    [InlineData("", "--layouts names no layout")]
    [InlineData(" , ", "--layouts names no layout")]
    [InlineData("tp0", "the size of an axis is 1 or more")]
    [InlineData("dp", "the size of an axis is 1 or more")]
    [InlineData("nonsense", "unknown word 'nonsense'")]
    public void ALayoutThatCannotBeIsOneSentence(string layouts, string expected)
    {
        string yaml = Path.Combine(Directory.CreateTempSubdirectory("uniscale-verify-").FullName, "config.yaml");
        File.WriteAllText(
            yaml,
            "model: { layers: 1, hidden: 16, heads: 2, context: 8, vocabulary: 64 }\nbatch: { global: 2 }\ntrain: { steps: 1 }\n"
        );
        var (code, _, error) = CommandRun.Of("verify", yaml, "--layouts", layouts);
        Directory.Delete(Path.GetDirectoryName(yaml)!, recursive: true);
        Assert.Equal(2, code);
        Assert.Contains(expected, error);
    }

    [Fact]
    public void NoRanksAreNoRanks()
    {
        string yaml = Path.Combine(Directory.CreateTempSubdirectory("uniscale-ranks-").FullName, "config.yaml");
        File.WriteAllText(
            yaml,
            "model: { layers: 1, hidden: 16, heads: 2, context: 8, vocabulary: 64 }\nbatch: { global: 2 }\ntrain: { steps: 1 }\n"
        );
        var (code, _, error) = CommandRun.Of("train", yaml, "--ranks", "0");
        Directory.Delete(Path.GetDirectoryName(yaml)!, recursive: true);
        Assert.Equal((2, true), (code, error.Contains("--ranks 0 is not a number of ranks", StringComparison.Ordinal)));
    }
}
