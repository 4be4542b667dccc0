using Uniscale.Configuration;
using Uniscale.Experiments.Verification;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Objectives;

/// <summary>
/// Every objective computes the same on every kind of layout; `uniscale verify configs/tests/verify-OBJECTIVE.yaml --layouts all` proves
/// more of them.
/// </summary>
public sealed class ObjectiveLayoutTests
{
    [Theory]
    [InlineData(ObjectiveKind.Sft, "dp2 zero3")]
    [InlineData(ObjectiveKind.Sft, "cp2 tp2 sp")]
    [InlineData(ObjectiveKind.Reward, "dp4 zero2")]
    [InlineData(ObjectiveKind.Reward, "tp2 sp")]
    [InlineData(ObjectiveKind.Reward, "pp2 zb")]
    [InlineData(ObjectiveKind.Reward, "cp2 tp2 dp2 zero3")]
    [InlineData(ObjectiveKind.Reward, "tied pp2")]
    [InlineData(ObjectiveKind.Dpo, "dp2 zero3")]
    [InlineData(ObjectiveKind.Dpo, "tp2 sp pp2")]
    [InlineData(ObjectiveKind.Dpo, "cp2 ulysses")]
    [InlineData(ObjectiveKind.Dpo, "pp2 dp2 zb zero2")]
    [InlineData(ObjectiveKind.Grpo, "dp4 zero3")]
    [InlineData(ObjectiveKind.Grpo, "tp2 sp cp2")]
    [InlineData(ObjectiveKind.Grpo, "pp2 dp2 zb zero2")]
    [InlineData(ObjectiveKind.Ppo, "dp2 zero3")]
    [InlineData(ObjectiveKind.Ppo, "tp2 sp pp2")]
    [InlineData(ObjectiveKind.Ppo, "cp2 dp2 zero1")]
    public void EveryLayoutLearnsTheSame(ObjectiveKind objective, string layout)
    {
        var run = Of(objective);
        var spec = LayoutSpec.Parse(layout);
        var error = LayoutVerifier.Compare(
            spec,
            TestRuns.Record(run, layout, 3),
            TestRuns.Record(run, $"dp1 {spec.Variant}", 3),
            VerificationBounds.For(PrecisionKind.Fp32)
        );
        Assert.True(error.IsWithin(VerificationBounds.For(PrecisionKind.Fp32)), error.ToString());
    }

    /// <summary>The mean is over the global batch: no split into microbatches changes it.</summary>
    [Theory]
    [InlineData(ObjectiveKind.Sft)]
    [InlineData(ObjectiveKind.Reward)]
    [InlineData(ObjectiveKind.Dpo)]
    [InlineData(ObjectiveKind.Grpo)]
    [InlineData(ObjectiveKind.Ppo)]
    public void NoSplitIntoMicrobatchesChangesTheLoss(ObjectiveKind objective)
    {
        double[] Losses(int micro, string layout)
        {
            var run = Of(objective);
            return [.. TestRuns.Record(run with { Batch = run.Batch with { Micro = micro } }, layout, 3).Losses];
        }

        double[] whole = Losses(8, "dp1");
        foreach (double[] split in (double[][])[Losses(1, "dp1"), Losses(4, "dp1"), Losses(2, "dp2")])
            Assert.All(whole.Zip(split), pair => Assert.Equal(pair.First, pair.Second, 2e-6));
    }

    [Fact]
    public void Pretraining_has_no_measures_and_others_name_theirs()
    {
        TestRuns.OnRanks(
            1,
            world =>
            {
                using var plain = TestRuns.Runtime(TestRuns.Tiny, world);
                Assert.Empty(plain.Step().Decision.Measures);
                using var reward = TestRuns.Runtime(Of(ObjectiveKind.Reward), world);
                Assert.Equal(["accuracy", "confidence", "reward/chosen", "reward/rejected"], reward.Step().Decision.Measures.Keys);
                return 0;
            }
        );
    }

    /// <summary>Under the model that it starts from, an answer is as likely as under the reference: the first loss is log 2.</summary>
    [Fact]
    public void DirectPreferenceOptimizationBeginsAtLogTwo() =>
        TestRuns.OnRanks(
            1,
            world =>
            {
                using var runtime = TestRuns.Runtime(Of(ObjectiveKind.Dpo) with { Dpo = new DpoSection() }, world);
                var first = runtime.Step().Decision;
                Assert.Equal(Math.Log(2), first.Loss, 1e-7);
                Assert.Equal((0, 0), (first.Measures["reward/chosen"], first.Measures["reward/rejected"]));
                Assert.NotEqual(Math.Log(2), runtime.Step().Decision.Loss, 1e-5);
                return 0;
            }
        );

    internal static RunConfiguration Of(ObjectiveKind objective) =>
        TestRuns.Tiny with
        {
            Objective = objective,
            Model = TestRuns.Tiny.Model with
            {
                DocumentMask = true,
                Head = objective == ObjectiveKind.Reward ? HeadKind.Score : HeadKind.Vocabulary,
                ScoreStd = 0.02,
            },
            Dpo = new DpoSection
            {
                Beta = 0.5,
                LabelSmoothing = 0.1,
                LengthNormalised = true,
            },
            Rollout = new RolloutSection { Temperature = 0.8 },
            Grpo = new GrpoSection { Beta = 0.1 },
        };
}
