using Uniscale.Collectives.InProcess;

namespace Uniscale.Collectives.Tests.InProcess;

public sealed class SharedMemoryTests
{
    [Fact]
    public void WhatOneMemberWritesTheOthersReadAfterABarrier()
    {
        RankThreads.RunAll(
            InProcessWorld.Create(4),
            world =>
            {
                int[][] pairs = (int[][])
                    [
                        [0, 1],
                        [2, 3],
                    ];
                var group = pairs.Select(pair => world.CreateGroup(pair, "pair")).Single(made => made is not null)!;
                for (int block = 1; block <= 3; block++)
                {
                    using var memory = group.Share(block * 1000 * sizeof(int))!;
                    var values = RawMemory.Span<int>(memory.Address, block * 1000);
                    Assert.Equal(0, values[group.Rank]);
                    values[group.Rank] = 1 + world.Rank;
                    group.Barrier().Wait();
                    Assert.Equal([1 + pairs[world.Rank / 2][0], 1 + pairs[world.Rank / 2][1], 0], values[..3].ToArray());
                    group.Barrier().Wait();
                }
            }
        );
    }

    [Fact]
    public void MembersThatAskForDifferentSizesAreTold()
    {
        var worlds = InProcessWorld.Create(2);
        using var memory = worlds[0].Group.Share(64);
        var thrown = Assert.Throws<CollectiveException>(() => worlds[1].Group.Share(65));
        Assert.Contains("shared memory 0 of group world", thrown.Message, StringComparison.Ordinal);
    }
}
