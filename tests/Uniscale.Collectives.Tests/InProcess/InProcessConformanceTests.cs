using Uniscale.Collectives.InProcess;
using Uniscale.Collectives.Tests.Conformance;

namespace Uniscale.Collectives.Tests.InProcess;

public sealed class InProcessConformanceTests
{
    public static TheoryData<string> Cases => [.. ConformanceSuite.Cases.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public void HoldsWithEveryNumberOfRanks(string name)
    {
        foreach (int size in Nightly.Is ? [1, 2, 3, 4] : (int[])[1, 4])
            foreach (bool hasThreads in (bool[])[false, true])
            {
                var worlds = InProcessWorld.Create(size, hasThreads);
                RankThreads.RunAll(worlds, ConformanceSuite.Cases[name]);
                Array.ForEach(worlds, world => world.Dispose());
            }
    }
}
