using Uniscale.Configuration;
using Uniscale.Engine.Parallel;
using Uniscale.Experiments.Verification;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Runtime;

/// <summary>Blocks that lie in several buckets, some with replicas of their own, as experts will.</summary>
public sealed class BucketPlanTests
{
    private const int Steps = 3;

    /// <summary>
    /// Without clipping nothing is summed over buckets, so that weights are the same to the last bit however blocks are cut.
    /// </summary>
    [Theory]
    [InlineData("dp2")]
    [InlineData("dp2 zero1")]
    [InlineData("dp2 zero2")]
    [InlineData("dp4 zero3 group2")]
    [InlineData("tied pp2 dp2 zero2")]
    public void TwoBucketsLearnWhatOneLearns(string layout)
    {
        var whole = Record(layout, null);
        var cut = Record(layout, new BucketPlan(PartOf, [null, null]));
        Assert.Equal(whole.Losses, cut.Losses);
        Assert.All(whole.Weights, pair => Assert.Equal(pair.Value, cut.Weights[pair.Key]));
    }

    /// <summary>A bucket whose replica is the rank alone has gradients of that rank's samples; the others stay equal on all.</summary>
    [Theory]
    [InlineData("dp2")]
    [InlineData("dp2 zero1")]
    [InlineData("dp2 zero2")]
    [InlineData("dp2 zero3")]
    public void ABucketIsSummedOverItsOwnReplicas(string layout)
    {
        var spec = LayoutSpec.Parse(layout);
        var run = Run(spec);
        float[][][] weights = TestRuns.OnRanks(
            spec.Ranks,
            world =>
            {
                using var runtime = Runtime(
                    run,
                    world,
                    groups => new BucketPlan(PartOf, [null, groups.CreateReplicas("alone", rank => [rank])])
                );
                for (int step = 0; step < Steps; step++)
                    runtime.Step();
                runtime.Settle();
                var block = runtime.Model.Blocks[1];
                Assert.Equal(2, block.OwnBuckets.Count);
                Assert.Equal(
                    (spec.Parallel.Zero.Stage == 0 ? 1 : 2, 1),
                    (block.OwnBuckets[0].Layout.ShardCount, block.OwnBuckets[1].Layout.ShardCount)
                );
                return block
                    .OwnBuckets.Select(bucket => bucket.ParametersAreSharded ? [] : bucket.WholeFlat.data<float>().ToArray())
                    .ToArray();
            }
        );
        Assert.Equal(weights[0][0], weights[1][0]);
        Assert.NotEqual(weights[0][1], weights[1][1]);
    }

    /// <summary>0: attention and norms; 1: the feed-forward network.</summary>
    private static int PartOf(LocalParameter parameter) => parameter.Spec.Name.Contains(".ffn.", StringComparison.Ordinal) ? 1 : 0;

    private static RunConfiguration Run(LayoutSpec layout)
    {
        var run = LayoutVerifier.ForComparison(TestRuns.Tiny, layout);
        return run with { Optimizer = run.Optimizer with { Clip = 0 } };
    }

    private static RunRecord Record(string layout, BucketPlan? plan)
    {
        var spec = LayoutSpec.Parse(layout);
        return TestRuns.OnRanks(
            spec.Ranks,
            world =>
            {
                using var runtime = Runtime(Run(spec), world, plan is null ? null : _ => plan);
                return RunRecord.Of(runtime, Steps);
            }
        )[0];
    }

    private static RankRuntime Runtime(RunConfiguration run, Collectives.IWorld world, Func<Engine.Mesh.ProcessGroups, BucketPlan>? buckets)
    {
        var data = new SyntheticSource(run, run.Model.Vocabulary);
        return RankRuntime.Create(run, world, data, data.StepAt(0).PhaseTokens, vocabulary: 0, Recording.None, link: null, buckets);
    }
}
