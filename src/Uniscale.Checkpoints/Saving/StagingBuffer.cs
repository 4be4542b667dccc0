using Uniscale.Checkpoints.Memory;

namespace Uniscale.Checkpoints.Saving;

/// <summary>The host buffer of a rank: made once, faulted in, and used by every save.</summary>
internal sealed class StagingBuffer : IDisposable
{
    private const int BlockBytes = 8 << 20;

    private long _capacity;

    /// <summary>First byte, on a page.</summary>
    public nint Address { get; private set; }

    /// <summary>Makes room and touches every page, so that the copy meets no page faults.</summary>
    public void Reserve(long sizeBytes, int threads)
    {
        sizeBytes = PageMemory.RoundUp(Math.Max(1, sizeBytes), PageMemory.PageBytes);
        if (sizeBytes <= _capacity)
            return;
        Dispose();
        Address = PageMemory.Allocate(sizeBytes);
        _capacity = sizeBytes;
        ForBlocks(sizeBytes, threads, (offset, count) => PageMemory.Span(Address + (nint)offset, count).Clear());
    }

    /// <summary>Copies the file's bytes here.</summary>
    public void Fill(ShardImage image, IReadOnlyList<nint> addresses, int threads) =>
        ForBlocks(
            PageMemory.RoundUp(image.SizeBytes, PageMemory.PageBytes),
            threads,
            (offset, count) => image.CopyTo(addresses, offset, PageMemory.Span(Address + (nint)offset, count))
        );

    public void Dispose()
    {
        PageMemory.Free(Address);
        Address = 0;
        _capacity = 0;
    }

    private static void ForBlocks(long sizeBytes, int threads, Action<long, int> body)
    {
        int blocks = (int)((sizeBytes + BlockBytes - 1) / BlockBytes);
        void Block(int index)
        {
            long offset = (long)index * BlockBytes;
            body(offset, (int)Math.Min(BlockBytes, sizeBytes - offset));
        }
        if (blocks <= 2 || threads == 1)
        {
            for (int index = 0; index < blocks; index++)
                Block(index);
        }
        else
        {
            Parallel.For(0, blocks, new ParallelOptions { MaxDegreeOfParallelism = threads }, Block);
        }
    }
}
