using Uniscale.Configuration;
using Uniscale.Programs.Checking;

namespace Uniscale.Programs.Tests.Specification;

public sealed class LayoutGateTests
{
    [Theory]
    [InlineData(
        "model: { hidden: 384, heads: 5 }",
        "model.heads is 5, which does not divide model.hidden (384): set model.heads to 4 or 6, model.hidden to 385, or give model.head_dim."
    )]
    [InlineData(
        "model: { heads: 6, kv_heads: 4 }",
        "model.kv_heads is 4, which does not divide model.heads (6): set model.kv_heads to 3 or 6."
    )]
    [InlineData("parallel: { tensor: 4 }", "parallel.tensor is 4, which does not divide model.heads (6): set parallel.tensor to 3 or 6.")]
    [InlineData(
        "{ model: { heads: 6, kv_heads: 2 }, parallel: { tensor: 3 } }",
        "parallel.tensor is 3, which neither divides model.kv_heads (2) nor is a multiple of it: set parallel.tensor to 2 or 4."
    )]
    [InlineData(
        "{ model: { ffn: 1023 }, parallel: { tensor: 2 } }",
        "parallel.tensor is 2, which does not divide the feed-forward width (1023): set model.ffn to 1024."
    )]
    [InlineData(
        "parallel: { sequence: true }",
        "parallel.sequence splits norms within the tensor group, but parallel.tensor is 1: set parallel.tensor to 2 or more, or parallel.sequence to false."
    )]
    [InlineData(
        "{ model: { context: 250 }, parallel: { context: 2, tensor: 2, sequence: true } }",
        "model.context is 250, which the layout cannot cut into 8 equal pieces: set it to 256."
    )]
    [InlineData(
        "parallel: { context: 4, context_method: all-to-all }",
        "parallel.context is 4, which does not divide the 6 heads of a tensor rank, as all-to-all needs: set parallel.context_method to ring, or parallel.context to 3 or 6."
    )]
    [InlineData(
        "parallel: { chunks: 2, pipeline: 2 }",
        "parallel.chunks is 2, but only the interleaved schedule has chunks: set parallel.schedule to interleaved-1f1b, or parallel.chunks to 1."
    )]
    [InlineData(
        "parallel: { schedule: interleaved-1f1b }",
        "parallel.schedule is interleaved-1f1b, but parallel.pipeline is 1: set parallel.pipeline to 2 or more, or parallel.schedule to 1f1b."
    )]
    [InlineData(
        "parallel: { schedule: interleaved-1f1b, pipeline: 2 }",
        "parallel.schedule is interleaved-1f1b, but parallel.chunks is 1: set parallel.chunks to 2 or more, or parallel.schedule to 1f1b."
    )]
    [InlineData(
        "parallel: { schedule: interleaved-1f1b, pipeline: 4, chunks: 2 }",
        "parallel.pipeline 4 × parallel.chunks 2 cuts the model into 8 pieces, but it has 6 layers: set parallel.pipeline to at most 3, or model.layers to 8."
    )]
    [InlineData(
        "parallel: { order: [pp, dp, tp] }",
        "parallel.order is [pp, dp, tp], but must name each of pp, dp, cp and tp once, the slowest first."
    )]
    [InlineData(
        "parallel: { recompute_every: 2 }",
        "parallel.recompute_every is 2, but parallel.recompute is not every-kth: set parallel.recompute to every-kth, or take parallel.recompute_every out."
    )]
    [InlineData(
        "parallel: { data: 3 }",
        "batch.global is 16, which is no multiple of the 3 replicas: set batch.global to 18 or 15, or change the layout."
    )]
    [InlineData(
        "{ batch: { micro: 3 }, parallel: { data: 4 } }",
        "batch.global is 16, which is no multiple of 4 replicas × batch.micro 3 = 12: set batch.global to 24 or 12, or change the layout."
    )]
    [InlineData(
        "{ batch: { global: 8 }, parallel: { data: 16 } }",
        "batch.global is 8, which is no multiple of the 16 replicas: set batch.global to 16, or change the layout."
    )]
    [InlineData(
        "parallel: { data: 4, zero: { stage: 1, group: 3 } }",
        "parallel.zero.group is 3, which does not divide the 4 replicas (data × context): set it to 2 or 4, or 0 for all."
    )]
    [InlineData(
        "{ phases: [{ name: p, tokens: 1M, context: 100 }], parallel: { context: 4 } }",
        "phases[0].context is 100, which the layout cannot cut into 8 equal pieces: set it to 104."
    )]
    [InlineData(
        "parallel: { tensor: 65536, pipeline: 65536 }",
        "The layout data 0 × tensor 65536 × pipeline 65536 × context 1 needs more than 1048576 ranks: lower one of them."
    )]
    [InlineData(
        "model: { heads: 60000, head_dim: 60000 }",
        "model.heads 60000 × the width of a head 60000 is 3600000000, but must be at most 16777216: lower model.heads or model.head_dim."
    )]
    [InlineData("parallel: { schedule: 2f2b }", "there is no schedule '2f2b': choose one of 1f1b, gpipe, interleaved-1f1b, zero-bubble")]
    [InlineData(
        "{ model: { vocabulary: 9, ffn: 96 }, parallel: { tensor: 6 } }",
        "parallel.tensor is 6, which leaves a rank without entries of a vocabulary of 9: set parallel.tensor lower."
    )]
    public void A_broken_rule_says_which_number_to_change_to_what(string yaml, string expected) =>
        Assert.EndsWith(expected, Message(yaml, yaml.Contains("phases:", StringComparison.Ordinal) ? [] : ["train.steps=10"]));

    [Fact]
    public void A_rule_names_the_place_of_the_value()
    {
        Assert.StartsWith("config.yaml:2:10: model.heads is 5", Message("model:\n  heads: 5\ntrain: { steps: 1 }"));
        Assert.StartsWith("--set model.heads=5: model.heads is 5", Message("train: { steps: 1 }", "model.heads=5"));
    }

    [Theory]
    [InlineData(8, "", 4)]
    [InlineData(2, "", 1)]
    [InlineData(
        3,
        "The layout tensor 2 × pipeline 1 × context 1 needs a multiple of 2 ranks, but there are 3: start 4 ranks, or change parallel.tensor, parallel.pipeline or parallel.context.",
        0
    )]
    [InlineData(6, "batch.global is 16, which is no multiple of the 3 replicas: set batch.global to 18 or 15, or change the layout.", 0)]
    public void The_world_must_fit_the_layout(int ranks, string expected, int replicas)
    {
        var configuration = ConfigurationLoader.Parse("{ parallel: { tensor: 2 }, train: { steps: 1 } }").Value;
        if (expected.Length == 0)
            Assert.Equal(replicas, LayoutGate.CheckWorld(configuration, ranks));
        else
            Assert.Equal(expected, Assert.Throws<UserErrorException>(() => LayoutGate.CheckWorld(configuration, ranks)).Message);
    }

    [Fact]
    public void A_given_number_of_replicas_must_be_the_worlds()
    {
        var configuration = ConfigurationLoader.Parse("{ parallel: { tensor: 2, data: 4 }, train: { steps: 1 } }").Value;
        Assert.Equal(4, LayoutGate.CheckWorld(configuration, 8));
        Assert.Equal(
            "The layout data 4 × tensor 2 × pipeline 1 × context 1 needs 8 ranks, but there are 4: start 8 ranks, or set parallel.data to 2 (or 0).",
            Assert.Throws<UserErrorException>(() => LayoutGate.CheckWorld(configuration, 4)).Message
        );
    }

    [Theory]
    [InlineData(
        "{ batch: { global: 1048576, micro: 1 }, model: { layers: 100 } }",
        1,
        "100 layers × 1048576 microbatches is more than 1000000 passes"
    )]
    [InlineData("{ parallel: { pipeline: 2, schedule: zero-bubble } }", 0, "0 is not a number of ranks: give 1 to 1048576.")]
    public void A_job_that_no_program_could_serve_is_refused(string yaml, int ranks, string expected) =>
        Assert.StartsWith(
            expected,
            Assert
                .Throws<UserErrorException>(() => LayoutGate.CheckWorld(ConfigurationLoader.Parse(yaml, ["train.steps=1"]).Value, ranks))
                .Message
        );

    /// <summary>What passes the gate has a program on every rank; the checker proves it.</summary>
    [Theory]
    [InlineData("{ tensor: 2, pipeline: 2, zero: { stage: 1 } }", 8)]
    [InlineData("{ pipeline: 3, schedule: interleaved-1f1b, chunks: 2 }", 3)]
    [InlineData("{ context: 2, tensor: 2, sequence: true, order: [tp, cp, dp, pp] }", 4)]
    public void What_passes_has_a_program(string parallel, int ranks)
    {
        var configuration = ConfigurationLoader.Parse($"{{ parallel: {parallel}, train: {{ steps: 1 }} }}").Value;
        Assert.Equal(ranks / configuration.Parallel.ReplicaRanks, LayoutGate.CheckWorld(configuration, ranks));
        Assert.True(ProgramChecker.Check(SpecificationBuilder.Build(configuration, ranks, vocabulary: 100)).Passed);
    }

    private static string Message(string yaml, params string[] overrides)
    {
        var resolved = ConfigurationLoader.Parse(yaml, overrides);
        return Assert.Throws<UserErrorException>(() => LayoutGate.Check(resolved)).Message;
    }
}
