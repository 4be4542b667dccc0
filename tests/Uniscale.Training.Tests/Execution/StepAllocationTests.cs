using Uniscale.Configuration;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Execution;

public sealed class StepAllocationTests
{
    /// <summary>The shape of benchmark configuration A, whose allocation does not depend on the sizes of its tensors.</summary>
    private static readonly RunConfiguration SixLayers = TestRuns.Tiny with
    {
        Model = TestRuns.Tiny.Model with
        {
            Layers = 6,
            KvHeads = 4,
            Norm = NormKind.LayerNorm,
            Activation = ActivationKind.Gelu,
            QkvBias = true,
            AttentionOutputBias = true,
            FfnBias = true,
            Positions = PositionKind.Learned,
            TiedEmbeddings = true,
        },
        Batch = new() { Global = 16, Micro = 16 },
        Train = new()
        {
            Steps = 100,
            Seed = 7,
            Threads = 1,
            Precision = PrecisionKind.Bf16,
        },
    };

    [Fact]
    public void AStepOfSixLayersAllocatesLittle()
    {
        const int Steps = 10;
        long bytes =
            TestRuns.OnRanks(
                1,
                world =>
                {
                    using var runtime = TestRuns.Runtime(SixLayers, world);
                    // Lists and views that are kept between steps, and the code itself, are made in the first ones.
                    for (int step = 0; step < 20; step++)
                        runtime.Step();
                    long before = GC.GetAllocatedBytesForCurrentThread();
                    for (int step = 0; step < Steps; step++)
                        runtime.Step();
                    return GC.GetAllocatedBytesForCurrentThread() - before;
                }
            )[0] / Steps;
        // Of which TorchSharp's tensors and dispose scopes are three quarters (docs/benchmarks/torchsharp-package_2026-11-29.md).
        Assert.InRange(bytes, 0, 120_000);
    }
}
