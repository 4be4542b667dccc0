namespace Uniscale.Collectives.InProcess;

/// <summary>Memory shared by the members of a group, by the order in which they ask for it.</summary>
internal sealed class SharedBlocks(string group, int memberCount)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<int, Block> _blocks = [];
    private readonly int[] _next = new int[memberCount];

    /// <summary>The block that is the member's next; made by the first member that asks.</summary>
    public SharedMemory Open(int member, long bytes)
    {
        lock (_gate)
        {
            int number = _next[member]++;
            if (!_blocks.TryGetValue(number, out var block))
                _blocks[number] = block = Block.Allocate(bytes);
            if (block.Bytes != bytes)
                throw new CollectiveException(
                    $"ranks disagree at shared memory {number} of group {group}: one asked for {block.Bytes} bytes, another for {bytes}"
                );
            block.HolderCount++;
            return new SharedMemory(block.Address, () => Close(number));
        }
    }

    private void Close(int number)
    {
        lock (_gate)
        {
            var block = _blocks[number];
            if (--block.HolderCount > 0)
                return;
            _blocks.Remove(number);
            RawMemory.Free(block.Address);
        }
    }

    private sealed record Block(nint Address, long Bytes)
    {
        public int HolderCount { get; set; }

        public static Block Allocate(long bytes)
        {
            nint address = RawMemory.Allocate(bytes);
            RawMemory.Clear(address, bytes);
            return new Block(address, bytes);
        }
    }
}
