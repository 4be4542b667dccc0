namespace Uniscale.Collectives.Nccl;

/// <summary>
/// Copies between the host and a rank's device, in the order of the compute stream. They go through pinned memory: from any other the
/// driver copies
/// only once the device has come so far, and the host waits for that. Used by one thread at a time.
/// </summary>
public sealed class DeviceStaging : IDisposable
{
    private const int SmallestBlock = 4096;

    private readonly DeviceQueue _queue;
    private readonly List<Block> _blocks = [];
    private readonly HashSet<nint> _pinned = [];

    internal DeviceStaging(DeviceQueue queue) => _queue = queue;

    /// <summary>The device.</summary>
    public NcclDevice Device => _queue.Device;

    /// <summary>How often the host has waited for the device so far.</summary>
    public long WaitCount { get; private set; }

    /// <summary>Bytes of the device: those that nobody uses, and all.</summary>
    public (long Free, long Total) Memory => _queue.Memory;

    /// <summary>Pinned host memory, to be given back with <see cref="Unpin"/>.</summary>
    public nint Pin(long bytes)
    {
        nint memory = _queue.Pin(Math.Max(bytes, 1));
        _pinned.Add(memory);
        return memory;
    }

    /// <summary>Gives pinned memory back; no copy of it is under way.</summary>
    public void Unpin(nint memory)
    {
        if (_pinned.Remove(memory))
            _queue.Unpin(memory);
    }

    /// <summary>Copies from any host memory, which is the caller's again at once.</summary>
    public void Upload(nint source, nint destination, long bytes)
    {
        if (bytes == 0)
            return;
        var block = FreeBlock(bytes);
        RawMemory.Copy(source, block.Memory, bytes);
        Post(block.Memory, destination, bytes);
        block.Used = _queue.RecordCompute();
    }

    /// <summary>Copies bytes of the device to the host, and waits for them.</summary>
    public void Read(nint source, Span<byte> destination)
    {
        var block = FreeBlock(destination.Length);
        Post(source, block.Memory, destination.Length);
        Await();
        RawMemory.Span<byte>(block.Memory, destination.Length).CopyTo(destination);
    }

    /// <summary>
    /// Copies between pinned and device memory, either way; both stay as they are until <see cref="Await"/> has returned.
    /// </summary>
    public void Post(nint source, nint destination, long bytes)
    {
        if (bytes == 0)
            return;
        _queue.PostCopy(source, destination, bytes);
        if (Device.ComputesOnHost)
            _queue.AwaitCompute();
    }

    /// <summary>Waits until the device has done all that compute was given. The one call that holds the host.</summary>
    public void Await()
    {
        WaitCount++;
        _queue.AwaitCompute();
    }

    /// <summary>Gives back what is pinned; no copy is under way.</summary>
    public void Dispose()
    {
        foreach (var block in _blocks)
        {
            if (block.Used != 0)
                _queue.Return(block.Used);
            _queue.Unpin(block.Memory);
        }
        _blocks.Clear();
        foreach (nint memory in _pinned)
            _queue.Unpin(memory);
        _pinned.Clear();
    }

    /// <summary>A block that no copy reads any more.</summary>
    private Block FreeBlock(long bytes)
    {
        foreach (var block in _blocks)
        {
            if (block.Bytes < bytes || (block.Used != 0 && !_queue.IsComplete(block.Used)))
                continue;
            if (block.Used != 0)
                _queue.Return(block.Used);
            block.Used = 0;
            return block;
        }
        long size = Math.Max(SmallestBlock, (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)bytes));
        var made = new Block(_queue.Pin(size), size);
        _blocks.Add(made);
        return made;
    }

    /// <summary>Pinned memory, and the event behind the last copy from it; 0: none.</summary>
    private sealed class Block(nint memory, long bytes)
    {
        public nint Memory => memory;

        public long Bytes => bytes;

        public nint Used { get; set; }
    }
}
