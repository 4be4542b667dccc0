using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Engine.Devices;
using Uniscale.Engine.Tests.Support;
using Uniscale.Experiments.Verification;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Tests.Support;

/// <summary>Small runs on ranks that are threads of the test process.</summary>
internal static class TestRuns
{
    /// <summary>A model that every kind of layout divides: 4 layers, 4 heads over 2 key-value heads, an odd vocabulary.</summary>
    public static RunConfiguration Tiny { get; } =
        new()
        {
            Model = new()
            {
                Layers = 4,
                Hidden = 32,
                Heads = 4,
                KvHeads = 2,
                Ffn = 64,
                Vocabulary = 97,
                Context = 32,
            },
            Batch = new() { Global = 8, Micro = 1 },
            Optimizer = new() { Lr = 3e-3 },
            Schedule = new() { WarmupRatio = 0.1 },
            Train = new()
            {
                Steps = 20,
                Seed = 7,
                Threads = 1,
            },
        };

    /// <inheritdoc cref="Ranks.Run"/>
    public static T[] OnRanks<T>(int ranks, Func<IWorld, T> body) => Ranks.Run(ranks, body);

    /// <summary>A runtime on synthetic data.</summary>
    public static RankRuntime Runtime(
        RunConfiguration configuration,
        IWorld world,
        Recording recording = Recording.None,
        HostLink? link = null
    )
    {
        var data = SyntheticRollouts.Of(configuration, configuration.Model.Vocabulary);
        return RankRuntime.Create(configuration, world, data, data.StepAt(0).PhaseTokens, vocabulary: 0, recording, link);
    }

    /// <summary>What a layout computes in some steps.</summary>
    public static RunRecord Record(RunConfiguration configuration, string layout, int steps)
    {
        var spec = LayoutSpec.Parse(layout);
        return OnRanks(
            spec.Ranks,
            world =>
            {
                using var runtime = Runtime(LayoutVerifier.ForComparison(configuration, spec), world);
                return RunRecord.Of(runtime, steps);
            }
        )[0];
    }
}
