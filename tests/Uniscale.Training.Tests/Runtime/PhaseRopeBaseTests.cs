using Uniscale.Configuration;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Runtime;

/// <summary>A phase may turn positions by another base: the long-context phase of InternLM2 does.</summary>
public sealed class PhaseRopeBaseTests
{
    [Fact]
    public void The_base_of_the_phase_is_the_one_that_trains_and_validates()
    {
        double[] plain = Losses(TestRuns.Tiny);
        double[] phase = Losses(
            TestRuns.Tiny with
            {
                Phases =
                [
                    new PhaseSection
                    {
                        Name = "long",
                        Tokens = 1_000_000,
                        RopeBase = 50,
                    },
                ],
            }
        );
        double[] model = Losses(TestRuns.Tiny with { Model = TestRuns.Tiny.Model with { RopeBase = 50 } });
        Assert.Equal(model, phase);
        Assert.NotEqual(plain, phase);
    }

    /// <summary>Queries that grow with their position: other losses, and the same ones on layouts that cut sequences and heads.</summary>
    [Fact]
    public void Log_n_scaling_is_the_same_on_every_layout()
    {
        var scaled = TestRuns.Tiny with { Model = TestRuns.Tiny.Model with { LogNContext = 4 } };
        var one = TestRuns.Record(scaled, "dp1", steps: 4);
        Assert.NotEqual(TestRuns.Record(TestRuns.Tiny, "dp1", steps: 4).Losses, one.Losses);
        foreach (string layout in (string[])["cp2", "tp2", "tp2 cp2"])
            foreach (var (expected, loss) in one.Losses.Zip(TestRuns.Record(scaled, layout, steps: 4).Losses))
                Assert.Equal(1, loss / expected, 1e-5);
    }

    private static double[] Losses(RunConfiguration configuration) =>
        TestRuns.OnRanks(
            1,
            world =>
            {
                using var runtime = TestRuns.Runtime(configuration, world);
                double[] trained = [runtime.Step().Decision.Loss, runtime.Step().Decision.Loss];
                return (double[])[.. trained, runtime.Evaluate(runtime.Data, 8)!.LossSum];
            }
        )[0];
}
