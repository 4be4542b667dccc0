namespace Uniscale.Configuration.Tests;

public sealed class ConfigurationRulesTests
{
    [Theory]
    [InlineData(
        "model: { hidden: 30, heads: 6 }",
        "The width of a head is 5, but rotary positions turn pairs: set model.head_dim to 6, or model.positions to learned."
    )]
    [InlineData(
        "model: { positions: learned, rope_scaling: linear }",
        "model.rope_scaling stretches rotary angles, but model.positions is learned: set model.rope_scaling to none, or model.positions to rope."
    )]
    [InlineData(
        "model: { rope_factor: 2 }",
        "model.rope_factor is 2, but model.rope_scaling is none: set model.rope_scaling, for example to linear or yarn, or take model.rope_factor out."
    )]
    [InlineData(
        "model: { rope_trained_context: 128 }",
        "model.rope_trained_context is 128, which model.rope_scaling none does not look at: take it out, or set model.rope_scaling to dynamic, yarn or llama3."
    )]
    [InlineData(
        "model: { context: 256, rope_scaling: yarn, rope_factor: 4 }",
        "model.rope_scaling is yarn, which needs the context before the stretching: set model.rope_trained_context, for example to 64."
    )]
    [InlineData(
        "model: { rope_scaling: yarn, rope_factor: 4, rope_trained_context: 64, rope_slow_turns: 32 }",
        "model.rope_fast_turns 32 must be above model.rope_slow_turns 32: set it to 32, and the other to 1."
    )]
    [InlineData(
        "model: { rope_scaling: llama3, rope_factor: 4, rope_trained_context: 64, rope_high_frequency: 1 }",
        "model.rope_high_frequency 1 must be above model.rope_low_frequency 1: set it to 4, and the other to 1."
    )]
    [InlineData(
        "logging: { histograms: 100, tensor_board: false }",
        "logging.histograms is 100, but they are for TensorBoard, and logging.tensor_board is false: set logging.tensor_board to true, or logging.histograms to 0."
    )]
    [InlineData(
        "{ objective: sft, model: { document_mask: false } }",
        "objective is sft, whose samples share sequences and must not see each other: set model.document_mask to true."
    )]
    [InlineData(
        "{ objective: reward, model: { head: vocabulary } }",
        "objective is reward, but model.head gives logits: set model.head to score, or take it out."
    )]
    [InlineData(
        "{ objective: dpo, model: { head: score } }",
        "model.head gives scores, but objective is dpo: set objective to reward, or model.head to vocabulary."
    )]
    [InlineData(
        "reward: { barrier_margin: 5 }",
        "reward.barrier_margin 5 leaves nothing of reward.barrier_bound 5: set it below, for example to 0.001."
    )]
    [InlineData("train: { tokens: 4M }", "train.steps (10) and train.tokens (4M) are both given: take one of them out.")]
    [InlineData("train: { steps: 0 }", "Nothing says how long to train: set train.steps, train.tokens, or phases.")]
    [InlineData(
        "schedule: { kind: wsd, warmup_ratio: 0.3, decay_ratio: 0.8 }",
        "schedule.warmup_ratio 0.3 + schedule.decay_ratio 0.8 is more than the whole run: set schedule.decay_ratio to at most 0.7."
    )]
    [InlineData(
        "data: { sources: [{ name: a, shards: [x] }, { name: a, shards: [y] }] }",
        "data.sources[1].name is 'a': give each source a name of its own."
    )]
    [InlineData(
        "data: { sources: [{ name: a }] }",
        "The source 'a' has no shards: set data.sources[0].shards, or virtual_tokens for planning only."
    )]
    [InlineData(
        "data: { sources: [{ name: a, shards: [x], weight: 1 }, { name: b, shards: [y] }] }",
        "The source 'b' has no weight although others have: give each of data.sources a weight, or none (then size decides)."
    )]
    [InlineData(
        "{ phases: [{ name: p, tokens: 1M, mixture: { wbe: 1 } }], data: { sources: [{ name: web, domain: text, shards: [x] }] } }",
        "The mixture of phase 'p' names 'wbe', which is no source or domain of data.sources; did you mean 'web'?"
    )]
    [InlineData(
        "phases: [{ name: p, tokens: 1M, evaluate: [books] }]",
        "Phase 'p' evaluates 'books', which is no source of data.validation; there are none."
    )]
    [InlineData("phases: [{ name: p, tokens: 1M }, { name: p, tokens: 1M }]", "phases[1].name is 'p': give each phase a name of its own.")]
    [InlineData("phases: [{ name: p }]", "The phase 'p' has no tokens: set phases[0].tokens, for example to 10B.")]
    [InlineData(
        "{ phases: [{ name: p, tokens: 1M, context: 512 }], model: { positions: learned } }",
        "phases[0].context is 512, but the learned table of positions has model.context = 256 rows: set model.context to 512, or model.positions to rope."
    )]
    [InlineData(
        "{ schedule: { kind: wsd }, phases: [{ name: p, tokens: 10240, warmup_ratio: 0.9 }] }",
        "phases[0].warmup_ratio 0.9 + schedule.decay_ratio 0.2 is more than the whole phase: set phases[0].warmup_ratio to at most 0.8, or lower schedule.decay_ratio."
    )]
    [InlineData(
        "{ model: { positions: learned }, phases: [{ name: p, tokens: 1M, rope_base: 50000 }] }",
        "phases[0].rope_base turns rotary angles, but model.positions is learned: take phases[0].rope_base out, or set model.positions to rope."
    )]
    [InlineData(
        "{ model: { layers: 10000, hidden: 16777216, heads: 4, vocabulary: 1000 }, train: { steps: 1 } }",
        "model.layers 10000 × model.hidden 16777216 × the width of a layer 16777216 is more than 10^16 weights: lower one of them."
    )]
    [InlineData(
        "phases: [{ name: a, tokens: 90000T }, { name: b, tokens: 90000T }]",
        "The phases add up to more than 100000T tokens: lower phases[].tokens."
    )]
    [InlineData(
        "{ train: { steps: 1000000000000 }, batch: { global: 1000000 } }",
        "train.steps 1000000000000 × batch.global 1000000 × model.context 256 is more than 100000T tokens: lower train.steps."
    )]
    public void A_broken_rule_says_which_number_to_change_to_what(string yaml, string expected) =>
        Assert.EndsWith(
            expected,
            Message(
                yaml,
                yaml.Contains("steps:", StringComparison.Ordinal) || yaml.Contains("phases:", StringComparison.Ordinal)
                    ? []
                    : ["train.steps=10"]
            )
        );

    /// <summary>One word sets what it needs; a recipe's values stand below the file's.</summary>
    [Fact]
    public void An_objective_and_a_recipe_fill_in_where_the_file_is_silent()
    {
        var reward = ConfigurationLoader.Parse(
            "{ objective: reward, reward: { preset: internlm2, barrier: 0.5 }, optimizer: { lr: 3e-5 }, train: { steps: 1 } }"
        );
        Assert.True(reward.Value.Model is { Head: HeadKind.Score, DocumentMask: true, ScoreStd: 0.02 });
        Assert.Equal(
            (0.5, 2, 3e-5, 0.01, 0.5),
            (
                reward.Value.Reward.Barrier,
                reward.Value.Reward.FocalGamma,
                reward.Value.Optimizer.Lr,
                reward.Value.Optimizer.WeightDecay,
                reward.Value.Schedule.FinalRatio
            )
        );
        Assert.Equal("preset objective reward", reward.OriginOf("model.head").ToString());
        Assert.True(
            ConfigurationLoader.Parse("{ objective: sft, train: { steps: 1 } }").Value.Model
                is { Head: HeadKind.Vocabulary, DocumentMask: true }
        );
        Assert.Equal(reward.Hash, ConfigurationLoader.Parse(reward.ToYaml()).Hash);
        Assert.Contains(
            "did you mean 'internlm2'?",
            Message("{ reward: { preset: internlm }, train: { steps: 1 } }"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_rule_names_the_place_of_the_value()
    {
        Assert.StartsWith("config.yaml:2:16: model.rope_factor is 2", Message("model:\n  rope_factor: 2\ntrain: { steps: 1 }"));
        Assert.StartsWith("--set model.rope_factor=2: model.rope_factor is 2", Message("train: { steps: 1 }", "model.rope_factor=2"));
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
        string yaml =
            $"{{ batch: {{ global: 32, micro: 2, ramp: {{ 0: 16, 1M: 32 }} }}, phases: [{{ name: p, tokens: 1M, batch: {batch} }}] }}";
        var phase = ConfigurationLoader.Parse(yaml).Value.Phases[0].Batch!;
        Assert.Equal((global, micro, changes), (phase.Global, phase.Micro, phase.Ramp.Count));
    }
}
