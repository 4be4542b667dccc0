namespace Uniscale.Configuration.Tests;

public sealed class ConfigurationRulesTests
{
    [Theory]
    [InlineData("model: { hidden: 384, heads: 5 }", "model.heads is 5, which does not divide model.hidden (384): set model.heads to 4 or 6, model.hidden to 385, or give model.head_dim.")]
    [InlineData("model: { heads: 6, kv_heads: 4 }", "model.kv_heads is 4, which does not divide model.heads (6): set model.kv_heads to 3 or 6.")]
    [InlineData("model: { hidden: 30, heads: 6 }", "The width of a head is 5, but rotary positions turn pairs: set model.head_dim to 6, or model.positions to learned.")]
    [InlineData("model: { positions: learned, rope_scaling: linear }", "model.rope_scaling stretches rotary angles, but model.positions is learned: set model.rope_scaling to none, or model.positions to rope.")]
    [InlineData("model: { rope_factor: 2 }", "model.rope_factor is 2, but model.rope_scaling is none: set model.rope_scaling to linear or ntk-aware, or take model.rope_factor out.")]
    [InlineData("parallel: { tensor: 4 }", "parallel.tensor is 4, which does not divide model.heads (6): set parallel.tensor to 3 or 6.")]
    [InlineData("{ model: { heads: 6, kv_heads: 2 }, parallel: { tensor: 3 } }", "parallel.tensor is 3, which neither divides model.kv_heads (2) nor is a multiple of it: set parallel.tensor to 2 or 4.")]
    [InlineData("{ model: { ffn: 1023 }, parallel: { tensor: 2 } }", "parallel.tensor is 2, which does not divide the feed-forward width (1023): set model.ffn to 1024.")]
    [InlineData("parallel: { sequence: true }", "parallel.sequence splits norms within the tensor group, but parallel.tensor is 1: set parallel.tensor to 2 or more, or parallel.sequence to false.")]
    [InlineData("{ model: { context: 250 }, parallel: { context: 2, tensor: 2, sequence: true } }", "model.context is 250, which the layout cannot cut into 8 equal pieces: set it to 256.")]
    [InlineData("parallel: { context: 4, context_method: all-to-all }", "parallel.context is 4, which does not divide the 6 heads of a tensor rank, as all-to-all needs: set parallel.context_method to ring, or parallel.context to 3 or 6.")]
    [InlineData("parallel: { chunks: 2, pipeline: 2 }", "parallel.chunks is 2, but only the interleaved schedule has chunks: set parallel.schedule to interleaved-1f1b, or parallel.chunks to 1.")]
    [InlineData("parallel: { schedule: interleaved-1f1b }", "parallel.schedule is interleaved-1f1b, but parallel.pipeline is 1: set parallel.pipeline to 2 or more, or parallel.schedule to 1f1b.")]
    [InlineData("parallel: { schedule: interleaved-1f1b, pipeline: 2 }", "parallel.schedule is interleaved-1f1b, but parallel.chunks is 1: set parallel.chunks to 2 or more, or parallel.schedule to 1f1b.")]
    [InlineData("parallel: { schedule: interleaved-1f1b, pipeline: 4, chunks: 2 }", "parallel.pipeline 4 × parallel.chunks 2 cuts the model into 8 pieces, but it has 6 layers: set parallel.pipeline to at most 3, or model.layers to 8.")]
    [InlineData("parallel: { order: [pp, dp, tp] }", "parallel.order is [pp, dp, tp], but must name each of pp, dp, cp and tp once, the slowest first.")]
    [InlineData("parallel: { recompute_every: 2 }", "parallel.recompute_every is 2, but parallel.recompute is not every-kth: set parallel.recompute to every-kth, or take parallel.recompute_every out.")]
    [InlineData("train: { tokens: 4M }", "train.steps (10) and train.tokens (4M) are both given: take one of them out.")]
    [InlineData("train: { steps: 0 }", "Nothing says how long to train: set train.steps, train.tokens, or phases.")]
    [InlineData("schedule: { kind: wsd, warmup_ratio: 0.3, decay_ratio: 0.8 }", "schedule.warmup_ratio 0.3 + schedule.decay_ratio 0.8 is more than the whole run: set schedule.decay_ratio to at most 0.7.")]
    [InlineData("parallel: { data: 3 }", "batch.global is 16, which is no multiple of the 3 replicas: set batch.global to 18 or 15, or change the layout.")]
    [InlineData("{ batch: { micro: 3 }, parallel: { data: 4 } }", "batch.global is 16, which is no multiple of 4 replicas × batch.micro 3 = 12: set batch.global to 24 or 12, or change the layout.")]
    [InlineData("{ batch: { global: 8 }, parallel: { data: 16 } }", "batch.global is 8, which is no multiple of the 16 replicas: set batch.global to 16, or change the layout.")]
    [InlineData("parallel: { data: 4, zero: { stage: 1, group: 3 } }", "parallel.zero.group is 3, which does not divide the 4 replicas (data × context): set it to 2 or 4, or 0 for all.")]
    [InlineData("data: { sources: [{ name: a, shards: [x] }, { name: a, shards: [y] }] }", "data.sources[1].name is 'a': give each source a name of its own.")]
    [InlineData("data: { sources: [{ name: a }] }", "The source 'a' has no shards: set data.sources[0].shards, or virtual_tokens for planning only.")]
    [InlineData("data: { sources: [{ name: a, shards: [x], weight: 1 }, { name: b, shards: [y] }] }", "The source 'b' has no weight although others have: give each of data.sources a weight, or none (then size decides).")]
    [InlineData("{ phases: [{ name: p, tokens: 1M, mixture: { wbe: 1 } }], data: { sources: [{ name: web, domain: text, shards: [x] }] } }", "The mixture of phase 'p' names 'wbe', which is no source or domain of data.sources; did you mean 'web'?")]
    [InlineData("phases: [{ name: p, tokens: 1M, evaluate: [books] }]", "Phase 'p' evaluates 'books', which is no source of data.validation; there are none.")]
    [InlineData("phases: [{ name: p, tokens: 1M }, { name: p, tokens: 1M }]", "phases[1].name is 'p': give each phase a name of its own.")]
    [InlineData("phases: [{ name: p }]", "The phase 'p' has no tokens: set phases[0].tokens, for example to 10B.")]
    [InlineData("{ phases: [{ name: p, tokens: 1M, context: 100 }], parallel: { context: 4 } }", "phases[0].context is 100, which the layout cannot cut into 8 equal pieces: set it to 104.")]
    [InlineData("{ phases: [{ name: p, tokens: 1M, context: 512 }], model: { positions: learned } }", "phases[0].context is 512, but the learned table of positions has model.context = 256 rows: set model.context to 512, or model.positions to rope.")]
    [InlineData("{ schedule: { kind: wsd }, phases: [{ name: p, tokens: 10240, warmup_ratio: 0.9 }] }", "phases[0].warmup_ratio 0.9 + schedule.decay_ratio 0.2 is more than the whole phase: set phases[0].warmup_ratio to at most 0.8, or lower schedule.decay_ratio.")]
    [InlineData("{ model: { positions: learned }, phases: [{ name: p, tokens: 1M, rope_base: 50000 }] }", "phases[0].rope_base turns rotary angles, but model.positions is learned: take phases[0].rope_base out, or set model.positions to rope.")]
    [InlineData("parallel: { tensor: 65536, pipeline: 65536 }", "The layout data 0 × tensor 65536 × pipeline 65536 × context 1 needs more than 1048576 ranks: lower one of them.")]
    [InlineData("model: { heads: 60000, head_dim: 60000 }", "model.heads 60000 × the width of a head 60000 is 3600000000, but must be at most 16777216: lower model.heads or model.head_dim.")]
    [InlineData("phases: [{ name: a, tokens: 90000T }, { name: b, tokens: 90000T }]", "The phases add up to more than 100000T tokens: lower phases[].tokens.")]
    [InlineData("{ train: { steps: 1000000000000 }, batch: { global: 1000000 } }", "train.steps 1000000000000 × batch.global 1000000 × model.context 256 is more than 100000T tokens: lower train.steps.")]
    public void A_broken_rule_says_which_number_to_change_to_what(string yaml, string expected) =>
        Assert.EndsWith(expected, Message(yaml, yaml.Contains("steps:", StringComparison.Ordinal) || yaml.Contains("phases:", StringComparison.Ordinal) ? [] : ["train.steps=10"]));

    [Fact]
    public void A_rule_names_the_place_of_the_value()
    {
        Assert.StartsWith("config.yaml:2:10: model.heads is 5", Message("model:\n  heads: 5\ntrain: { steps: 1 }"));
        Assert.StartsWith("--set model.heads=5: model.heads is 5", Message("train: { steps: 1 }", "model.heads=5"));
    }

    [Theory]
    [InlineData(8, "", 4)]
    [InlineData(2, "", 1)]
    [InlineData(3, "The layout tensor 2 × pipeline 1 × context 1 needs a multiple of 2 ranks, but there are 3: start 4 ranks, or change parallel.tensor, parallel.pipeline or parallel.context.", 0)]
    [InlineData(6, "batch.global is 16, which is no multiple of the 3 replicas: set batch.global to 18 or 15, or change the layout.", 0)]
    public void The_world_must_fit_the_layout(int ranks, string expected, int replicas)
    {
        var configuration = ConfigurationLoader.Parse("{ parallel: { tensor: 2 }, train: { steps: 1 } }").Value;
        if (expected.Length == 0)
            Assert.Equal(replicas, ConfigurationRules.CheckWorld(configuration, ranks));
        else
            Assert.Equal(expected, Assert.Throws<UserErrorException>(() => ConfigurationRules.CheckWorld(configuration, ranks)).Message);
    }

    [Fact]
    public void A_given_number_of_replicas_must_be_the_worlds()
    {
        var configuration = ConfigurationLoader.Parse("{ parallel: { tensor: 2, data: 4 }, train: { steps: 1 } }").Value;
        Assert.Equal(4, ConfigurationRules.CheckWorld(configuration, 8));
        Assert.Equal("The layout data 4 × tensor 2 × pipeline 1 × context 1 needs 8 ranks, but there are 4: start 8 ranks, or set parallel.data to 2 (or 0).",
            Assert.Throws<UserErrorException>(() => ConfigurationRules.CheckWorld(configuration, 4)).Message);
    }

    private static string Message(string yaml, params string[] overrides) =>
        Assert.Throws<UserErrorException>(() => ConfigurationLoader.Parse(yaml, overrides)).Message;

    /// <summary>What a phase leaves out of its batch is the run's; a batch of its own ends the run's ramp.</summary>
    [Theory]
    [InlineData("{ micro: 4 }", 32, 4, 2)]
    [InlineData("{ global: 8 }", 8, 2, 0)]
    [InlineData("{ ramp: { 0: 4 } }", 32, 2, 1)]
    public void A_phase_takes_the_rest_of_its_batch_from_the_run(string batch, int global, int micro, int changes)
    {
        var yaml = $"{{ batch: {{ global: 32, micro: 2, ramp: {{ 0: 16, 1M: 32 }} }}, phases: [{{ name: p, tokens: 1M, batch: {batch} }}] }}";
        var phase = ConfigurationLoader.Parse(yaml).Value.Phases[0].Batch!;
        Assert.Equal((global, micro, changes), (phase.Global, phase.Micro, phase.Ramp.Count));
    }
}
