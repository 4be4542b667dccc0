using System.Collections.Concurrent;
using static TorchSharp.torch;

namespace Uniscale.Torch.Tests;

/// <summary>The memory of results, which src/Uniscale.Native/memory/pool.cpp keeps for the next of the same size.</summary>
[Collection("live handles are counted for the whole process")]
public sealed class TensorPoolTests
{
    [Fact]
    public void AFreedTensorsMemoryServesTheNextOfItsSize()
    {
        var seen = new HashSet<nint>();
        for (int i = 0; i < 20; i++)
        {
            using var values = TensorMemory.Empty([3_000_001], float32);
            seen.Add(TensorMemory.DataPointer(values));
        }
        Assert.InRange(seen.Count, 1, 2);
    }

    [Fact]
    public void TensorsOfAllSizesBeginOnCacheLinesAndDoNotOverlap()
    {
        var alive = new ConcurrentBag<(Tensor Values, float Mark)>();
        Parallel.For(
            0,
            4,
            worker =>
            {
                var random = new Random(worker);
                var mine = new List<(Tensor Values, float Mark)>();
                for (int i = 0; i < 400; i++)
                {
                    var values = TensorMemory.Empty([1 + (long)Math.Pow(2, 20 * random.NextDouble())], float32);
                    Assert.Equal(0, TensorMemory.DataPointer(values) % 64);
                    values.fill_(Scalars.Of(1000 * worker + i));
                    mine.Add((values, 1000 * worker + i));
                    if (mine.Count < 20)
                        continue;
                    int freed = random.Next(mine.Count);
                    Check(mine[freed]);
                    mine.RemoveAt(freed);
                }
                foreach (var pair in mine)
                    alive.Add(pair);
            }
        );
        foreach (var pair in alive)
            Check(pair);
    }

    private static void Check((Tensor Values, float Mark) pair)
    {
        using (pair.Values)
        using (var lowest = pair.Values.min())
        using (var highest = pair.Values.max())
        {
            Assert.Equal(pair.Mark, lowest.item<float>());
            Assert.Equal(pair.Mark, highest.item<float>());
        }
    }
}
