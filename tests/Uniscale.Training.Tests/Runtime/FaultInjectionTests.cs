using Uniscale.Engine.Execution;
using Uniscale.Torch;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Runtime;

public sealed class FaultInjectionTests
{
    [Fact]
    public void ALossOfOneRankThatIsNotFiniteLeavesTheStepOutOnAll()
    {
        bool[][] applied = OnTwoRanks(rank => new() { Loss = (step, loss) => rank == 1 && step == 2 ? double.NaN : loss });
        Assert.All(applied, rank => Assert.Equal([true, false, true], rank));
    }

    [Fact]
    public void AGradientOfOneRankThatIsNotFiniteLeavesTheStepOutOnAll()
    {
        bool[][] applied = OnTwoRanks(rank =>
            new()
            {
                Gradient = (step, model) =>
                {
                    if (rank == 1 && step == 3)
                        model.Blocks[1].Bucket.GradientShard.fill_(Scalars.Of(float.PositiveInfinity));
                },
            }
        );
        Assert.All(applied, rank => Assert.Equal([true, true, false], rank));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void DamagedWeightsAreFoundInTheSameStep(int zeroStage) =>
        Assert.Throws<ReplicaMismatchException>(() =>
            OnTwoRanks(
                rank =>
                    new()
                    {
                        Weights = (step, model) =>
                        {
                            if (rank == 1 && step == 2)
                                model.Blocks[2].Bucket.WholeFlat.narrow(0, 5, 1).add_(Scalars.Of(1e-3));
                        },
                    },
                zeroStage
            )
        );

    private static bool[][] OnTwoRanks(Func<int, Damage> damage, int zeroStage = 1)
    {
        var run = TestRuns.Tiny with
        {
            Parallel = new()
            {
                Data = 2,
                Zero = new() { Stage = zeroStage },
            },
            Train = TestRuns.Tiny.Train with { ChecksumEvery = 1 },
        };
        return TestRuns.OnRanks(
            2,
            world =>
            {
                using var runtime = TestRuns.Runtime(run, world);
                runtime.Faults = damage(world.Rank);
                return Enumerable.Range(0, 3).Select(_ => runtime.Step().Decision.Applied).ToArray();
            }
        );
    }
}
