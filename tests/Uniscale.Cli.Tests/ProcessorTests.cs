namespace Uniscale.Cli.Tests;

/// <summary>
/// The program on processors that this one stands in for, as processes of their own: instructions are chosen once a process.
/// </summary>
public sealed class ProcessorTests
{
    [Fact]
    public void A_processor_without_AVX2_is_refused_at_start_and_told_by_doctor()
    {
        using var corpus = new SmallCorpus();
        foreach (var lacking in new[] { ("DOTNET_EnableAVX2", "0"), ("UNISCALE_ISA", "baseline") })
        {
            var (code, output, error) = SmallCorpus.Uniscale([lacking], "train", corpus.In("base.yaml"));
            Assert.Equal((2, ""), (code, output));
            Assert.StartsWith(
                "uniscale: This processor has no AVX2 and FMA, which Uniscale's kernels need:",
                Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            );
            Assert.False(Directory.Exists(corpus.In("run")));

            (code, output, _) = SmallCorpus.Uniscale([lacking], "doctor");
            Assert.Equal(1, code);
            Assert.Contains("MISSING  processor", output);
        }
    }

    [Fact]
    public void An_emulated_precision_is_said_at_the_start_of_training_and_by_doctor()
    {
        using var corpus = new SmallCorpus();
        var avx2 = ("UNISCALE_ISA", "avx2");
        var (code, output, error) = SmallCorpus.Uniscale([avx2], "train", corpus.In("base.yaml"), "--set", "train.precision=bf16");
        Assert.True(code == 0, error);
        string line = Assert.Single(
            (output + error).Split('\n'),
            line => line.Contains("bf16 is emulated on this processor (avx2)", StringComparison.Ordinal)
        );
        Assert.Contains("of fp32's speed, so train.precision=fp32 is", line);

        (code, output, error) = SmallCorpus.Uniscale(
            [avx2],
            "train",
            corpus.In("base.yaml"),
            "--set",
            $"run_directory={corpus.In("fp32")}"
        );
        Assert.True(code == 0, error);
        Assert.DoesNotContain("emulated", output + error);

        (code, output, error) = SmallCorpus.Uniscale([avx2], "doctor");
        Assert.True(code == 0, output + error);
        Assert.Matches(
            @"ok +precisions +kernels for avx2; fp32 native, bf16 emulated \(widened to fp32\) at \d+ ?% of fp32's speed",
            output
        );
    }
}
