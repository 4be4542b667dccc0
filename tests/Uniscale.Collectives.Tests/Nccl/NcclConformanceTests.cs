using Uniscale.Collectives.Nccl;
using Uniscale.Collectives.Tests.Conformance;
using Uniscale.NcclEmulation;

namespace Uniscale.Collectives.Tests.Nccl;

/// <summary>The one suite of all process groups over NCCL's, on the emulator.</summary>
[Collection(NcclTests.Name)]
public sealed class NcclConformanceTests
{
    public static TheoryData<string> Cases => [.. ConformanceSuite.Cases.Keys.Except(ConformanceSuite.OfRankOrder)];

    /// <summary>
    /// Buffers that compute on the device's stream writes and reads. One slot a device: what the ranks have agreed on must be an order in
    /// which
    /// nothing waits for what comes after it.
    /// </summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void HoldsForTensorsOfTheDevice(string name)
    {
        using var slot = NcclEmulator.With("one_slot", 1);
        using var slow = NcclEmulator.With("compute_delay", 200);
        foreach (int size in Nightly.Is ? [1, 2, 3, 4] : (int[])[1, 4])
            NcclRanks.RunAll(size, world => ConformanceSuite.Cases[name](new StreamedWorld(world, world.Rank)));
    }

    /// <summary>Buffers of the host, whose thread waits for the results; work on streams takes as long as it likes.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void HoldsForTensorsOfTheHost(string name)
    {
        using var jitter = NcclEmulator.With("jitter", 200);
        NcclRanks.RunAll(4, ConformanceSuite.Cases[name], rank => new NcclDevice(rank) { ComputesOnHost = true });
    }
}
