using Uniscale.Configuration;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Devices;

/// <summary>A step on tensors that cannot be read: the host learns nothing of the device but the one decision at the end.</summary>
public sealed class DevicePurityTests
{
    public static TheoryData<string, RunConfiguration> Runs =>
        new()
        {
            { "llama", TestRuns.Tiny },
            {
                "bf16, masked",
                TestRuns.Tiny with
                {
                    Model = TestRuns.Tiny.Model with { DocumentMask = true },
                    Train = TestRuns.Tiny.Train with { Precision = PrecisionKind.Bf16 },
                }
            },
            {
                "gpt-2, tied",
                TestRuns.Tiny with
                {
                    Model = TestRuns.Tiny.Model with
                    {
                        KvHeads = 4,
                        Norm = NormKind.LayerNorm,
                        Activation = ActivationKind.Gelu,
                        QkvBias = true,
                        AttentionOutputBias = true,
                        FfnBias = true,
                        Positions = PositionKind.Learned,
                        TiedEmbeddings = true,
                    },
                }
            },
            { "recomputed", TestRuns.Tiny with { Parallel = new() { Recompute = RecomputeKind.Block } } },
            { "selective", TestRuns.Tiny with { Parallel = new() { Recompute = RecomputeKind.Selective } } },
        };

    [Theory]
    [MemberData(nameof(Runs), DisableDiscoveryEnumeration = true)]
    public void A_step_waits_for_the_device_once(string name, RunConfiguration run)
    {
        long[] waits = TestRuns.OnRanks(
            1,
            world =>
            {
                using var link = new MetaLink();
                using var runtime = TestRuns.Runtime(run, world, link: link);
                Assert.True(runtime.Step().Decision.Applied, name);
                long first = link.WaitCount;
                runtime.Step();
                return new[] { first, link.WaitCount - first };
            }
        )[0];
        Assert.Equal([1, 1], waits);
    }
}
