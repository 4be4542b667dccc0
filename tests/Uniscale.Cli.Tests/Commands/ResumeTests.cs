using System.Text.Json;
using Uniscale.Data;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>What a resumed run may change, and that an imported model goes on as a run.</summary>
public sealed class ResumeTests : IDisposable
{
    private readonly SmallCorpus _corpus = new();

    public ResumeTests() => CommandRun.Of("train", In("base.yaml"), "--stop-after", "4");

    public void Dispose() => _corpus.Dispose();

    private string In(string path) => _corpus.In(path);

    [Theory]
    [InlineData("batch.global=2", "batch.global: 4 -> 2 (--set)")]
    [InlineData("train.seed=5", "train.seed: 1234 -> 5 (--set)")]
    [InlineData("model.rope_base=20000", "model.rope_base: 10000 -> 20000 (--set)")]
    [InlineData("train.precision=bf16", "train.precision: fp32 -> bf16 (--set)")]
    [InlineData("batch.ramp={0: 2}", "batch.ramp.0: absent -> 2")]
    public void WhatDecidedTheStepsIsRefusedByItsKey(string change, string expected)
    {
        string sentence = CommandRun.Refused("train", In("base.yaml"), "--resume", "--set", change);
        Assert.Contains(expected, sentence, StringComparison.Ordinal);
        Assert.EndsWith("docs/reference/checkpoints.md#resuming lists what may change.", sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsOnTheListMayChange()
    {
        var (code, output, error) = CommandRun.Of(
            "train",
            In("base.yaml"),
            "--resume",
            "--set",
            "optimizer.lr=1e-3",
            "--set",
            "train.steps=6",
            "--set",
            "batch.micro=2",
            "--set",
            "evaluation.every=3"
        );
        Assert.True(code == 0, error + output);
        string log = File.ReadAllText(In("run/logs/train-rank0.log"));
        Assert.Contains(
            "optimizer.lr: 0.0003 -> 0.001 (--set); the update, from the next step on; moments stay",
            log,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void AChangedShardIsNamed()
    {
        using (var writer = new ShardWriter(In("corpus"), 64))
        {
            for (int document = 0; document < 200; document++)
                writer.Add([.. Enumerable.Range(0, 40).Select(i => i % 64)]);
            writer.Complete();
        }
        Assert.Contains(
            "The shards of data source 'corpus' are not those that the checkpoint of step 4 was fed from",
            CommandRun.Refused("train", In("base.yaml"), "--resume"),
            StringComparison.Ordinal
        );
    }

    /// <summary>An imported model has weights and no optimizer state: training goes on from the weights, in either precision.</summary>
    [Fact]
    public void AnImportedModelIsTrained()
    {
        CommandRun.Of(
            "train",
            In("base.yaml"),
            "--set",
            $"run_directory={In("taught")}",
            "--set",
            "optimizer.lr=0.05",
            "--set",
            "train.steps=30"
        );
        CommandRun.Ok("export", In("taught"), "--to", In("model"));
        double[] losses = [.. ((string[])["fp32", "bf16"]).Select(precision => FirstLossOfImported(precision))];
        Assert.InRange(losses[0], 0, 4);
        Assert.Equal(losses[0], losses[1], 0.02);
        // Without a rate the weights are those that were exported, bit for bit.
        string difference = CommandRun.Of("checkpoint", "diff", In("taught"), In("imported-fp32")).Output;
        Assert.DoesNotContain("  layers.", difference, StringComparison.Ordinal);
        Assert.DoesNotContain("  embedding.", difference, StringComparison.Ordinal);
        Assert.Contains("  optimizer.m/layers.0.", difference, StringComparison.Ordinal);
    }

    private double FirstLossOfImported(string precision)
    {
        string run = In($"imported-{precision}");
        CommandRun.Ok("import", In("model"), "--to", run);
        string sources = $"data.sources=[{{ name: corpus, shards: [\"{In("corpus")}\"] }}]";
        var (code, output, error) = CommandRun.Of(
            "train",
            Path.Combine(run, "config.yaml"),
            "--resume",
            "--set",
            sources,
            "--set",
            "train.steps=1",
            "--set",
            "batch.global=4",
            "--set",
            $"train.precision={precision}",
            "--set",
            "logging.peak_flops=1G",
            "--set",
            "optimizer.lr=1e-30",
            "--set",
            "optimizer.weight_decay=0"
        );
        Assert.True(code == 0, error + output);
        Assert.Equal(0, CommandRun.Of("checkpoint", "verify", run).Code);
        string step = File.ReadLines(Path.Combine(run, "metrics.jsonl"))
            .Single(line => line.Contains("\"kind\":\"step\"", StringComparison.Ordinal));
        return JsonDocument.Parse(step).RootElement.GetProperty("loss").GetDouble();
    }
}
