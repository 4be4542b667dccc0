using static TorchSharp.torch;

namespace Uniscale.Torch.Tests;

[Collection("live handles are counted for the whole process")]
public sealed class TorchThreadsTests
{
    [Fact]
    public void EachThreadKeepsItsNumber()
    {
        int[] numbers = new int[2];
        using var both = new Barrier(2);
        var threads = Enumerable
            .Range(0, 2)
            .Select(i => new Thread(() =>
            {
                TorchThreads.Set(i + 1);
                both.SignalAndWait();
                using var x = zeros(1 << 16).add(Scalars.Of(1));
                numbers[i] = get_num_threads();
            }))
            .ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.Equal([1, 2], numbers);
    }
}
