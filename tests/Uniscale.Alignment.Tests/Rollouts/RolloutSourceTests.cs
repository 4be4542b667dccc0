using Uniscale.Alignment.Tests.Support;
using Uniscale.Configuration;
using Uniscale.Engine.Tests.Support;
using Uniscale.Training.Runtime;

namespace Uniscale.Alignment.Tests.Rollouts;

/// <summary>Small runs from drawn weights, whose reference has the same.</summary>
public sealed class RolloutSourceTests(Sums sums) : IClassFixture<Sums>
{
    /// <summary>A policy whose weights are drawn writes some answers without a digit.</summary>
    private const string Rewarded = "objective=ppo;rewards=[{kind: format, pattern: '[^0-9]*'}]";

    [Fact]
    public void TheFirstUpdateOfABatchFindsTheVeryLogProbabilities()
    {
        var steps = Steps(sums.Run(), 1, 8);
        // The run begins with the reference's weights.
        Assert.Equal(0, steps[0]["objective/kl"]);
        Assert.NotEqual(0, steps[4]["objective/kl"]);
        foreach (int first in (int[])[0, 4])
        {
            Assert.Equal(0, steps[first]["val/log_ratio"]);
            Assert.Equal(1, steps[first]["val/ratio"], 1e-12);
        }
        foreach (int later in (int[])[1, 2, 3, 5, 6, 7])
            Assert.NotEqual(0, steps[later]["val/log_ratio"]);
        Assert.All(steps, step => Assert.InRange(step["val/logprob_gap"], 0, 1e-4));
        Assert.All(steps.Take(4), step => Assert.Equal(steps[0]["objective/scores"], step["objective/scores"]));
    }

    /// <summary>Prompts, seeds and texts are the same on every layout; what adds sums in another order is off by rounding.</summary>
    [Theory]
    [InlineData("parallel.data=2", 2)]
    [InlineData("parallel.data=2;parallel.zero.stage=3", 2)]
    [InlineData("parallel.tensor=2;parallel.sequence=true", 2)]
    [InlineData("parallel.pipeline=2", 2)]
    [InlineData("parallel.context=2", 2)]
    [InlineData(Rewarded + ";parallel.data=2;parallel.zero.stage=3", 2)]
    [InlineData(Rewarded + ";parallel.tensor=2;parallel.sequence=true", 2)]
    [InlineData(Rewarded + ";parallel.pipeline=2;parallel.context=2", 4)]
    public void EveryLayoutDrawsAndLearnsTheSame(string layout, int ranks)
    {
        bool hasCritic = layout.Contains("ppo", StringComparison.Ordinal);
        var one = Steps(sums.Run(hasCritic ? Rewarded : ""), 1, 5);
        var many = Steps(sums.Run(layout), ranks, 5);
        foreach (var (expected, found) in one.Zip(many))
            foreach (
                string name in (string[])
                    [
                        "loss",
                    "objective/scores",
                    "objective/kl",
                    "objective/entropy",
                    hasCritic ? "reward/format" : "reward/number",
                    "answer/length",
                    "val/ratio",
                    .. hasCritic ? (string[])["loss/value_avg", "critic/grad"] : [],
                    ]
            )
                // Rounding grows from update to update, and processors add in different orders.
                Assert.Equal(expected[name], found[name], 5e-4);
    }

    [Fact]
    public void ACriticLearnsBesideThePolicy()
    {
        var steps = Steps(sums.Run($"{Rewarded};ppo.critic_lr=1e-2"), 1, 8);
        foreach (int first in (int[])[0, 4])
            Assert.Equal(0, steps[first]["val/log_ratio"]);
        Assert.Equal((0, 0), (steps[0]["objective/kl"], steps[0]["val/value_avg"]));
        Assert.NotEqual(0, steps[4]["val/value_avg"]);
        Assert.NotEqual(0, steps[4]["objective/kl"]);
        Assert.True(steps[3]["loss/value_avg"] < steps[0]["loss/value_avg"], $"{steps[3]["loss/value_avg"]} {steps[0]["loss/value_avg"]}");
        foreach (string name in (string[])["objective/non_score_reward", "val/clipfrac_avg", "val/return_avg", "critic/skipped"])
            Assert.Contains(name, steps[0].Keys);
    }

    [Fact]
    public void InItsWarmUpTheCriticLearnsAlone()
    {
        var steps = Steps(sums.Run($"{Rewarded};ppo.critic_warmup=1"), 1, 8);
        Assert.Equal((0, 0), (steps[0]["objective/kl"], steps[4]["objective/kl"]));
        Assert.DoesNotContain("val/ratio", steps[3].Keys);
        Assert.Equal(steps[3]["loss"], steps[3]["loss/value_avg"], 1e-6);
        Assert.NotEqual(0, steps[4]["val/value_avg"]);
        Assert.NotEqual(0, steps[5]["val/log_ratio"]);
    }

    /// <summary>
    /// A policy whose weights are drawn knows nothing of text: its loss is about the logarithm of the vocabulary, here times a half.
    /// </summary>
    [Fact]
    public void TextIsLearnedBesideAnswers()
    {
        string sources =
            $"data.sources=[{{name: sums, shards: [{sums.In("store/sums.train")}]}}, {{name: text, shards: [{sums.In("text")}]}}]";
        var steps = Steps(sums.Run($"objective=ppo;{sources};ppo.ptx=0.5;ppo.ptx_sequences=2;optimizer.lr=1e-2"), 1, 8);
        Assert.InRange(steps[0]["loss/ptx"], 2.5, 3.3);
        Assert.True(steps[7]["loss/ptx"] < steps[0]["loss/ptx"] - 0.1, $"{steps[7]["loss/ptx"]}");
        Assert.Equal(0, steps[4]["val/log_ratio"]);
        var many = Steps(sums.Run($"objective=ppo;{sources};ppo.ptx=0.5;ppo.ptx_sequences=2;optimizer.lr=1e-2;parallel.data=2"), 2, 3);
        foreach (var (one, two) in steps.Zip(many))
            Assert.Equal(one["loss"], two["loss"], 1e-4);
        Assert.Contains(
            "no data source is plain text",
            Assert.Throws<UserErrorException>(() => AlignmentData.Open(sums.Run("objective=ppo;ppo.ptx=0.5;ppo.ptx_sequences=2"))).Message
        );
    }

    [Theory]
    [InlineData("ppo.reward_bias=1")]
    [InlineData("ppo.reward_clip=0.1")]
    [InlineData("ppo.normalise_rewards=true")]
    [InlineData("ppo.whiten_rewards=true")]
    [InlineData("ppo.whiten_advantages=false")]
    [InlineData("ppo.gamma=0.9")]
    [InlineData("ppo.lambda=0.5")]
    [InlineData("ppo.kl=k3")]
    [InlineData("ppo.mean=answer")]
    [InlineData("ppo.value_clip=0.001")]
    [InlineData("ppo.value_coefficient=0.5")]
    public void EveryConstantCounts(string constant)
    {
        var (plain, other) = (Steps(sums.Run(Rewarded), 1, 6), Steps(sums.Run($"{Rewarded};{constant}"), 1, 6));
        Assert.Contains(
            plain.Zip(other),
            pair => pair.First["loss"] != pair.Second["loss"] || pair.First["loss/value_avg"] != pair.Second["loss/value_avg"]
        );
    }

    [Fact]
    public void BelowOneTopPIsTold()
    {
        var run = sums.Run("rollout.top_p=0.8;rollout.temperature=0.7");
        using var data = AlignmentData.Open(run);
        Assert.Contains(
            "rollout.top_p is 0.8: answers are not drawn from the policy itself",
            Assert.Single(((Alignment.Rollouts.RolloutSource)data.Source).Warnings)
        );
        var step = Steps(run, 1, 1)[0];
        Assert.InRange(step["val/cut_mass"], 0.01, 0.2);
        Assert.InRange(step["val/logprob_gap"], 0, 1e-4);
        Assert.Equal(0, Steps(sums.Run(), 1, 1)[0]["val/cut_mass"]);
    }

    [Fact]
    public void AnAnswerThatDoesNotEndIsPunished()
    {
        double Scores(string more) => Steps(sums.Run(more), 1, 1)[0]["objective/scores"];
        var plain = Steps(sums.Run(), 1, 1)[0];
        Assert.InRange(plain["answer/ended"], 0, 0.99);
        Assert.Equal(plain["objective/scores"] - (1 - plain["answer/ended"]), Scores("rollout.missing_end_penalty=1"), 1e-12);
    }

    [Theory]
    [InlineData("batch.global=2", "batch.global is 2, but the 8 answers of an update")]
    [InlineData("data.tokenizer=null;model.vocabulary=300", "data.tokenizer is not set")]
    [InlineData("rollout.template=chatty", "chatty")]
    public void WhatDoesNotFitIsOneSentence(string more, string expected) =>
        Assert.Contains(expected, Assert.Throws<UserErrorException>(() => AlignmentData.Open(sums.Run(more))).Message);

    private static List<Dictionary<string, double>> Steps(RunConfiguration run, int ranks, int steps) =>
        Ranks.Run(
            ranks,
            world =>
            {
                using var data = AlignmentData.Open(run);
                using var runtime = RankRuntime.Create(run, world, data.Source, data.Tokens, data.Vocabulary);
                var found = new List<Dictionary<string, double>>();
                for (int i = 0; i < steps; i++)
                {
                    var decision = runtime.Step().Decision;
                    found.Add(new Dictionary<string, double>(decision.Measures) { ["loss"] = decision.Loss });
                }
                return found;
            }
        )[0];
}
