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
